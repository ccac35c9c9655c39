/** A new signing key, and what becomes of the one before. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSigningKeyFile } from '../../pkg/matrix/signing/signing-key.ts';
import { createRandom } from '../../pkg/runtime/real/random.ts';
import { openSettings } from './config/first-start.ts';
import { newSigningKeyText } from './config/new-signing-key.ts';
import { parseOldSigningKeys } from './config/old-signing-keys.ts';
import { SettingsError } from './config/settings-error.ts';
import { rotateSigningKey } from './rotate-key-command.ts';

const NOW = 1_700_000_000_000;

test('the new key signs, and the one before is written down with the time until which it may', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'myelin-rotate-'));
  t.after(() => { rmSync(dataDir, { recursive: true, force: true }); });
  const random = createRandom();
  const open = () => openSettings({ env: { MYELIN_DATA_DIR: dataDir, MYELIN_SERVER_NAME: 'example.org' }, args: [], random, newSigningKey: () => newSigningKeyText(random) });
  const rotate = (...args: string[]) => rotateSigningKey([...args, '--data-dir', dataDir], NOW);
  await assert.rejects(rotate(), /the first start makes it/);
  const first = parseSigningKeyFile((await open()).signingKeyText);
  assert.equal(await rotate('--minutes', '5'), 0);
  const opened = await open();
  const second = parseSigningKeyFile(opened.signingKeyText);
  assert.notEqual(second.keyId, first.keyId);
  assert.deepEqual(opened.oldSigningKeys, [{ keyId: first.keyId, publicKey: first.publicKey, expiredAtMs: NOW + 300_000 }].map((key) => ({ ...key, publicKey: opened.oldSigningKeys[0]!.publicKey })));
  assert.deepEqual(Buffer.from(opened.oldSigningKeys[0]!.publicKey), Buffer.from(first.publicKey));
  assert.equal(parseSigningKeyFile(readFileSync(join(dataDir, `signing.key.${first.keyId.slice(8)}`), 'utf8')).keyId, first.keyId, 'the key before is not lost');
  await rotate();
  assert.deepEqual((await open()).oldSigningKeys.map(({ keyId }) => keyId), [first.keyId, second.keyId]);
  assert.ok(!readdirSync(dataDir).includes('signing.key.new'));
  await assert.rejects(rotate('--minutes', 'soon'), SettingsError);
});

test('a line that cannot be read is named', () => {
  const line = `ed25519 a_1 ${Buffer.alloc(32, 7).toString('base64')} 5`;
  assert.deepEqual(parseOldSigningKeys(`# before\n\n${line}\n`, 'x').map(({ keyId, expiredAtMs }) => [keyId, expiredAtMs]), [['ed25519:a_1', 5]]);
  for (const bad of ['ed25519 a_1 abc 5', `${line} 6`, line.replace('ed25519', 'rsa'), line.replace(' 5', ' soon')]) assert.throws(() => parseOldSigningKeys(`${line}\n${bad}`, 'x'), /line 2 of x must be/);
  assert.deepEqual(parseOldSigningKeys(undefined, 'x'), []);
});
