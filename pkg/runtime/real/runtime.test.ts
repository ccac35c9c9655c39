import { test } from 'node:test';
import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { createLogger } from '../../telemetry/pino-logger.ts';
import { createRuntime } from './runtime.ts';

const lines: string[] = [];
const runtime = createRuntime({ logger: createLogger({ level: 'debug', format: 'json', write: (line) => void lines.push(line) }) });
const { clock, random, tasks, offload } = runtime;

test('a sleep lasts, and ends early when its signal is aborted', async () => {
  const startedAt = clock.monotonic();
  await clock.sleep(30);
  assert.ok(clock.monotonic() - startedAt >= 25);
  const controller = new AbortController();
  clock.timer(10, () => controller.abort());
  await clock.sleep(60_000, controller.signal);
  await clock.sleep(60_000, controller.signal);
  assert.ok(clock.monotonic() - startedAt < 5000);
});

test('a timer longer than Node can count does not fire at once; a cancelled one never', async () => {
  let fired = 0;
  const timers = [clock.timer(2 ** 40, () => (fired += 1)), clock.timer(1, () => (fired += 1))];
  timers[1]?.cancel();
  await clock.sleep(30);
  assert.equal(fired, 0);
  timers[0]?.cancel();
});

test('yield lets other work run first', async () => {
  const order: string[] = [];
  void Promise.resolve().then(() => order.push('microtask'));
  await clock.yield();
  order.push('after');
  assert.deepEqual(order, ['microtask', 'after']);
});

test('random bytes and tokens have their length and do not repeat', () => {
  assert.deepEqual([0, 1, 32, 4096, 10_000].map((length) => random.bytes(length).length), [0, 1, 32, 4096, 10_000]);
  const kept = random.bytes(16);
  const copy = kept.slice();
  for (let i = 0; i < 1000; i += 1) random.bytes(16);
  assert.deepEqual(kept, copy, 'what was handed out stays as it is');
  const tokens = new Set(Array.from({ length: 5000 }, () => random.token(20)));
  assert.equal(tokens.size, 5000);
  for (const token of tokens) assert.match(token, /^[A-Za-z0-9]{20}$/);
  const letters = new Set([...tokens].join(''));
  assert.equal(letters.size, 62);
  const floats = Array.from({ length: 10_000 }, () => random.float());
  assert.ok(floats.every((value) => value >= 0 && value < 1));
  const mean = floats.reduce((sum, value) => sum + value, 0) / floats.length;
  assert.ok(Math.abs(mean - 0.5) < 0.03, `mean ${mean}`);
});

test('a task ends when stopped; one that throws is dead and logged', async () => {
  const task = tasks.spawn('waits', (signal) => clock.sleep(60_000, signal));
  await task.stop();
  assert.deepEqual(tasks.dead(), []);
  await tasks.spawn('breaks', () => Promise.reject(new Error('boom'))).done;
  await tasks.spawn('breaks at once', () => { throw new Error('boom'); }).done;
  assert.deepEqual(tasks.dead(), ['breaks', 'breaks at once']);
  assert.match(lines.join(''), /"task":"breaks".*boom.*"msg":"task died"/);
});

test('a task that throws because it was stopped is not dead', async () => {
  const before = tasks.dead().length;
  await tasks.spawn('aborted', async (signal) => {
    await clock.sleep(60_000, signal);
    throw new Error('cut off');
  }).stop();
  assert.equal(tasks.dead().length, before);
});

test('scrypt off the event loop gives what scrypt gives, also at a high cost', async () => {
  const salt = new Uint8Array([1, 2, 3]);
  const key = await offload.scrypt('pässword', salt, { n: 32768, r: 8, p: 1, keyLength: 32 });
  assert.deepEqual(Buffer.from(key), scryptSync('pässword', salt, 32, { N: 32768, r: 8, p: 1, maxmem: 2 ** 26 }));
  await assert.rejects(offload.scrypt('x', salt, { n: 3, r: 8, p: 1, keyLength: 32 }));
});

test('each runtime has an instance ID of its own', () => {
  assert.match(runtime.instanceId, /^myelin-[A-Za-z0-9]{12}$/);
  assert.notEqual(createRuntime({ logger: runtime.logger }).instanceId, runtime.instanceId);
});
