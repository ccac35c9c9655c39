/**
 * Messages to devices on two instances that share a broker and a database: sent at either, read at either, once and in order, while the instances are killed one after the other. The servers are
 * those of MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, register, V3, type Answer } from './api-client.ts';
import { instanceModes, type RunningMode } from './modes.ts';

const MESSAGES = 100;
const KILLS = 4;

const mode = instanceModes().find(({ log, of }) => log === 'NATS' && of === 'all roles a process')!.two;
const skip = mode.missing ?? false;
let running: RunningMode;

before(async () => {
  if (skip === false) running = await mode.start({ MYELIN_RATE_LIMITS: 'off' });
});
after(() => running?.stop());

/** At one instance after the other, until an answer is final. */
async function persist(turn: number, method: string, path: string, more: { token: string; body?: unknown }): Promise<Answer> {
  for (let tries = 0; ; tries += 1) {
    const { baseUrl } = running.programs[(turn + tries) % running.programs.length]!;
    const answer = await call(baseUrl, method, V3 + path, more).catch(() => undefined);
    if (answer !== undefined && answer.status < 500) return answer;
    assert.ok(tries < 600, 'no instance answers');
    await sleep(50);
  }
}

test('messages are sent and read at either instance, once and in order, whichever is killed', { skip, timeout: 180_000 }, async () => {
  const { baseUrl } = running.programs[0]!;
  const [alice, bob] = [await register(baseUrl), await register(baseUrl)];
  const got: number[] = [];
  const killer = (async () => {
    for (let kills = 0; kills < KILLS; kills += 1) {
      while (got.length < (MESSAGES * (kills + 1)) / (KILLS + 2)) await sleep(10);
      await running.programs[kills % running.programs.length]!.killAndRestart();
    }
  })();
  const sender = (async () => {
    for (let n = 1; n <= MESSAGES; n += 1) {
      const { status } = await persist(n, 'PUT', `/sendToDevice/m.test/${n}`, { token: alice.token, body: { messages: { [bob.userId]: { '*': { n } } } } });
      assert.equal(status, 200);
    }
  })();
  let since = '';
  for (let turn = 0; got.length < MESSAGES; turn += 1) {
    const { status, body } = await persist(turn, 'GET', `/sync?timeout=500${since}`, { token: bob.token });
    assert.equal(status, 200);
    for (const { content } of (body.to_device?.events ?? []) as { content: { n: number } }[]) got.push(content.n);
    since = `&since=${body.next_batch as string}`;
  }
  await Promise.all([sender, killer]);
  const { body: last } = await persist(0, 'GET', `/sync?timeout=0${since}`, { token: bob.token });
  assert.equal(last.to_device, undefined);
  assert.deepEqual(got, Array.from({ length: MESSAGES }, (_, index) => index + 1));
  const { body: fresh } = await persist(1, 'GET', '/sync', { token: bob.token });
  assert.equal(fresh.to_device, undefined, 'what was acknowledged is gone');
});
