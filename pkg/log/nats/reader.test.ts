import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { available, startNats } from '../../../test/kit/servers/nats.ts';
import { createRuntime } from '../../runtime/real/runtime.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { createNatsDriver } from './driver.ts';

const quiet = (): void => undefined;
const SILENT: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => SILENT };
const SMALL = 1000;
const WAIT_MS_MAX = 10_000;

test('a large record after many small ones is read', { skip: available() ?? false }, async () => {
  const server = await startNats();
  const driver = await createNatsDriver({ servers: server.url, partitions: 1, runtime: createRuntime({ logger: SILENT }) });
  try {
    let read = 0;
    await driver.subscribe('room-input', 0, 1, async (packs) => void (read += packs.flatMap(({ records }) => records).length));
    for (let number = 0; number < SMALL; number += 1) await driver.append('room-input', 0, [new Uint8Array(10)]);
    await driver.append('room-input', 0, [new Uint8Array(500_000)]);
    for (const endsAt = Date.now() + WAIT_MS_MAX; read < SMALL + 1 && Date.now() < endsAt;) await sleep(20);
    assert.equal(read, SMALL + 1);
  } finally {
    await driver.close();
    await server.stop();
  }
});
