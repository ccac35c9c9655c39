import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom } from '../../../pkg/runtime/real/random.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { parseSigningKeyFile } from '../../../pkg/matrix/signing/signing-key.ts';
import { openSettings } from './first-start.ts';
import { newSigningKeyText } from './new-signing-key.ts';
import { checkFixedSettings, fixedSettingsMigrations } from './fixed-settings.ts';
import { settingsHelp, settingsReference } from './reference.ts';
import { SETTING_KEYS, envNameOf } from './setting-table.ts';
import { SettingsError } from './settings-error.ts';

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'myelin-config-'));
  folders.push(folder);
  return join(folder, 'deep', 'data');
}

const random = createRandom();
function open(dataDir: string, more: { env?: Record<string, string>; args?: string[] } = {}) {
  return openSettings({
    env: { MYELIN_DATA_DIR: dataDir, ...more.env }, args: more.args ?? [], random, newSigningKey: () => newSigningKeyText(random),
  });
}

test('the first start makes config and key, private; the second finds them', async () => {
  const dataDir = await newFolder();
  const first = await open(dataDir, { env: { MYELIN_SERVER_NAME: 'example.org' } });
  assert.deepEqual(first.created, { config: true, signingKey: true });
  assert.equal(first.settings.registration, 'token');
  assert.match(parseSigningKeyFile(first.signingKeyText).keyId, /^ed25519:a_[A-Za-z0-9]{4}$/);
  assert.match(first.settings.registrationToken, /^[A-Za-z0-9]{24}$/);
  assert.deepEqual((await readdir(dataDir)).sort(), ['myelin.yaml', 'signing.key']);
  for (const path of [first.configPath, first.signingKeyPath]) assert.equal((await stat(path)).mode & 0o777, 0o600);

  const second = await open(dataDir);
  assert.deepEqual(second.created, { config: false, signingKey: false });
  assert.deepEqual([second.signingKeyText, second.settings.registrationToken, second.settings.serverName],
    [first.signingKeyText, first.settings.registrationToken, 'example.org'], 'the name given at the first start stays');
});

test('the file shows every setting, and all its lines are settings when uncommented', async () => {
  const dataDir = await newFolder();
  const { configPath } = await open(dataDir);
  const text = await readFile(configPath, 'utf8');
  for (const key of SETTING_KEYS) assert.match(text, new RegExp(`^(# )?${key}: `, 'm'));
  const all = text.replaceAll(/^# ([a-z_]+): /gm, '$1: ');
  await writeFile(configPath, all);
  const { settings } = await open(dataDir);
  assert.equal(settings.listen.port, 8008);
});

test('a registration that the operator has decided is not overruled by the file', async () => {
  const dataDir = await newFolder();
  const { settings, configPath } = await open(dataDir, { env: { MYELIN_REGISTRATION: 'closed' } });
  assert.equal(settings.registration, 'closed');
  assert.match(await readFile(configPath, 'utf8'), /^# registration: closed$/m);
  assert.equal((await open(dataDir)).settings.registration, 'closed');
});

test('two processes that start at once end up with one key and one config', async () => {
  const dataDir = await newFolder();
  const opened = await Promise.all(Array.from({ length: 8 }, () => open(dataDir)));
  assert.equal(new Set(opened.map((one) => one.signingKeyText)).size, 1);
  assert.equal(new Set(opened.map((one) => one.settings.registrationToken)).size, 1);
  assert.equal(opened.filter((one) => one.created.signingKey).length, 1);
  assert.equal((await readdir(dataDir)).length, 2, 'no drafts are left');
});

test('a wrong setting keeps the first start from making anything', async () => {
  const dataDir = await newFolder();
  await assert.rejects(open(dataDir, { env: { MYELIN_LISTEN: 'x' } }), SettingsError);
  await assert.rejects(readdir(dataDir), { code: 'ENOENT' });
});

test('a config file that is named is never made', async () => {
  const dataDir = await newFolder();
  await assert.rejects(open(dataDir, { args: ['--config', `${dataDir}/other.yaml`] }), /there is no config file/);
});

test('a lost signing key is not replaced when there is data', async () => {
  const dataDir = await newFolder();
  const { signingKeyPath } = await open(dataDir);
  await unlink(signingKeyPath);
  await writeFile(join(dataDir, 'roomserver.db'), '');
  await assert.rejects(open(dataDir), (error) => error instanceof SettingsError && /signing\.key is gone.*roomserver\.db.*backup/.test(error.message));
  await assert.rejects(readFile(signingKeyPath), { code: 'ENOENT' });
});

test('a folder that cannot be made is said in one sentence', async () => {
  const dataDir = await newFolder();
  await open(dataDir);
  await assert.rejects(open(join(dataDir, 'signing.key', 'below')), /cannot make the folder .*: a part of the path is not a folder/);
  await chmod(join(dataDir, 'signing.key'), 0o400);
  await open(dataDir);
});

test('what cannot be changed is compared with what the database was made with', async () => {
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'homeserver', fixedSettingsMigrations, 1);
  const made = { serverName: 'example.org', partitions: 32, signingKey: 'ed25519:a_1 abc' };
  await checkFixedSettings(database, made);
  await checkFixedSettings(database, made);
  await assert.rejects(checkFixedSettings(database, { ...made, serverName: 'example.com', partitions: 16 }), (error) => {
    assert.ok(error instanceof SettingsError);
    assert.deepEqual(error.problems, [
      'partitions is 16, but this database was made with 32, and it cannot be changed afterwards',
      'server_name is example.com, but this database was made with example.org, and it cannot be changed afterwards',
    ]);
    return true;
  });
  await assert.rejects(checkFixedSettings(database, { ...made, signingKey: 'ed25519:a_2 xyz' }), /bring the old signing\.key back/);
  const rotated = { ...made, signingKey: 'ed25519:a_2 xyz', oldSigningKeys: ['ed25519:a_1 abc'] };
  await checkFixedSettings(database, rotated);
  await checkFixedSettings(database, rotated);
  await assert.rejects(checkFixedSettings(database, made), /bring the old signing\.key back/, 'there is no way back');
  await database.close();
});

test('the reference page and the help name every setting', () => {
  const [page, help] = [settingsReference(), settingsHelp()];
  for (const key of SETTING_KEYS) {
    assert.match(page, new RegExp(`^## ${key}$`, 'm'));
    assert.ok(page.includes(`\`${envNameOf(key)}\``));
    assert.ok(help.includes(`--${key.replaceAll('_', '-')} `));
  }
});

test('docs/settings.md is what the table says now (npm run docs)', async () => {
  const page = await readFile(new URL('../../../docs/settings.md', import.meta.url), 'utf8');
  assert.equal(page, settingsReference());
});
