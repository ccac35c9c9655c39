import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMetrics } from '../../telemetry/metrics.ts';
import { watchLoopDelay } from './loop-delay.ts';

test('an event loop that stood still is seen, and one at rest is not looked at', async () => {
  const metrics = createMetrics({ processMetrics: true });
  watchLoopDelay(metrics);
  const delayMax = async (): Promise<number> => Number(/^myelin_event_loop_delay_max_seconds (\S+)$/m.exec((await metrics.expose()).text)![1]);
  const work = (ms: number): void => {
    for (const endsAt = performance.now() + ms; performance.now() < endsAt;);
  };
  await sleep(150);
  assert.equal(await delayMax(), 0);
  for (let turns = 0; turns < 200 && (await delayMax()) < 0.05; turns += 1) {
    work(150);
    await sleep(5);
  }
  assert.ok((await delayMax()) >= 0.05);
  assert.doesNotMatch((await metrics.expose()).text, /nodejs_eventloop_lag_(?!seconds)/);
});
