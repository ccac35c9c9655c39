/** Durable timers and the settings that cannot be changed, on every database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFixedSettings, fixedSettingsMigrations } from '../../../components/homeserver/config/fixed-settings.ts';
import { createDurableTimers, timerMigrations } from '../../../pkg/runtime/durable-timers.ts';
import type { DurableTimer } from '../../../pkg/runtime/fire-timers.ts';
import { createRuntime } from '../../../pkg/runtime/real/runtime.ts';
import type { Database, Transaction } from '../../../pkg/storage/database.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { createLogger } from '../../../pkg/telemetry/pino-logger.ts';
import { onEachBackend } from './backends.ts';

const runtime = createRuntime({ logger: createLogger({ level: 'error', format: 'json', write: () => undefined }) });

async function prepared(database: Database): Promise<Database> {
  await migrate(database, 'timers', timerMigrations, 1);
  await migrate(database, 'effects', [{ number: 1, name: 'effects', statements: ['CREATE TABLE effects (name TEXT NOT NULL, bytes BLOB NOT NULL)'] }], 1);
  return database;
}

function timersOn(database: Database, fire?: (timer: DurableTimer) => void) {
  return createDurableTimers({
    database, runtime, batch: 5, partitions: () => [1, 2], fence: () => Promise.resolve(),
    fire: async (tx: Transaction, timer) => {
      await tx.run('INSERT INTO effects (name, bytes) VALUES (?, ?)', [timer.key, timer.payload]);
      fire?.(timer);
    },
  });
}

const timer = (key: string, partition = 1): DurableTimer => ({ partition, kind: 'test', key, dueAt: runtime.clock.now() + 20, payload: new Uint8Array([0, 255]) });

async function effectsOf(database: Database, atLeast: number) {
  const read = () => database.query<{ name: string; bytes: Uint8Array }>('SELECT name, bytes FROM effects ORDER BY name');
  for (let i = 0; i < 200 && (await read()).length < atLeast; i += 1) await runtime.clock.sleep(20);
  return read();
}

onEachBackend('durable timers', (backend) => {
  test('each fires once, also when two owners try at the same time', async () => {
    const database = await prepared(await backend.open());
    const owners = [timersOn(database), timersOn(database)] as const;
    const names = Array.from({ length: 23 }, (_, i) => String(i).padStart(2, '0'));
    await database.transaction(async (tx) => {
      for (const name of names) await owners[0].set(tx, timer(name, 1 + (Number(name) % 2)));
    });
    for (const owner of owners) owner.start();
    const effects = await effectsOf(database, names.length);
    for (const owner of owners) await owner.stop();
    assert.deepEqual(effects.map((effect) => effect.name), names);
    assert.deepEqual([...(effects[0]?.bytes ?? [])], [0, 255]);
    assert.deepEqual(await database.query('SELECT key FROM timers'), []);
  });

  test('one that fails leaves no effect, and the others fire', async () => {
    const database = await prepared(await backend.open());
    const timers = timersOn(database, ({ key }) => assert.notEqual(key, 'b'));
    await database.transaction(async (tx) => {
      for (const name of ['a', 'b', 'c']) await timers.set(tx, timer(name));
    });
    timers.start();
    const effects = await effectsOf(database, 2);
    await timers.stop();
    assert.deepEqual(effects.map((effect) => effect.name), ['a', 'c']);
    const [left] = await database.query<{ key: string; attempts: number; due_at: number }>('SELECT key, attempts, due_at FROM timers');
    assert.deepEqual([left?.key, left?.attempts], ['b', 1]);
    assert.ok((left?.due_at ?? 0) > runtime.clock.now());
  });

  test('a server name that differs from the data is refused', async () => {
    const database = await backend.open();
    await migrate(database, 'homeserver', fixedSettingsMigrations, 1);
    const made = { serverName: 'example.org', partitions: 32, signingKey: 'ed25519:a_1 abc' };
    await checkFixedSettings(database, made);
    await checkFixedSettings(database, made);
    await assert.rejects(checkFixedSettings(database, { ...made, serverName: 'example.com' }), /server_name is example\.com, but this database was made with example\.org/);
  });
});
