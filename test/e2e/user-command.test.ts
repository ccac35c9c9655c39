/** `myelin user` as an operator runs it, beside a running server. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { call, V3 } from './api-client.ts';
import { freePort, startProgram } from './program.ts';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));
const PASSWORD = 'correct horse battery';

test('an operator makes accounts and tokens, locks and ends accounts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-user-'));
  const port = await freePort();
  const termsFile = join(folder, 'terms.yaml');
  writeFileSync(termsFile, 'privacy:\n  version: "1"\n  en: { name: Privacy, url: https://e2e.test/privacy }\n');
  const env = { MYELIN_DATA_DIR: join(folder, 'data'), MYELIN_LISTEN: `127.0.0.1:${port}`, MYELIN_SERVER_NAME: 'e2e.test', MYELIN_REGISTRATION: 'token', MYELIN_PARTITIONS: '4', MYELIN_LOG_FORMAT: 'json' };
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MYELIN_')));
  const user = (args: readonly string[], input = '') => spawnSync(process.execPath, [START, 'user', ...args], { env: { ...inherited, ...env }, encoding: 'utf8', input });
  const json = (...args: string[]) => {
    const { status, stdout, stderr } = user([...args, '--json']);
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  assert.match(user(['list']).stderr, /no server answers/, 'the server is not running yet');
  let program = await startProgram({ port, env });
  try {
    const made = user(['create', 'root', '--admin', '--password-stdin'], `${PASSWORD}\n`);
    assert.deepEqual([made.status, made.stdout], [0, 'user_id @root:e2e.test, admin\n'], made.stderr);
    assert.match(user(['create', 'root', '--random-password']).stderr, /M_USER_IN_USE/);
    assert.equal(user(['dance']).status, 2);

    const { token } = json('tokens', 'add', '--uses', '1');
    const register = (username: string) => call(program.baseUrl, 'POST', `${V3}/register`, { body: { username, password: PASSWORD, auth: { type: 'm.login.registration_token', token } } });
    const alice = await register('alice');
    assert.equal(alice.status, 200, JSON.stringify(alice.body));
    assert.equal((await register('bob')).status, 401, 'the token was good for one account');
    assert.match(user(['tokens', 'list']).stdout, /used 1 of 1 +for ever/);

    const whoami = async () => (await call(program.baseUrl, 'GET', `${V3}/account/whoami`, { token: alice.body['access_token'] as string })).body['errcode'];
    assert.equal(json('lock', 'alice')['locked'], true);
    assert.equal(await whoami(), 'M_USER_LOCKED');
    assert.equal(json('unlock', '@alice:e2e.test')['locked'], false);
    assert.equal(await whoami(), undefined);
    assert.deepEqual((json('list', 'al')['users'] as Record<string, unknown>[]).map(({ user_id: id }) => id), ['@alice:e2e.test']);

    const aliceToken = alice.body['access_token'] as string;
    const room = (await call(program.baseUrl, 'POST', `${V3}/createRoom`, { token: aliceToken, body: {} })).body['room_id'] as string;
    await program.kill();
    program = await startProgram({ port, env: { ...env, MYELIN_TERMS_FILE: termsFile } });
    const send = await call(program.baseUrl, 'PUT', `${V3}/rooms/${encodeURIComponent(room)}/send/m.room.message/1`, { token: aliceToken, body: { msgtype: 'm.text', body: 'hello' } });
    assert.deepEqual([send.status, send.body['errcode']], [403, 'M_CONSENT_NOT_GIVEN'], 'the terms came later');
    assert.equal((await fetch(send.body['consent_uri'] as string)).headers.get('content-type'), 'text/html; charset=utf-8');

    assert.equal(json('deactivate', 'alice', '--erase')['erased'], true);
    assert.equal(await whoami(), 'M_UNKNOWN_TOKEN');
    const deadline = performance.now() + 30_000;
    const hasLeft = async () => (await call(program.baseUrl, 'POST', '/_myelin/user', { body: { command: 'show', user: 'alice' } })).body['has_left_rooms'];
    while ((await hasLeft()) !== true && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(await hasLeft(), true);
  } finally {
    await program.kill();
    rmSync(folder, { recursive: true, force: true });
  }
});
