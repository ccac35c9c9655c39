/**
 * Messages to devices, and key backups, on two instances that share a broker and a database: sent at either, read at either, once and in order, while the instances are killed one after the other. The servers are
 * those of MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, logIn, register, V3, type Answer } from './api-client.ts';
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

const BACKUP = { algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2', auth_data: { public_key: 'key' } };
const UPLOADS = 20;
const AT_ONCE = 25;

test('two devices back keys up at two instances at once, one of which is killed: all keys are there, and counted', { skip, timeout: 180_000 }, async () => {
  const [one, other] = running.programs;
  const phone = await register(one!.baseUrl);
  const laptop = await logIn(other!.baseUrl, phone.userId);
  const { body: { version } } = await persist(0, 'POST', '/room_keys/version', { token: phone.token, body: BACKUP });
  // Every second key of one device is one of the other too, and better or worse than it.
  const keyOf = (device: number, n: number) => ({ first_message_index: (n + device) % 3, forwarded_count: 0, is_verified: false, session_data: { device } });
  const nameOf = (device: number, n: number): string => (n % 2 === 0 ? `both${n}` : `own${device}-${n}`);
  const etags = [0, 0];
  const upload = async ({ token }: { token: string }, device: number): Promise<void> => {
    for (let turn = 0; turn < UPLOADS; turn += 1) {
      const numbers = Array.from({ length: AT_ONCE }, (_, index) => turn * AT_ONCE + index);
      const sessions = Object.fromEntries(numbers.map((n) => [nameOf(device, n), keyOf(device, n)]));
      const { status, body } = await persist(device + turn, 'PUT', `/room_keys/keys/!room:x?version=${version as string}`, { token, body: { sessions } });
      assert.equal(status, 200);
      assert.ok(Number(body.etag) >= etags[device]!, 'etags only grow');
      etags[device] = Number(body.etag);
    }
  };
  await Promise.all([upload(phone, 0), upload(laptop, 1), other!.killAndRestart()]);
  const all = UPLOADS * AT_ONCE;
  const { body: { sessions } } = await persist(1, 'GET', `/room_keys/keys/!room:x?version=${version as string}`, { token: phone.token });
  const { body: backup } = await persist(0, 'GET', '/room_keys/version', { token: laptop.token });
  assert.deepEqual([Object.keys(sessions).length, backup.count], [all * 1.5, all * 1.5]);
  assert.equal(Number(backup.etag), Math.max(...etags), 'the last change is the one that was told last');
  const best = (n: number): number => ((n % 3) <= ((n + 1) % 3) ? 0 : 1);
  for (let n = 0; n < all; n += 2) assert.equal(sessions[`both${n}`].session_data.device, best(n), `of key ${n} the one that reads more is kept`);
});
