/** A server in the room takes connections and never answers: those who speak there do not notice, and it gets everything when it wakes up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMessages } from './api-client.ts';
import { enter, meet, say, ok } from './federation-rooms.ts';
import { V3 } from './api-client.ts';
import { neighbourhood, peerMissing, type Software } from './peers.ts';

const MESSAGES = 300;
/** Longer than anything local takes, shorter than any wait for the other server. */
const SEND_MS_MAX = 5_000;
const PAIRS: readonly (readonly [living: Software, dead: Software])[] = [['Myelin', 'Myelin'], ['Myelin', 'Synapse']];

for (const [living, dead] of PAIRS) {
  test(`a ${dead} sleeps while ${MESSAGES} messages are sent on a ${living}`, { skip: peerMissing(living, dead), timeout: 180_000 }, async (t) => {
    const place = neighbourhood();
    t.after(() => place.stop());
    const [one, other] = await Promise.all([place.start(living), place.start(dead)]);
    const [host, guest, third] = [await enter(one, 'host'), await enter(other, 'guest'), await enter(one, 'third')];
    const room = await meet(host, guest, '12');
    await ok(host.session.call('POST', `${room.path}/invite`, { user_id: third.session.userId }));
    await ok(third.session.call('POST', `${V3}/join/${encodeURIComponent(room.roomId)}`, {}));
    await guest.follower.stop();
    other.pause();
    const bodies = Array.from({ length: MESSAGES }, (_, index) => `message ${index}`);
    for (const body of bodies) {
      const startedAt = performance.now();
      await say(host, room, body);
      assert.ok(performance.now() - startedAt < SEND_MS_MAX, `${body} took ${performance.now() - startedAt} ms`);
    }
    await third.follower.until('all of them', () => third.follower.room(room.roomId).timeline.some(({ content }) => content.body === bodies.at(-1)), SEND_MS_MAX);
    other.resume();
    const woken = performance.now();
    await say(host, room, 'awake');
    for (let read: string[] = []; read.at(-1) !== 'awake' || read.length <= MESSAGES;) {
      assert.ok(performance.now() - woken < 120_000, `it has ${read.length} of them`);
      await new Promise((resolve) => setTimeout(resolve, 250));
      read = (await readMessages(guest.session, encodeURIComponent(room.roomId))).map(({ body }) => body);
    }
    assert.deepEqual((await readMessages(guest.session, encodeURIComponent(room.roomId))).map(({ body }) => body), [...bodies, 'awake']);
    t.diagnostic(`it had everything ${((performance.now() - woken) / 1000).toFixed(1)} s after it woke up`);
    await Promise.all([host, third].map(({ follower }) => follower.stop()));
  });
}
