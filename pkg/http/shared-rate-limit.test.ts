import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { createLocalSignals } from '../log/local-signals.ts';
import type { LogDriver } from '../log/log.ts';
import { createSharedRateLimiter, RATE_LIMIT_CHANNEL, type SharedRateLimiter } from './shared-rate-limit.ts';

const LIMIT = { perSecond: 10, burst: 100 };

/** Processes that hear each other, or do not. */
async function processes(t: TestContext, count: number, hears = true) {
  const runtime = createManualRuntime();
  const signals = createLocalSignals(runtime);
  const sent: Uint8Array[] = [];
  const driver: Pick<LogDriver, 'signal' | 'listen'> = {
    signal(channel, value) {
      sent.push(value);
      if (hears) signals.send(channel, value);
    },
    listen: async (channel, receive) => signals.listen(channel, receive),
  };
  const limiters: SharedRateLimiter[] = [];
  for (let i = 0; i < count; i += 1) {
    const limiter = createSharedRateLimiter({ runtime: { clock: runtime.clock, instanceId: `i${i}` }, driver, enabled: true, classLimits: { message: LIMIT } });
    await limiter.start();
    limiters.push(limiter);
  }
  t.after(() => Promise.all(limiters.map((limiter) => limiter.stop())));
  return { runtime, signals, sent, limiters };
}

function passes(limiter: SharedRateLimiter, key = '@a:b'): boolean {
  try {
    limiter.take('message', key);
    return true;
  } catch {
    return false;
  }
}

/** How many of a user's requests pass in 20 s, who asks the processes in turn, `perTick` times each 10 ms. */
async function passedOf({ runtime, limiters }: Awaited<ReturnType<typeof processes>>, perTick: number): Promise<number> {
  let passed = 0;
  for (let tick = 0; tick < 2000; tick += 1) {
    for (let i = 0; i < perTick; i += 1) if (passes(limiters[(tick * perTick + i) % limiters.length]!)) passed += 1;
    await runtime.advance(10);
  }
  return passed;
}

const FAIR = LIMIT.burst + 20 * LIMIT.perSecond;

for (const [count, perTick] of [[1, 1], [2, 1], [4, 1], [4, 8], [8, 16]] as const) {
  test(`${count} processes together let as much through as one, at ${perTick * 100} requests a second`, async (t) => {
    const passed = await passedOf(await processes(t, count), perTick);
    assert.ok(passed >= FAIR * 0.95 && passed <= FAIR * 1.1, `${passed} passed, ${FAIR} would be fair`);
  });
}

test('processes that do not hear each other let more through', async (t) => {
  assert.ok(await passedOf(await processes(t, 4, false), 4) > FAIR * 3);
});

test('nothing is said while nobody asks, one signal tells of many requests, and what is refused is not told', async (t) => {
  const { runtime, sent, limiters } = await processes(t, 2);
  await runtime.advance(60_000);
  assert.equal(sent.length, 0);
  for (let user = 0; user < 50; user += 1) passes(limiters[0]!, `@${user}:b`);
  await runtime.advance(99);
  assert.equal(sent.length, 0);
  await runtime.advance(1);
  assert.equal(sent.length, 1);
  await runtime.advance(60_000);
  assert.equal(sent.length, 1);
  for (let i = 0; i < 500; i += 1) passes(limiters[1]!);
  await runtime.advance(1000);
  const told = sent.slice(1).map((value) => (JSON.parse(Buffer.from(value).toString()) as { counts: [string, number][] }).counts[0]![1]);
  assert.equal(told.reduce((sum, one) => sum + one, 0), LIMIT.burst);
});

test('what is no signal of ours changes nothing', async (t) => {
  const { runtime, signals, limiters } = await processes(t, 1);
  for (const text of ['', '{', 'null', '{}', '{"counts":1}', '{"counts":[["message @a:b"],["message @a:b","1"],["message @a:b",-5],["message @a:b",0.5],null,5]}']) {
    signals.send(RATE_LIMIT_CHANNEL, Buffer.from(text));
  }
  await runtime.advance(10);
  assert.equal(limiters[0]!.size(), 0);
});

test('alone, or switched off, a process says nothing', async () => {
  const runtime = createManualRuntime();
  const alone = createSharedRateLimiter({ runtime, driver: undefined, enabled: true });
  await alone.start();
  alone.take('message', '@a:b');
  await alone.stop();
  const driver = { signal: () => assert.fail('said something'), listen: () => assert.fail('listens') };
  const off = createSharedRateLimiter({ runtime, driver, enabled: false });
  await off.start();
  for (let i = 0; i < 1000; i += 1) off.take('message', '@a:b');
  await off.stop();
});
