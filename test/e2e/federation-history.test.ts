/** What was said before a user's server came into the room: read back page by page, all of it, in order, each once; from two devices at once, and forwards. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { V3, type ApiSession } from './api-client.ts';
import { enter, ok, say, type Member } from './federation-rooms.ts';
import { neighbourhood, peerMissing, type Software } from './peers.ts';

const SAID = 150;
const PAGE = 20;
const PAGES_MAX = 40;
const PAIRS: readonly (readonly [resident: Software, reader: Software])[] = [['Myelin', 'Myelin'], ['Synapse', 'Myelin']];

interface ReadEvent {
  readonly event_id: string;
  readonly type: string;
  readonly content: { readonly body?: string };
}

/** In the order in which they were read. */
async function readAll(session: ApiSession, path: string, direction: 'b' | 'f', from = ''): Promise<ReadEvent[]> {
  const found: ReadEvent[] = [];
  for (let pages = 0, at = from; pages < PAGES_MAX; pages += 1) {
    const page = await ok(session.call('GET', `${path}/messages?dir=${direction}&limit=${PAGE}${at === '' ? '' : `&from=${encodeURIComponent(at)}`}`)) as unknown as { chunk: ReadEvent[]; end?: string };
    found.push(...page.chunk);
    if (page.end === undefined) return found;
    at = page.end;
  }
  throw new Error(`there was no end after ${PAGES_MAX} pages`);
}

/** Of a room whose past the guest's server has not read: a time before all that is known there is asked of the host's. */
async function askForTheBeginning(host: Member, guest: Member): Promise<void> {
  const made = await ok(host.session.call('POST', `${V3}/createRoom`, { preset: 'public_chat', room_version: '11' }));
  const path = `${V3}/rooms/${encodeURIComponent(made.room_id as string)}`;
  for (let count = 0; count < 5; count += 1) await say(host, { path }, `old ${count}`);
  await ok(guest.session.call('POST', `${V3}/join/${encodeURIComponent(made.room_id as string)}?server_name=${encodeURIComponent(host.peer.serverName)}`, {}));
  const nearest = await ok(guest.session.call('GET', `${path.replace(V3, '/_matrix/client/v1')}/timestamp_to_event?ts=0&dir=f`));
  const all = await readAll(guest.session, path, 'b');
  assert.deepEqual([all.at(-1)?.event_id, all.at(-1)?.type], [nearest.event_id, 'm.room.create']);
}

for (const [resident, reader] of PAIRS) {
  test(`${SAID} messages in a room of a ${resident}, read by a user of a ${reader} who joins after them`, { skip: peerMissing(resident, reader), timeout: 180_000 }, async (t) => {
    const place = neighbourhood();
    t.after(() => place.stop());
    const [one, other] = await Promise.all([place.start(resident), place.start(reader)]);
    const [host, guest] = [await enter(one, 'host'), await enter(other, 'guest')];
    const made = await ok(host.session.call('POST', `${V3}/createRoom`, { preset: 'public_chat', name: 'Meeting', room_version: '11' }));
    const roomId = made.room_id as string;
    const path = `${V3}/rooms/${encodeURIComponent(roomId)}`;
    const bodies = Array.from({ length: SAID }, (_, index) => `said ${index}`);
    for (const body of bodies) await say(host, { path }, body);
    await ok(guest.session.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?server_name=${encodeURIComponent(one.serverName)}`, {}));
    await guest.follower.until('the room', () => guest.follower.room(roomId).membership === 'join');
    const startedAt = performance.now();
    const reads = await Promise.all([readAll(guest.session, path, 'b'), readAll(guest.session, path, 'b')]);
    t.diagnostic(`read by two in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    for (const read of reads) {
      assert.deepEqual(read.filter(({ type }) => type === 'm.room.message').map(({ content }) => content.body), bodies.toReversed());
      assert.equal(new Set(read.map(({ event_id: id }) => id)).size, read.length);
      assert.equal(read.at(-1)?.type, 'm.room.create');
    }
    const atHome = await readAll(host.session, path, 'b');
    assert.deepEqual(reads[0]!.map(({ event_id: id }) => id), atHome.map(({ event_id: id }) => id));
    assert.deepEqual((await readAll(guest.session, path, 'f')).map(({ event_id: id }) => id), atHome.map(({ event_id: id }) => id).toReversed());
    // What comes later stands above all of it.
    await say(host, { path }, 'after');
    await guest.follower.until('the message after', () => guest.follower.room(roomId).timeline.some(({ content }) => content.body === 'after'));
    const [newest, ...rest] = await readAll(guest.session, path, 'b');
    assert.deepEqual([newest?.content.body, rest.map(({ event_id: id }) => id)], ['after', atHome.map(({ event_id: id }) => id)]);
    await askForTheBeginning(host, guest);
    await Promise.all([host, guest].map(({ follower }) => follower.stop()));
  });
}

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
  const reading = readAll(guest.session, path, 'b').catch(() => []);
  await sleep(150);
  await other.kill();
  await reading;
  await other.restart();
  const expected = (await readAll(host.session, path, 'b')).map(({ event_id: id }) => id);
  for (const endsAt = performance.now() + 90_000; ; await sleep(1000)) {
    const read = (await readAll(guest.session, path, 'b')).map(({ event_id: id }) => id);
    if (read.length === expected.length || performance.now() > endsAt) {
      assert.deepEqual(read, expected);
      break;
    }
  }
  await host.follower.stop();
});
