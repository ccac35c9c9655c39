import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { createHealth } from './health.ts';
import { createShutdown } from './shutdown.ts';

test('a health report has a sentence for each check; one that throws or hangs is unhealthy', async () => {
  const runtime = createManualRuntime();
  const health = createHealth({ clock: runtime.clock, timeLimitMs: 2000 });
  health.add({ name: 'fine', check: () => Promise.resolve(undefined) });
  assert.deepEqual(await health.report(), { status: 'ok', checks: { fine: 'ok' } });
  health.add({ name: 'database', check: () => Promise.resolve('the database is gone') });
  health.add({ name: 'hangs', check: () => new Promise(() => undefined) });
  health.add({ name: 'throws', check: () => { throw new Error('oops'); } });
  const report = health.report();
  await runtime.advance(2000);
  assert.deepEqual(await report, { status: 'unhealthy', checks: {
    fine: 'ok', database: 'the database is gone', hangs: 'did not answer within 2000 ms', throws: 'the check failed: oops' } });
});

test('shutdown stops intake, drains, closes; the last added of a phase first; once', async () => {
  const runtime = createManualRuntime();
  const shutdown = createShutdown({ runtime, deadlineMs: 1000 });
  const ran: string[] = [];
  const add = (name: string, phase: 'intake' | 'drain' | 'close') => shutdown.add({ name, phase, run: async () => void ran.push(name) });
  add('database', 'close');
  add('driver', 'close');
  add('roomserver', 'drain');
  add('syncapi', 'drain');
  add('listener', 'intake');
  assert.equal(shutdown.stopping(), false);
  const [first, second] = [shutdown.run(), shutdown.run()];
  assert.equal(shutdown.stopping(), true);
  assert.deepEqual([await first, await second], [[], []]);
  assert.deepEqual(ran, ['listener', 'syncapi', 'roomserver', 'driver', 'database']);
});

test('a step that hangs or fails does not keep the files from being closed', async () => {
  const runtime = createManualRuntime();
  const shutdown = createShutdown({ runtime, deadlineMs: 1000 });
  let closed = false;
  shutdown.add({ name: 'files', phase: 'close', run: async () => { closed = true; } });
  shutdown.add({ name: 'never reached', phase: 'drain', run: () => assert.fail('no time was left') });
  shutdown.add({ name: 'hangs', phase: 'drain', run: () => new Promise(() => undefined) });
  shutdown.add({ name: 'fails', phase: 'intake', run: () => Promise.reject(new Error('no')) });
  const result = shutdown.run();
  await runtime.advance(1000);
  assert.deepEqual(await result, ['fails', 'hangs', 'never reached']);
  assert.equal(closed, true);
});
