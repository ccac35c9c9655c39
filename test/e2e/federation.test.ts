/** Two servers as users start them, which find and check each other over TLS. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { signedTransport } from '../../pkg/federation/sign-requests.ts';
import { createHttpsTransport, type HttpsTransport } from '../../pkg/federation/transport/https-transport.ts';
import { parseSigningKeyFile } from '../../pkg/matrix/signing/signing-key.ts';
import { verifyJson } from '../../pkg/matrix/signing/sign-json.ts';
import { createClock } from '../../pkg/runtime/real/clock.ts';
import { createRandom } from '../../pkg/runtime/real/random.ts';
import { createAuthority } from '../kit/certificates.ts';
import { freePort, startProgram, type Program } from './program.ts';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));
const NAMES = ['a.test', 'b.test'] as const;
type Name = (typeof NAMES)[number];

const authority = createAuthority();
const folder = mkdtempSync(join(tmpdir(), 'myelin-federation-'));
const file = (name: string): string => join(folder, name);
const tlsPorts = {} as Record<Name, number>;
const programs = {} as Record<Name, Program>;
let transport: HttpsTransport;

function certify(name: Name): void {
  const { cert, key } = authority.issue([name]);
  writeFileSync(file(`${name}.pem`), cert);
  writeFileSync(file(`${name}.key`), key);
}

function environmentOf(name: Name): Record<string, string> {
  return {
    MYELIN_SERVER_NAME: name, MYELIN_DATA_DIR: file(name), MYELIN_REGISTRATION: 'open', MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on', MYELIN_RATE_LIMITS: 'off', MYELIN_LOG_FORMAT: 'json',
    MYELIN_TLS_LISTEN: `127.0.0.1:${tlsPorts[name]}`, MYELIN_TLS_CERTIFICATE: file(`${name}.pem`), MYELIN_TLS_KEY: file(`${name}.key`),
    MYELIN_FEDERATION_CA_FILES: file('authority.pem'), MYELIN_FEDERATION_IP_ALLOWED: '127.0.0.1',
    MYELIN_FEDERATION_OVERRIDES: NAMES.map((other) => `${other}=127.0.0.1:${tlsPorts[other]}`).join(','),
  };
}

before(async () => {
  writeFileSync(file('authority.pem'), authority.cert);
  for (const name of NAMES) {
    tlsPorts[name] = await freePort();
    certify(name);
  }
  for (const name of NAMES) programs[name] = await startProgram({ port: await freePort(), env: environmentOf(name) });
  transport = createHttpsTransport({
    clock: createClock(), random: createRandom(), userAgent: 'test', extraCertificates: [authority.cert], addresses: { denied: [], allowed: [] },
    overrides: new Map(NAMES.map((name) => [name, { host: '127.0.0.1', port: tlsPorts[name] }])),
  });
});

after(async () => {
  transport.close();
  await Promise.all(Object.values(programs).map((program) => program.stop()));
  rmSync(folder, { recursive: true, force: true });
});

// eslint-disable-next-line @typescript-eslint/no-explicit-any
async function json(url: string, init?: RequestInit): Promise<any> {
  const response = await fetch(url, init);
  assert.equal(response.status, 200, url);
  return response.json();
}

const keyOf = (name: Name) => parseSigningKeyFile(readFileSync(join(file(name), 'signing.key'), 'utf8'));

test('each gives the keys of the other, fetched over TLS, signed by both', async () => {
  for (const [notary, other] of [NAMES, [...NAMES].reverse() as [Name, Name]]) {
    const { server_keys: documents } = await json(`${programs[notary].baseUrl}/_matrix/key/v2/query/${other}`);
    assert.equal(documents.length, 1);
    for (const name of NAMES) {
      const { keyId, publicKey } = keyOf(name);
      assert.ok(verifyJson(documents[0], name, keyId, publicKey), `${name} has signed it`);
    }
  }
});

test('a request that the other has signed is answered, under its own name only', async () => {
  const clientApi = `${programs['b.test'].baseUrl}/_matrix/client/v3`;
  const { user_id: userId, access_token: token } = await json(`${clientApi}/register`, {
    method: 'POST', body: JSON.stringify({ username: 'bob', password: 'correct horse battery', auth: { type: 'm.login.dummy' } }),
  });
  await json(`${clientApi}/profile/${userId}/displayname`, { method: 'PUT', headers: { authorization: `Bearer ${token}` }, body: '{"displayname":"Bob"}' });
  const ask = (key: Name) => signedTransport(transport, { serverName: 'a.test', signingKey: keyOf(key) })
    .request({ destination: 'b.test', method: 'GET', path: '/_matrix/federation/v1/query/profile', query: { user_id: userId }, deadlineMs: 5000 });
  const { status, body } = await ask('a.test');
  assert.equal(status, 200);
  assert.equal(body['displayname'], 'Bob');
  await assert.rejects(ask('b.test'), { status: 401, errcode: 'M_UNAUTHORIZED' });
});

test('the client API is served over TLS too', async () => {
  const { body } = await transport.request({ destination: 'a.test', method: 'GET', path: '/_matrix/client/versions', deadlineMs: 5000 });
  assert.ok(Array.isArray(body['versions']));
});

test('SIGHUP brings a new certificate, and files that cannot be used change nothing', async () => {
  const fingerprint = () => new Promise<string>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: tlsPorts['a.test'], servername: 'a.test', ca: authority.cert }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.end();
    });
    socket.on('error', reject);
  });
  const told = async (message: string) => {
    for (const endsAt = performance.now() + 10_000; !programs['a.test'].output().includes(message);) {
      assert.ok(performance.now() < endsAt, `it never said: ${message}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const before = await fingerprint();
  writeFileSync(file('a.test.key'), 'no key');
  programs['a.test'].signal('SIGHUP');
  await told('the certificate was not changed');
  assert.equal(await fingerprint(), before);
  certify('a.test');
  programs['a.test'].signal('SIGHUP');
  await told('the certificate was read again');
  assert.notEqual(await fingerprint(), before);
});

test('files that cannot be used keep the server from starting, with one sentence', async () => {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MYELIN_')));
  const start = (env: Record<string, string>) => spawnSync(process.execPath, [START], { env: { ...inherited, MYELIN_LISTEN: '127.0.0.1:0', MYELIN_DATA_DIR: file('none'), ...env }, encoding: 'utf8', timeout: 30_000 });
  const tls = { MYELIN_TLS_LISTEN: '127.0.0.1:0', MYELIN_TLS_CERTIFICATE: file('b.test.pem'), MYELIN_TLS_KEY: file('a.test.key') };
  for (const [env, sentence] of [
    [tls, /^myelin: tls_key names .*a\.test\.key, which cannot be used with .*b\.test\.pem: it is the key of another certificate\n$/],
    [{ ...tls, MYELIN_TLS_KEY: '' }, /^myelin: tls_listen .* needs a certificate and its key, but there is no tls_key; name the file, or leave tls_listen empty\n$/],
    [{ MYELIN_FEDERATION_CA_FILES: file('missing.pem') }, /^myelin: federation_ca_files names .*missing\.pem, which is not there\n$/],
  ] as const) {
    const { status, stderr } = start(env);
    assert.deepEqual([status, stderr.replace(sentence, '')], [2, '']);
  }
});
