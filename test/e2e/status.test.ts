/** `myelin status` as an operator runs it: beside a running server on SQLite, after its death, and wrongly. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Status } from '../../components/homeserver/status/status.ts';
import * as nats from '../kit/servers/nats.ts';
import * as postgres from '../kit/servers/postgres.ts';
import { sharedNats, sharedPostgres, uniqueName } from '../kit/servers/shared.ts';
import { register } from './api-client.ts';
import { freePort, startProgram, type Program } from './program.ts';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));

function run(env: Record<string, string>, ...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MYELIN_')));
  const { status: code, stdout, stderr } = spawnSync(process.execPath, [START, 'status', ...args], { env: { ...inherited, ...env }, encoding: 'utf8' });
  return { code, stdout, stderr };
}

const CONSUMERS = ['roomserver', 'userapi', 'syncapi.room-output', 'syncapi.user-output', 'federationapi.room-output', 'federationapi.user-output', 'federationapi-sender'];

test('the status of a server on SQLite: while it runs, after kill -9, and before it ever ran', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-status-'));
  const port = await freePort();
  const env = { MYELIN_DATA_DIR: join(folder, 'data'), MYELIN_LISTEN: `127.0.0.1:${port}`, MYELIN_REGISTRATION: 'open', MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on', MYELIN_PARTITIONS: '4', MYELIN_LOG_FORMAT: 'json' };
  try {
    const before = run(env);
    assert.deepEqual([before.code, before.stdout], [1, '']);
    assert.match(before.stderr, /no server has been started/);
    assert.equal(existsSync(env.MYELIN_DATA_DIR), false, 'looking makes nothing');

    const program = await startProgram({ port, env });
    try {
      await register(program.baseUrl, 'alice');
      const running = run(env, '--json');
      assert.equal(running.code, 0, running.stdout + running.stderr);
      const status = JSON.parse(running.stdout) as Status;
      assert.deepEqual([status.source, status.healthy, status.serverName], ['server', true, 'localhost']);
      assert.deepEqual(status.consumers.map(({ name, partitions, unowned, deadLetters, parked }) => [name, partitions, unowned, deadLetters, parked]),
        CONSUMERS.map((name) => [name, 4, 0, 0, 0]));
      assert.equal(status.consumers[1]?.outbox, 1, 'the device of the registration');
      const lags = status.consumers.slice(2).map(({ lag }) => lag);
      assert.deepEqual([...lags.slice(0, 3), lags[4]], [0, 0, 0, null]);
      assert.ok(lags[3] === 0 || lags[3] === 1, 'that the device concerns no other server is saved a little later');
      assert.equal(new Set(status.consumers.flatMap(({ owners }) => owners.map((owner) => owner.instance))).size, 1);
      const table = run(env);
      assert.equal(table.code, 0);
      assert.match(table.stdout, /^syncapi\.user-output +4 +0 +0 +0 +0 +-$/m);
      process.kill(program.pid, 'SIGKILL');
    } finally {
      await program.stop();
    }

    const after = run(env, '--json');
    assert.equal(after.code, 1);
    const dead = JSON.parse(after.stdout) as Status;
    assert.deepEqual([dead.source, dead.healthy, dead.consumers[0]?.unowned, dead.consumers[0]?.owners[0]?.alive], ['database', false, 4, false]);
    assert.equal(run(env, '--jsn').code, 2);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('two instances on PostgreSQL and NATS share the partitions; when both are dead the tables say so', { skip: postgres.available() ?? nats.available() ?? false }, async () => {
  const [database, broker] = [await sharedPostgres(), await sharedNats()];
  const folder = mkdtempSync(join(tmpdir(), 'myelin-status-'));
  const env = {
    MYELIN_DATA_DIR: join(folder, 'data'), MYELIN_DATABASE: database.address, MYELIN_LOG: broker.address, MYELIN_LOG_PREFIX: uniqueName(),
    MYELIN_REGISTRATION: 'open', MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on', MYELIN_PARTITIONS: '4', MYELIN_LOG_FORMAT: 'json',
  };
  const programs: Program[] = [];
  try {
    const ports = [await freePort(), await freePort()];
    const asked = { ...env, MYELIN_LISTEN: `127.0.0.1:${ports[0]}` };
    for (const kind of ['first', 'second']) {
      const before = run(asked);
      assert.deepEqual([before.code, before.stdout], [1, ''], `the ${kind} look makes no tables either`);
      assert.match(before.stderr, /no server has been started/);
    }
    for (const port of ports) programs.push(await startProgram({ port, env }));
    await register(programs[0]!.baseUrl);
    const shared = await until(() => statusOf(asked), (status) => status.consumers.every(({ owners, unowned, lag }) => owners.length === 2 && unowned === 0 && (lag ?? 0) === 0));
    assert.deepEqual([shared.source, shared.healthy, shared.instances.length], ['server', true, 2 * CONSUMERS.length]);
    assert.deepEqual(shared.consumers.map(({ owners }) => owners.map((owner) => owner.partitions)), CONSUMERS.map(() => [2, 2]));
    for (const program of programs) process.kill(program.pid, 'SIGKILL');
    const dead = await until(() => statusOf(asked), (status) => status.instances.every(({ alive }) => !alive));
    assert.deepEqual([dead.source, dead.healthy, dead.consumers.map(({ unowned }) => unowned), run(asked).code], ['database', false, CONSUMERS.map(() => 4), 1]);
    assert.match(run(asked).stdout, /expired \d+\.\d s ago/);
  } finally {
    for (const program of programs) await program.stop();
    await Promise.all([database.release(), broker.release()]);
    rmSync(folder, { recursive: true, force: true });
  }
});

function statusOf(env: Record<string, string>): Status {
  const { stdout, stderr } = run(env, '--json');
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as Status;
}

async function until<T>(look: () => T, isThere: (seen: T) => boolean): Promise<T> {
  for (const endsAt = Date.now() + 20_000; ; await sleep(500)) {
    const seen = look();
    if (isThere(seen)) return seen;
    assert.ok(Date.now() < endsAt, JSON.stringify(seen));
  }
}
