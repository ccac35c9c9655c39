/** Rooms that fork and meet again end in the same state on every database, also after the places of their events among auth chains were found anew. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { placeAllInChains } from '../../../components/roomserver/storage/auth-chains.ts';
import { redactsOf } from '../../../pkg/matrix/events/pdu.ts';
import { randomRoom } from '../../kit/random-room.ts';
import { beginning, received } from '../../kit/received-room.ts';
import type { RoomDag } from '../../kit/room-dag.ts';
import { createRoomDriver, input, PARTITIONS, type RoomDriver } from '../../kit/room-driver.ts';
import { onEachBackend } from './backends.ts';

const BATCH = 4;

async function receive(driver: RoomDriver, dag: RoomDag, eventIds: readonly string[]): Promise<void> {
  for (let at = 0; at < eventIds.length; at += BATCH) {
    const answers = await driver.batch(eventIds.slice(at, at + BATCH).map((eventId) => input(dag.roomId, { receivePdu: received(dag, eventId) })));
    assert.ok(answers.every((answer) => 'ok' in answer), JSON.stringify(answers));
  }
}

/** As an older version of the program left it. */
async function takePlaces({ database }: RoomDriver): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.run('DELETE FROM auth_links');
    await tx.run('DELETE FROM auth_chain_counters');
    await tx.run('UPDATE events SET auth_chain = NULL, auth_seq = NULL');
  });
}

onEachBackend('forked rooms', (backend) => {
  for (const version of ['2', '11', '12']) {
    test(`version ${version}`, async () => {
      const rooms = fc.sample(randomRoom(version).filter((dag) => ![...dag.events.values()].some(({ pdu }) => redactsOf(pdu, dag.version) !== undefined)), { seed: 5, numRuns: 6 });
      for (const [index, dag] of rooms.entries()) {
        const driver = await createRoomDriver({ database: await backend.open() });
        const { partition, effects } = beginning(dag, PARTITIONS.partitions);
        await driver.begin(partition, effects);
        const eventIds = [...dag.events.keys()].slice(1);
        const half = Math.floor(eventIds.length / 2);
        await receive(driver, dag, eventIds.slice(0, half));
        if (index % 3 !== 0) await takePlaces(driver);
        if (index % 3 === 2) await driver.database.transaction(placeAllInChains);
        await receive(driver, dag, eventIds.slice(half));
        const current = await driver.database.query<{ event_id: string }>('SELECT event_id FROM current_state WHERE room_id = ?', [dag.roomId]);
        const [room] = await driver.database.query<{ forward_extremities: string }>('SELECT forward_extremities FROM rooms WHERE room_id = ?', [dag.roomId]);
        const expected = dag.resolve(JSON.parse(room!.forward_extremities) as string[]);
        assert.deepEqual(current.map((row) => row.event_id).sort(), [...expected.values()].sort(), `room ${index}`);
        const [left] = await driver.database.query<{ n: number }>('SELECT COUNT(*) AS n FROM events WHERE state_key IS NOT NULL AND auth_chain IS NULL');
        assert.equal(left!.n, 0, 'every state event has its place by now');
      }
    });
  }
});
