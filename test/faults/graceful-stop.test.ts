/** SIGTERM under load: whoever waits gets an answer to go on with, whoever sends gets theirs, and the process ends by itself. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { newRoom, readMessages, register, V3, type ApiSession } from '../e2e/api-client.ts';
import { modes, type RunningMode } from '../e2e/modes.ts';
import { freePort } from '../e2e/program.ts';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));
const POLLS = 20;
const STOP_MS_MAX = 5000;

async function startFor(t: TestContext): Promise<RunningMode> {
  const running = await modes()[0]!.start();
  t.after(() => running.stop());
  return running;
}

test('SIGTERM during long polls and sends: all of them are answered, the exit code is 0, tokens stay valid', { timeout: 60_000 }, async (t) => {
  const running = await startFor(t);
  const [program] = running.programs;
  const waiting = await register(running.baseUrl);
  await newRoom(waiting);
  const senders = [await register(running.baseUrl), await register(running.baseUrl), await register(running.baseUrl)];
  const room = await newRoom(senders[0]!);
  for (const sender of senders) assert.equal((await sender.call('POST', `${V3}/join/${room}`, {})).status, 200);

  const since = (await waiting.call('GET', `${V3}/sync`)).body.next_batch as string;
  const polls = Array.from({ length: POLLS }, () => waiting.call('GET', `${V3}/sync?timeout=50000&since=${since}`));
  const acknowledged: string[] = [];
  const sends = senders.map((sender, index) => sendUntilRefused(sender, `${V3}/rooms/${room}/send/m.room.message/`, { name: `s${index}`, acknowledged }));
  while (acknowledged.length < 50) await Promise.race([sleep(10), ...sends]);

  const startedAt = Date.now();
  const code = await program!.stop();
  const tookMs = Date.now() - startedAt;
  assert.equal(code, 0, program!.output());
  assert.ok(tookMs < STOP_MS_MAX, `stopping took ${tookMs} ms`);
  const answers = await Promise.all(polls);
  for (const { status, body } of answers) assert.deepEqual([status, typeof body.next_batch], [200, 'string']);
  await Promise.all(sends);
  assert.doesNotMatch(program!.output(), /left behind|were cut|failed/);

  await program!.restart();
  const stored = await readMessages(senders[0]!, room);
  assert.deepEqual(stored.map(({ body }) => body).sort(), acknowledged.sort(), 'what was acknowledged is there, and nothing else');
  const next = await waiting.call('GET', `${V3}/sync?since=${answers[0]!.body.next_batch}`);
  assert.equal(next.status, 200);
  assert.equal(next.body.rooms?.join, undefined, 'the token of the cut poll goes on where it was');
});

test('a second start on the same data folder says so in one sentence and leaves the first alone', async (t) => {
  const running = await startFor(t);
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MYELIN_')));
  const env = { ...inherited, MYELIN_DATA_DIR: running.folder, MYELIN_LISTEN: `127.0.0.1:${await freePort()}` };
  const { status, stdout, stderr } = spawnSync(process.execPath, [START], { env, encoding: 'utf8', timeout: 30_000 });
  const said = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !line.startsWith('myelin: Building'));
  assert.ok(status !== 0 && status !== null, `it ended with ${status}`);
  assert.equal(said.length, 1, said.join('\n'));
  assert.match(said[0]!, /^myelin: .*(another|in use|already|locked)/);
  assert.equal((await fetch(`${running.baseUrl}/ready`)).status, 200);
});

/** Sends one message after another until nobody listens any more, and notes the bodies of those that were acknowledged. Every other end of a request is a failure. */
async function sendUntilRefused(sender: ApiSession, path: string, how: { name: string; acknowledged: string[] }): Promise<void> {
  for (let number = 0; ; number += 1) {
    const body = `${how.name}/${number}`;
    try {
      const answer = await sender.call('PUT', `${path}${number}`, { msgtype: 'm.text', body });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      how.acknowledged.push(body);
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      assert.equal(code, 'ECONNREFUSED', `a request was cut: ${String(error)} ${code}`);
      return;
    }
  }
}
