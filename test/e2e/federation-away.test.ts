/**
 * A Synapse is gone for days, as far as the tables say, while a Myelin speaks in rooms that both are in and is killed -9 in between: nothing more is queued for it than the names of the rooms,
 * and when it is back and says something it gets the end of each room, fetches the rest, and agrees.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '../../pkg/assert/assert.ts';
import type { SqlRow } from '../../pkg/storage/database.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import { openSqliteReader } from '../../pkg/storage/sqlite/open-reader.ts';
import { readMessages } from './api-client.ts';
import { enter, meet, ok, say, type SharedRoom } from './federation-rooms.ts';
import { neighbourhood, peerMissing, type Peer } from './peers.ts';

const ROOMS = 3;
/** In each room, before and after the kill. */
const MESSAGES = 15;
const DAYS_MS = 3 * 86_400_000;
const WAIT_MS_MAX = 90_000;
/** What is said is in the queues by then. */
const QUEUEING_MS = 500;

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const endsAt = performance.now() + WAIT_MS_MAX; !(await holds()); await sleep(300)) assert.ok(performance.now() < endsAt, `waited too long for ${what}`);
}

const pathOf = (peer: Peer): string => join(peer.folder, 'data', 'federationapi.db');

/** Asks the federationapi's tables. */
async function rowsOf<Row extends SqlRow>(peer: Peer, sql: string): Promise<Row[]> {
  const reader = must(openSqliteReader({ path: pathOf(peer) }), 'the tables of the federationapi');
  try {
    return await reader.query<Row>(sql);
  } finally {
    reader.close();
  }
}

/** Of a Myelin that does not run: every server has failed for so much longer. */
async function failLonger(peer: Peer, ms: number): Promise<void> {
  const database = await openSqlite({ path: pathOf(peer) });
  await database.transaction((tx) => tx.run('UPDATE destinations SET failing_since = failing_since - ?', [ms]));
  await database.close();
}

const waiting = async (peer: Peer): Promise<{ events: number; rooms: number }> => (await rowsOf<{ events: number; rooms: number }>(peer, 'SELECT (SELECT COUNT(*) FROM destination_queue) AS events, (SELECT COUNT(*) FROM destination_rooms) AS rooms'))[0]!;

test('a Synapse that was gone for days catches up room by room', { skip: peerMissing('Myelin', 'Synapse'), timeout: 300_000 }, async (t) => {
  const place = neighbourhood();
  t.after(() => place.stop());
  const [one, other] = await Promise.all([place.start('Myelin'), place.start('Synapse')]);
  const [host, guest] = [await enter(one, 'host'), await enter(other, 'guest')];
  const rooms: { readonly room: SharedRoom; readonly said: string[] }[] = [];
  for (let number = 0; number < ROOMS; number += 1) rooms.push({ room: await meet(host, guest, '12'), said: [] });
  await Promise.all([host, guest].map(({ follower }) => follower.stop()));
  const sayMore = async (what: string): Promise<void> => {
    for (const { room, said } of rooms) {
      for (let number = 0; number < MESSAGES; number += 1) {
        said.push(`${what} ${number}`);
        await say(host, room, said.at(-1)!);
      }
    }
  };
  await until('all to be sent', async () => (await waiting(one)).events === 0);
  await other.kill();
  await sayMore('before the kill');
  const isWaiting = async (expected: { events: number; rooms: number }): Promise<boolean> => JSON.stringify(await waiting(one)) === JSON.stringify(expected);
  await until('all to be queued', () => isWaiting({ events: ROOMS * MESSAGES, rooms: 0 }));
  await until('a failure', async () => (await rowsOf(one, 'SELECT server_name FROM destinations WHERE failures > 0')).length === 1);
  await one.kill();
  await failLonger(one, DAYS_MS);
  await one.restart();
  await until('the queue to be given up', () => isWaiting({ events: 0, rooms: ROOMS }));
  await sayMore('after the kill');
  await ok(host.session.call('PUT', `${rooms[0]!.room.path}/state/m.room.topic/`, { topic: 'changed meanwhile' }));
  await sleep(QUEUEING_MS);
  assert.deepEqual(await waiting(one), { events: 0, rooms: ROOMS }, 'nothing more is queued');
  await other.restart();
  const back = performance.now();
  await say(guest, rooms[0]!.room, 'I am back');
  for (const { room, said } of rooms) {
    const wanted = room === rooms[0]!.room ? [...said, 'I am back'].sort() : [...said].sort();
    // It fetches some of them by itself, the others when somebody reads back to them.
    await until(`all of ${room.roomId}`, async () => JSON.stringify((await readMessages(guest.session, encodeURIComponent(room.roomId))).map(({ body }) => body).sort()) === JSON.stringify(wanted));
  }
  t.diagnostic(`it had everything ${((performance.now() - back) / 1000).toFixed(1)} s after it was back`);
  assert.equal((await ok(guest.session.call('GET', `${rooms[0]!.room.path}/state/m.room.topic/`)) as { topic: string }).topic, 'changed meanwhile');
  await until('what the guest has said', async () => (await readMessages(host.session, encodeURIComponent(rooms[0]!.room.roomId))).some(({ body }) => body === 'I am back'));
  assert.deepEqual([await waiting(one), await rowsOf(one, 'SELECT failures FROM destinations')], [{ events: 0, rooms: 0 }, [{ failures: 0 }]]);
});
