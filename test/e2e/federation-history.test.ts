/** What was said before a user's server came into the room, between two Myelins; what a Myelin and a Synapse have of each other is in `federation-synapse.test.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { V3 } from './api-client.ts';
import { askForTheBeginning, longTalk, readAll, readPast, type ReadEvent } from './federation-past.ts';
import { enter, ok, say } from './federation-rooms.ts';
import { neighbourhood } from './peers.ts';

const SAID = 150;
const PAGE = 20;
const READING = { direction: 'b', page: PAGE, pagesMax: 40 } as const;

test(`${SAID} messages, read by a user who joins after them; and the beginning of a room`, { timeout: 180_000 }, async (t) => {
  const place = neighbourhood();
  t.after(() => place.stop());
  const [one, other] = await Promise.all([place.start('Myelin'), place.start('Myelin')]);
  const [host, guest] = [await enter(one, 'host'), await enter(other, 'guest')];
  await readPast(await longTalk(host, guest, SAID), READING);
  await askForTheBeginning(host, guest);
  await Promise.all([host, guest].map(({ follower }) => follower.stop()));
});

test('a reader whose server is killed while history comes reads all of it afterwards; while the other server does not answer, a page costs its bound', { timeout: 180_000 }, async (t) => {
  const place = neighbourhood();
  t.after(() => place.stop());
  const [one, other] = await Promise.all([place.start('Myelin'), place.start('Myelin')]);
  const [host, guest] = [await enter(one, 'host'), await enter(other, 'guest')];
  const made = await ok(host.session.call('POST', `${V3}/createRoom`, { preset: 'public_chat', room_version: '12' }));
  const roomId = made.room_id as string;
  const path = `${V3}/rooms/${encodeURIComponent(roomId)}`;
  for (let count = 0; count < SAID; count += 1) await say(host, { path }, `said ${count}`);
  await ok(guest.session.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?server_name=${encodeURIComponent(one.serverName)}`, {}));
  await guest.follower.stop();
  one.pause();
  const startedAt = performance.now();
  const page = await ok(guest.session.call('GET', `${path}/messages?dir=b&limit=${PAGE}`)) as unknown as { chunk: ReadEvent[] };
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs < 12_000, `it took ${tookMs} ms`);
  assert.equal(page.chunk.length, 1);
  const again = performance.now();
  await ok(guest.session.call('GET', `${path}/messages?dir=b&limit=${PAGE}`));
  t.diagnostic(`${Math.round(tookMs)} ms, then ${Math.round(performance.now() - again)} ms`);
  one.resume();
  const reading = readAll(guest, path, READING).catch(() => []);
  await sleep(150);
  await other.kill();
  await reading;
  await other.restart();
  const expected = (await readAll(host, path, READING)).map(({ event_id: id }) => id);
  for (const endsAt = performance.now() + 90_000; ; await sleep(1000)) {
    const read = (await readAll(guest, path, READING)).map(({ event_id: id }) => id);
    if (read.length === expected.length || performance.now() > endsAt) {
      assert.deepEqual(read, expected);
      break;
    }
  }
  await host.follower.stop();
});
