/** History that other servers give, give in part, or do not give. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FederationRequest } from '../../../pkg/federation/transport.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { needWorld, refusal, type NewNeed } from '../../../test/kit/need-world.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';

const dag = startRoom('11');
const BEGINNING = dag.accepted.length;
const name = dag.send({ type: 'm.room.member', sender: CREATOR, state_key: CREATOR, content: { membership: 'join', displayname: 'C' } });
for (let count = 0; count < 10; count += 1) dag.send({ type: 'm.room.message', sender: CREATOR, content: { body: `${count}` } });
const newest = dag.newest;
const said = dag.accepted.slice(BEGINNING + 1);

const wish = (via: string[], eventIds = [newest]): NewNeed => ({ needId: 'h1', roomId: dag.roomId, roomVersion: '11', backfill: { via, eventIds, limit: 100 }, lifetimeMs: 9000 });
const pdus = (eventIds: readonly string[]): Pdu[] => eventIds.map((eventId) => dag.pdu(eventId)!);

/** Gives the messages, and single events that are asked for. */
function historian(request: FederationRequest): Record<string, unknown> {
  if (request.path.includes('/backfill/')) {
    assert.deepEqual(request.query, { v: [newest], limit: '100' });
    return { origin: 'two.test', origin_server_ts: 1, pdus: pdus(said).toReversed() };
  }
  return { pdus: [dag.pdu(decodeURIComponent(request.path.split('/').at(-1)!))!] };
}

test('the first server that has it gives it; what authorises it and is not known is fetched, and comes before it', async () => {
  const world = await needWorld();
  for (const eventId of dag.accepted.slice(0, BEGINNING)) world.known.add(eventId);
  world.known.add(said[3]!);
  world.peers.set('empty.test', () => ({ pdus: [] })).set('refuses.test', () => Promise.reject(refusal(403, 'M_FORBIDDEN'))).set('two.test', historian);
  const answer = await world.answerTo(wish(['me.test', 'away.test', 'empty.test', 'refuses.test', 'two.test']));
  assert.deepEqual([answer?.status, answer?.origin, answer?.roomVersion], [200, 'two.test', '11']);
  assert.deepEqual((await world.staged.stateIds(answer!.stageId)).sort(), [...said].sort());
  const staged = await world.staged.slice(answer!.stageId, 0, 100);
  assert.deepEqual([staged[0]?.eventId, staged[0]?.inState, staged.length], [name, false, said.length]);
  assert.deepEqual(world.inputs.flatMap(({ importState }) => (importState ? [importState.current] : [])), [false]);
  assert.equal(world.asked.filter((line) => line.includes('/event/')).length, 1);
  await world.close();
});

test('servers that have none of it, and that give something else or what is forged, are told apart from servers that cannot be reached', async () => {
  const cases: [status: number, give: () => unknown][] = [
    [404, () => ({ pdus: [] })], [404, () => ({ pdus: pdus(said.slice(0, 3)) })], [404, () => ({ pdus: pdus([newest]).map((pdu) => ({ ...pdu, sender: '@other:one.test' })) })],
    [502, () => ({ pdus: {} })], [502, () => Promise.reject(refusal(500, 'M_UNKNOWN'))], [504, () => new Promise(() => undefined)],
  ];
  for (const [status, give] of cases) {
    const world = await needWorld();
    world.peers.set('two.test', give as typeof historian);
    assert.equal((await world.answerTo(wish(['two.test'])))?.status, status);
    assert.equal(world.inputs.some(({ importState }) => importState), false);
    await world.close();
  }
});
