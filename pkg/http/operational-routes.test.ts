import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHealth, tasksCheck } from '../runtime/health.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { Departure } from './departure.ts';
import { operationalRoutes } from './operational-routes.ts';
import { createRouter } from './router.ts';

test('/health, /ready and /metrics tell how the process is', async () => {
  const runtime = createManualRuntime();
  const health = createHealth({ clock: runtime.clock });
  health.add(tasksCheck(runtime.tasks));
  const metrics = createMetrics();
  metrics.counter({ name: 'things_total', help: 'Things' }).add();
  const router = createRouter(operationalRoutes({ health: health.report, ready: health.report, metrics: metrics.expose }), { runtime });
  const get = (path: string) => router.dispatch({ method: 'GET', path, queryString: '', headers: {}, remoteAddress: '', departure: new Departure() });

  assert.deepEqual([(await get('/health')).status, (await get('/health')).body], [200, { status: 'ok', checks: { tasks: 'ok' } }]);
  await runtime.tasks.spawn('consumer', () => Promise.reject(new Error('boom'))).done;
  for (const path of ['/health', '/ready']) {
    const response = await get(path);
    assert.equal(response.status, 503);
    assert.deepEqual(response.body, { status: 'unhealthy', checks: { tasks: 'died by an error: consumer' } });
  }
  const exposed = await get('/metrics');
  assert.match(String(exposed.json), /myelin_things_total 1/);
  assert.match(exposed.headers?.['content-type'] ?? '', /^text\/plain/);
});
