import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime } from '../runtime/real/runtime.ts';
import { createLogger } from '../telemetry/pino-logger.ts';
import { startListener, type Listener } from './listener.ts';
import { createRouter } from './router.ts';

const runtime = createRuntime({ logger: createLogger({ level: 'error', format: 'json' }) });
const PART = 'x'.repeat(64 * 1024);

/** A listener whose one route answers with these parts; `made` counts them, `ended` says that no more are asked for. */
async function listenerOf(t: TestContext, count: number, more: { failsAt?: number } = {}) {
  const state = { made: 0, ended: false };
  async function* parts(): AsyncGenerator<string> {
    try {
      for (; state.made < count; state.made += 1) {
        if (state.made === more.failsAt) throw new Error('the database has gone');
        yield PART;
      }
    } finally {
      state.ended = true;
    }
  }
  const router = createRouter([{ role: 'clientapi', idempotent: true, operationId: 'large', method: 'GET', path: '/large', handle: () => Promise.resolve({ status: 200, parts: parts() }) }], { runtime });
  const listener = await startListener({ router, runtime, host: '127.0.0.1', port: 0 });
  t.after(() => listener.stop(100));
  return { listener, state };
}

async function open({ port }: Listener): Promise<IncomingMessage> {
  const [response] = (await once(get({ host: '127.0.0.1', port, path: '/large', agent: false }), 'response')) as [IncomingMessage];
  return response;
}

async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; !holds(); turns += 1) {
    assert.ok(turns < 1000, 'waited 10 s');
    await sleep(10);
  }
}

test('parts arrive whole and in order', async (t) => {
  const { listener } = await listenerOf(t, 20);
  const response = await open(listener);
  let length = 0;
  for await (const chunk of response) length += (chunk as Buffer).length;
  assert.deepEqual([response.statusCode, response.headers['content-type'], response.headers['content-length'], length], [200, 'application/json', undefined, 20 * PART.length]);
});

test('no more is made than the client takes, and what it leaves is not made', async (t) => {
  const { listener, state } = await listenerOf(t, 2000);
  const response = await open(listener);
  response.pause();
  let before = -1;
  await until(() => {
    const isStill = state.made === before && state.made > 0;
    before = state.made;
    return isStill;
  });
  await sleep(100);
  assert.ok(state.made < 500, `${state.made} parts of 64 KiB were made for a client that takes none`);
  response.destroy();
  await until(() => state.ended);
  assert.ok(state.made < 500);
});

test('when a part cannot be made the answer is cut, so that nobody takes it for a whole one', async (t) => {
  const { listener, state } = await listenerOf(t, 20, { failsAt: 3 });
  const response = await open(listener);
  await assert.rejects(async () => {
    for await (const _ of response);
  }, { code: 'ECONNRESET' });
  assert.equal(state.ended, true);
});
