/**
 * matrix-js-sdk with its Rust crypto talks in encrypted rooms, backs keys up and verifies devices. One process, and two of every role behind a front, whose servers are those of
 * MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
// Before the SDK itself, some parts of which take hold of the logger as they are loaded.
import './js-sdk.ts';
import { after, before, suite, test } from 'node:test';
import { clientModes } from './client-modes.ts';
import { backup, conversation, reset, rotation, verification } from './encryption-steps.ts';
import type { Place } from './js-sdk-user.ts';
import type { RunningMode } from './modes.ts';

for (const { mode, settings, stage } of clientModes()) {
  suite(`end-to-end encryption: ${mode.name}`, { skip: mode.missing === undefined ? false : `${mode.missing} is not here`, timeout: 240_000, concurrency: 5 }, () => {
    const clients: Place['clients'] = [];
    let running: RunningMode;
    before(async () => {
      running = await mode.start(settings);
    });
    after(async () => {
      for (const client of clients) client.stopClient();
      await running?.stop();
    });
    for (const [name, step] of Object.entries({ conversation, rotation, backup, verification, reset })) test(name, () => step({ baseUrl: running.baseUrl, stage, clients }));
  });
}
