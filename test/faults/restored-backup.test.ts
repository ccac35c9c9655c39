/**
 * A backup is put back: one-time keys that were claimed after it was made are given to nobody again, clients hear that they have to upload new ones, and their tokens go on telling them of all that is new.
 * MYELIN_KEYS=full: on PostgreSQL too, with a broker that is empty after the restore (the servers are those of MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts).
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newRoom, register, V3, type ApiSession } from '../e2e/api-client.ts';
import { makePlace } from '../e2e/modes.ts';
import { freePort, startProgram, type Program } from '../e2e/program.ts';
import { testDevice } from '../kit/e2ee-keys.ts';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));
const { MYELIN_TEST_POSTGRES_URL: postgres, MYELIN_TEST_NATS_URL: nats } = process.env;
const IS_FULL = process.env['MYELIN_KEYS'] === 'full';

interface Backup {
  putBack(): Promise<void>;
}

interface Case {
  readonly title: string;
  readonly onPostgres: boolean;
  readonly make: (env: Readonly<Record<string, string>>, t: TestContext) => Promise<Backup>;
  /** The operator says so; else the server finds out. */
  readonly isSaid: boolean;
}

const CASES: readonly Case[] = [
  { title: 'the userapi\'s file alone is put back, and nobody says so', onPostgres: false, isSaid: false, make: async (env, t) => files(env, t, /^userapi\.db/) },
  { title: 'all files are put back', onPostgres: false, isSaid: true, make: async (env, t) => files(env, t, /\.db/) },
  ...(IS_FULL && postgres !== undefined && nats !== undefined ? [{ title: 'a PostgreSQL database is put back', onPostgres: true, isSaid: true, make: database }] : []),
];

/** Of a server that is stopped. */
function files({ MYELIN_DATA_DIR: folder }: Readonly<Record<string, string>>, t: TestContext, wanted: RegExp): Backup {
  const copy = mkdtempSync(join(tmpdir(), 'myelin-backup-'));
  t.after(() => { rmSync(copy, { recursive: true, force: true }); });
  cpSync(folder!, copy, { recursive: true });
  const names = (at: string): string[] => execFileSync('ls', [at], { encoding: 'utf8' }).split('\n').filter((name) => wanted.test(name));
  return {
    async putBack() {
      for (const name of names(folder!)) rmSync(join(folder!, name));
      for (const name of names(copy)) copyFileSync(join(copy, name), join(folder!, name));
    },
  };
}

async function database({ MYELIN_DATABASE: url }: Readonly<Record<string, string>>, t: TestContext): Promise<Backup> {
  const { Client } = (await import('pg')).default;
  const name = new URL(url!).pathname.slice(1);
  const admin = async (...statements: string[]): Promise<void> => {
    const client = new Client({ connectionString: postgres });
    await client.connect();
    for (const sql of statements) await client.query(sql);
    await client.end();
  };
  await admin(`CREATE DATABASE ${name}_backup TEMPLATE ${name}`);
  t.after(() => admin(`DROP DATABASE IF EXISTS ${name}_backup WITH (FORCE)`));
  return { putBack: () => admin(`DROP DATABASE ${name} WITH (FORCE)`, `CREATE DATABASE ${name} TEMPLATE ${name}_backup`) };
}

for (const one of CASES) {
  test(`${one.title}: no key is claimed a second time, and tokens stay good`, { timeout: 120_000 }, (t) => check(t, one));
}

async function check(t: TestContext, { onPostgres, make, isSaid }: Case): Promise<void> {
  const place = await makePlace(onPostgres ? postgres : undefined);
  t.after(() => place.remove());
  let env: Record<string, string> = { ...place.env, MYELIN_LOG: onPostgres ? nats! : 'embedded' };
  const port = await freePort();
  let program = await startProgram({ port, env });
  t.after(() => program.stop());
  const world = await populate(program);
  await program.stop();
  const backup = await make(env, t);
  await program.restart();
  const given = await claim(world, 5);
  assert.equal(given.length, 5);
  const { next_batch: since } = (await world.alice.call('GET', `${V3}/sync?timeout=0`)).body as { next_batch: string };
  assert.equal((await say(world.bob, world.room, 'lost')).status, 200);
  await program.stop();
  await backup.putBack();
  if (isSaid) sayRestored(env);
  if (onPostgres) {
    env = { ...env, MYELIN_LOG_PREFIX: `${env['MYELIN_LOG_PREFIX']!}_2` };
    program = await startProgram({ port, env });
  } else {
    await program.restart();
  }
  await checkRestored(world, given, since);
}

function sayRestored(env: Readonly<Record<string, string>>): void {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MYELIN_')));
  assert.match(execFileSync(process.execPath, [START, 'restored'], { env: { ...inherited, ...env }, encoding: 'utf8' }), /^done: 1 devices /);
}

interface World {
  readonly alice: ApiSession;
  readonly bob: ApiSession;
  readonly deviceId: string;
  readonly room: string;
}

/** Ten keys and a fallback key of alice's, and a room with her and bob. */
async function populate({ baseUrl }: Program): Promise<World> {
  const [alice, bob] = [await register(baseUrl), await register(baseUrl)];
  const deviceId = (await alice.call('GET', `${V3}/account/whoami`)).body.device_id as string;
  const device = testDevice(alice.userId, deviceId);
  const { status } = await alice.call('POST', `${V3}/keys/upload`, { device_keys: device.deviceKeys, one_time_keys: device.oneTimeKeys(1, 10), fallback_keys: device.fallbackKey(100) });
  assert.equal(status, 200);
  const room = await newRoom(alice);
  assert.equal((await bob.call('POST', `${V3}/join/${room}`, {})).status, 200);
  return { alice, bob, deviceId, room };
}

/** Names of the keys that were given. */
async function claim({ alice, bob, deviceId }: World, times: number): Promise<string[]> {
  const given: string[] = [];
  for (let time = 0; time < times; time += 1) {
    const { status, body } = await bob.call('POST', `${V3}/keys/claim`, { one_time_keys: { [alice.userId]: { [deviceId]: 'signed_curve25519' } } });
    assert.equal(status, 200);
    given.push(...Object.keys((body as { one_time_keys: Record<string, Record<string, object>> }).one_time_keys[alice.userId]?.[deviceId] ?? {}));
  }
  return given;
}

let texts = 0;

function say(of: ApiSession, room: string, body: string) {
  return of.call('PUT', `${V3}/rooms/${room}/send/m.room.message/t${texts += 1}`, { msgtype: 'm.text', body });
}

async function checkRestored(world: World, given: readonly string[], since: string): Promise<void> {
  const { alice, bob, room } = world;
  const fallback = 'signed_curve25519:K00100';
  assert.deepEqual(await claim(world, 2), [fallback, fallback], 'what may have been claimed is given to nobody');
  assert.equal((await say(bob, room, 'new')).status, 200);
  const { body } = await alice.call('GET', `${V3}/sync?timeout=5000&since=${since}`);
  assert.deepEqual([body.device_one_time_keys_count, body.device_unused_fallback_key_types], [{ signed_curve25519: 0 }, []], 'the client hears that it has to upload keys');
  const messages = (body.rooms?.join?.[decodeURIComponent(room)]?.timeline.events ?? []) as { content: { body?: string } }[];
  assert.ok(messages.some(({ content }) => content.body === 'new'), 'a token of before tells of what is new');
  const device = testDevice(alice.userId, world.deviceId);
  // Among them are some that were there before, which the client may think were never uploaded.
  const again = await alice.call('POST', `${V3}/keys/upload`, { one_time_keys: device.oneTimeKeys(1, 15) });
  assert.deepEqual([again.status, again.body], [200, { one_time_key_counts: { signed_curve25519: 5 } }]);
  const fresh = await claim(world, 6);
  assert.deepEqual(fresh, [...Object.keys(device.oneTimeKeys(11, 5)), fallback]);
  assert.ok(!fresh.some((keyId) => given.includes(keyId)));
}
