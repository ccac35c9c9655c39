/** A server misses 50 messages for good, as their sender believes that they arrived; with the next one it notices, and asks for them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFederationProxy } from '../kit/federation-proxy.ts';
import { readMessages } from './api-client.ts';
import { enter, meet, say } from './federation-rooms.ts';
import { neighbourhood, peerMissing, type Software } from './peers.ts';

const MISSED = 50;
const WAIT_MS_MAX = 60_000;
const PAIRS: readonly (readonly [sender: Software, receiver: Software])[] = [['Myelin', 'Myelin'], ['Myelin', 'Synapse'], ['Synapse', 'Myelin']];

for (const [sender, receiver] of PAIRS) {
  test(`${MISSED} messages of a ${sender} that a ${receiver} has missed`, { skip: peerMissing(sender, receiver), timeout: 180_000 }, async (t) => {
    const place = neighbourhood();
    const proxy = await startFederationProxy(place.authority);
    t.after(async () => {
      await place.stop();
      await proxy.close();
    });
    const [one, other] = await Promise.all([place.start(sender), place.start(receiver, { publicPort: proxy.port })]);
    proxy.standBefore(other.baseUrl);
    const [host, guest] = [await enter(one, 'host'), await enter(other, 'guest')];
    const room = await meet(host, guest, '12');
    await say(host, room, 'before');
    await guest.follower.until('the message before', () => guest.follower.room(room.roomId).timeline.some(({ content }) => content.body === 'before'));
    proxy.mode = 'lose';
    const bodies = ['before', ...Array.from({ length: MISSED }, (_, index) => `missed ${index}`), 'after'];
    for (const body of bodies.slice(1, -1)) await say(host, room, body);
    for (const endsAt = performance.now() + WAIT_MS_MAX; proxy.lost < MISSED; await sleep(50)) assert.ok(performance.now() < endsAt, `only ${proxy.lost} were sent`);
    proxy.mode = 'pass';
    const startedAt = performance.now();
    await say(host, room, 'after');
    await guest.follower.until('the message after', () => guest.follower.room(room.roomId).timeline.some(({ content }) => content.body === 'after'));
    // A Synapse fetches a few of them at once, the others when somebody reads back to them.
    for (const endsAt = performance.now() + WAIT_MS_MAX; ; await sleep(300)) {
      const read = (await readMessages(guest.session, encodeURIComponent(room.roomId))).map(({ body }) => body);
      if (read.length >= bodies.length || performance.now() > endsAt) {
        assert.deepEqual(read, bodies);
        break;
      }
    }
    t.diagnostic(`filled after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    // They come to a client that only syncs as well: each of them once, in their order.
    const told = guest.follower.room(room.roomId).timeline.flatMap(({ content }) => (typeof content.body === 'string' ? [content.body] : []));
    if (receiver === 'Myelin') assert.deepEqual(told, bodies);
    await Promise.all([host, guest].map(({ follower }) => follower.stop()));
  });
}
