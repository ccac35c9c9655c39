/**
 * A server of two instances of every role shares rooms with another server of one process; either may be the one that made the room. The brokers and the database are
 * those of MYELIN_TEST_POSTGRES_URL, MYELIN_TEST_NATS_URL and MYELIN_TEST_KAFKA_BROKERS, which `npm test` starts.
 */
import { test } from 'node:test';
import { enter, shareRoom } from './federation-rooms.ts';
import { instanceModes } from './modes.ts';
import { neighbourhood } from './peers.ts';

const MESSAGES = 150;

for (const { of, two } of instanceModes()) {
  if (of !== 'all roles a process') continue;
  test(`a room shared with ${two.name}`, { skip: two.missing === undefined ? false : `${two.missing} is not here`, timeout: 240_000 }, async (t) => {
    const place = neighbourhood();
    t.after(() => place.stop());
    const [many, one] = [await place.start('Myelin', { mode: two }), await place.start('Myelin')];
    for (const [hosting, guesting] of [[many, one], [one, many]] as const) {
      const startedAt = performance.now();
      const [host, guest] = [await enter(hosting, 'host'), await enter(guesting, 'guest')];
      try {
        await shareRoom(host, guest, { roomVersion: '12', messages: MESSAGES, closing: false });
      } catch (error) {
        for (const { serverName, recentLog } of [hosting, guesting]) console.log(`The log of ${serverName}:\n${recentLog()}`);
        throw error;
      } finally {
        await Promise.all([host, guest].map(({ follower }) => follower.stop()));
      }
      t.diagnostic(`${MESSAGES} messages each way; ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    }
  });
}
