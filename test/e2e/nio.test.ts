/**
 * matrix-nio uses a server as bots do (see nio-client.py), with the Python of MYELIN_TEST_NIO_PYTHON. One process, and two of every role behind a front, whose servers are those of
 * MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { available, nioPython } from '../kit/servers/nio.ts';
import { clientModes } from './client-modes.ts';

const PROGRAM = join(import.meta.dirname, 'nio-client.py');
const STEPS = ['sessions', 'rooms', 'doors', 'messages', 'history', 'unread', 'profiles', 'upgrade'];

for (const { mode, settings, stage } of clientModes()) {
  const missing = available() ?? (mode.missing === undefined ? undefined : `${mode.missing} is not here`);
  test(`matrix-nio: ${mode.name}`, { skip: missing ?? false, timeout: 240_000 }, async (t) => {
    const running = await mode.start(settings);
    t.after(() => running.stop());
    const { failed, stdout, stderr } = await new Promise<{ failed: boolean; stdout: string; stderr: string }>((resolve) => {
      execFile(nioPython(), [PROGRAM, running.baseUrl, JSON.stringify(stage)], { timeout: 200_000 }, (error, stdout, stderr) => resolve({ failed: error !== null, stdout, stderr }));
    });
    assert.ok(!failed, `${stdout}${stderr}`);
    assert.deepEqual(stdout.trim().split('\n'), STEPS);
  });
}
