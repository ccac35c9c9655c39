import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createAuthority } from '../../test/kit/certificates.ts';
import { readAuthorities, readTlsFiles } from './certificates.ts';
import { SettingsError } from './config/settings-error.ts';

const folder = mkdtempSync(join(tmpdir(), 'myelin-certificates-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const authority = createAuthority();
const [one, other] = [authority.issue(['a.test']), authority.issue(['b.test'])];

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const good = { host: '', port: 0, certificateFile: file('one.pem', one.cert), keyFile: file('one.key', one.key) };
const garbage = file('garbage', 'no PEM');

async function sentence(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (reason: unknown) => reason);
  assert.ok(error instanceof SettingsError, String(error));
  assert.equal(error.problems.length, 1);
  return error.problems[0]!;
}

test('a certificate and its key are read', async () => {
  assert.deepEqual(await readTlsFiles(good), { certificate: one.cert, key: one.key });
  assert.deepEqual(await readAuthorities([file('ca.pem', authority.cert)]), [authority.cert]);
});

test('a file that is not there, is no certificate or no key, or the wrong key, is named in one sentence', async () => {
  assert.match(await sentence(readTlsFiles({ ...good, certificateFile: join(folder, 'none') })), /^tls_certificate names .*none, which is not there$/);
  assert.match(await sentence(readTlsFiles({ ...good, keyFile: folder })), /^tls_key names .*, which cannot be read: EISDIR$/);
  assert.match(await sentence(readTlsFiles({ ...good, certificateFile: garbage })), /^tls_certificate names .*garbage, which is no certificate in PEM form$/);
  assert.match(await sentence(readTlsFiles({ ...good, keyFile: garbage })), /^tls_key names .*garbage, .*no private key in PEM form/);
  assert.match(await sentence(readTlsFiles({ ...good, keyFile: file('other.key', other.key) })), /the key of another certificate$/);
  assert.match(await sentence(readAuthorities([garbage])), /^federation_ca_files names .*garbage, which is no certificate in PEM form$/);
});
