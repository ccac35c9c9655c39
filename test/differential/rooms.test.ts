/**
 * Random rooms of every version, judged by this library and by Synapse's own code: every event allowed or refused alike, every meeting of states resolved alike, every rule
 * reached; and faults in the rules are found. `npm run differential` does the same with other rooms, and with as many as one likes.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startCounter } from './coverage.ts';
import { DEVIATIONS } from './deviations.ts';
import { FAULTS, faultyJudge, firstRoomToTell } from './faults.ts';
import type { Findings, Judged } from './run-rooms.ts';
import { startOracle, synapseMissing } from './synapse.ts';

const FROM = 301;
const ROOMS = 360;

const skip = synapseMissing();

describe('random rooms and Synapse', { skip }, () => {
  let findings: Findings;
  const judged: Judged[] = [];

  before(async () => {
    const counter = await startCounter(['pkg/matrix/']);
    const { runRooms } = await import('./run-rooms.ts');
    const oracle = startOracle();
    findings = await runRooms({ from: FROM, rooms: ROOMS, oracle, counter, onRoom: (room) => judged.push(room) });
    await oracle.close();
    await counter.stop();
  });
  after(() => { judged.length = 0; });

  test('say the same of every event and every meeting of states', () => {
    assert.deepEqual(findings.differences, []);
  });

  test('are of all versions, with events that are allowed and refused, and with states that differ', () => {
    assert.equal(findings.versions.size, 12);
    for (const [version, { conflicts }] of findings.versions) assert.ok(conflicts > 0, `version ${version}`);
    for (const [type, { allowed, refused }] of findings.types) assert.ok(allowed > 0 && refused > 0, type);
    assert.ok(findings.widthMax >= 8, `${findings.widthMax} sides at most`);
  });

  test('differ by each known deviation of Synapse', () => {
    for (const { name } of DEVIATIONS) assert.ok(findings.excused.has(name), `nothing differs by ${name}: is it known still?`);
  });

  test('reach every rule on both sides, and every piece of the source', async () => {
    const { neverReached, unexplainedPieces } = await import('./report.ts');
    const { sumOfCoverage } = await import('./run-rooms.ts');
    assert.deepEqual(neverReached(findings), []);
    assert.deepEqual(unexplainedPieces(sumOfCoverage(findings)), []);
  });

  for (const fault of FAULTS) {
    test(`tell that ${fault.name}`, async (t) => {
      const { judge, remove } = await faultyJudge(fault);
      t.after(remove);
      const room = firstRoomToTell(judge, judged);
      assert.notEqual(room, undefined, 'no room tells the fault');
      t.diagnostic(`room ${room}`);
    });
  }
});
