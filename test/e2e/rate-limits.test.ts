/**
 * Rate limits of two instances that share a broker: together they let through what one would, and users have limits of their own. The servers are those of MYELIN_TEST_POSTGRES_URL and
 * MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, newRoom, register, V3, type Answer, type ApiSession } from './api-client.ts';
import { instanceModes, type RunningMode } from './modes.ts';

const LIMIT = { perSecond: 5, burst: 40 };
const SECONDS = 5;
const AT_ONCE = 8;

const mode = instanceModes().find(({ log, of }) => log === 'NATS' && of === 'all roles a process')!.two;
const skip = mode.missing ?? false;
let running: RunningMode;

before(async () => {
  if (skip !== false) return;
  running = await mode.start({
    MYELIN_RATE_LIMITS: 'on', MYELIN_RATE_LIMIT_CLASSES: `message=${LIMIT.perSecond}/${LIMIT.burst}`, MYELIN_RATE_LIMIT_USERS: '@free:e2e.test=exempt',
  });
});
after(() => running?.stop());

/** Sends, by turns to each instance, as fast as the answers come. */
async function sendFast(of: ApiSession): Promise<{ answers: Answer[]; seconds: number }> {
  const room = await newRoom(of);
  const answers: Answer[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + SECONDS * 1000;
  let count = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (performance.now() < endsAt) {
      count += 1;
      const { baseUrl } = running.programs[count % running.programs.length]!;
      answers.push(await call(baseUrl, 'PUT', `${V3}/rooms/${room}/send/m.room.message/${count}`, { token: of.token, body: { msgtype: 'm.text', body: 'tea' } }));
    }
  }));
  return { answers, seconds: (performance.now() - startedAt) / 1000 };
}

test('two instances let through what one would', { skip }, async () => {
  const { answers, seconds } = await sendFast(await register(running.baseUrl, 'alice'));
  const passed = answers.filter(({ status }) => status === 200).length;
  const fair = LIMIT.burst + seconds * LIMIT.perSecond;
  assert.ok(passed >= fair * 0.8 && passed <= fair * 1.25, `${passed} of ${answers.length} passed, ${Math.round(fair)} would be fair`);
  const refused = answers.find(({ status }) => status === 429)!;
  assert.equal(refused.body.errcode, 'M_LIMIT_EXCEEDED');
  assert.ok(refused.body.retry_after_ms > 0);
  assert.match(refused.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  assert.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [200, 429]);
});

test('a user who is exempt is never told to wait', { skip }, async () => {
  const { answers } = await sendFast(await register(running.baseUrl, 'free'));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.ok(answers.length > LIMIT.burst + 3 * SECONDS * LIMIT.perSecond, `${answers.length} messages in ${SECONDS} s`);
});
