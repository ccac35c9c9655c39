/** A few of the histories of `npm run partitions`: traffic between two and three servers is cut and healed while all of them change the same rooms; in the end all agree. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SqlValue } from '../../pkg/storage/database.ts';
import { peerMissing } from '../e2e/peers.ts';
import { closingDifferences, type Closings } from '../sim/federation/closing.ts';
import type { FederatedWorld } from '../sim/federation/federated-world.ts';
import { runFederatedSeed } from '../sim/federation/run-federated.ts';
import type { SharedRoom } from '../sim/federation/story.ts';
import { playHistory } from './real-history.ts';
import { startParted } from './servers.ts';

const SIMULATED: readonly (readonly [servers: number, seeds: readonly number[]])[] = [[2, [1]], [3, [1]]];
const REAL = [1];

for (const [servers, seeds] of SIMULATED) {
  test(`${servers} simulated servers`, async () => {
    for (const seed of seeds) assert.deepEqual((await runFederatedSeed(seed, { servers, partitions: true, afterwards: isNoticed })).violations, [], `npm run sim -- --servers ${servers} --partitions --seed ${seed} --trace`);
  });
}

for (const softwares of [['Myelin', 'Synapse', 'Myelin']] as const) {
  test(`${softwares.join(', ')}, as processes of their own`, { skip: peerMissing(...softwares), timeout: 240_000 }, async (t) => {
    const servers = await startParted(softwares);
    t.after(() => servers.stop());
    for (const seed of REAL) t.diagnostic(JSON.stringify(await playHistory(servers, seed)));
  });
}

/** What one server might do wrong, done to its tables, and undone; the state is that of a closing event. */
const FAULTS: readonly (readonly [what: string, fault: string, undone: string])[] = [
  ['an event was refused', 'UPDATE events SET rejected = 1 WHERE event_id = ?', 'UPDATE events SET rejected = 0 WHERE event_id = ?'],
  ['an event was lost', "UPDATE events SET room_id = '!' || room_id WHERE event_id = ?", 'UPDATE events SET room_id = substr(room_id, 2) WHERE event_id = ?'],
];
const STATE_OF = 'UPDATE events SET state_id = ? WHERE event_id = ?';

/** The law about closing events tells of each fault of a single server, and of nothing once it is undone. */
async function isNoticed(federated: FederatedWorld, rooms: readonly SharedRoom[], closings: Closings): Promise<void> {
  const room = rooms[0]!;
  const closing = closings.get(room.roomId)!.at(-1)!;
  const [body, speaker] = [...room.owed].findLast(([said]) => !said.startsWith('last words'))!;
  const said = speaker.acked.get(body)!;
  const differences = (): Promise<string[]> => closingDifferences(federated, room, closings);
  for (const { name, databases: { roomserver } } of federated.world.servers) {
    const act = (sql: string, params: SqlValue[]) => roomserver.transaction((tx) => tx.run(sql, params));
    for (const [what, fault, undone] of FAULTS) {
      await act(fault, [said]);
      assert.notDeepEqual(await differences(), [], `${what} on ${name}`);
      await act(undone, [said]);
    }
    const [row] = await roomserver.query<{ state_id: number }>('SELECT state_id FROM events WHERE event_id = ?', [closing]);
    await act(STATE_OF, [1, closing]);
    assert.notDeepEqual(await differences(), [], `another state on ${name}`);
    await act(STATE_OF, [row!.state_id, closing]);
    assert.deepEqual(await differences(), []);
  }
}
