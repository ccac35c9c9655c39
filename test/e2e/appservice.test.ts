/** A running server with a folder of application services: a bridge writes and reads as its ghost; a wrong file keeps the server from starting. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { call, V3 } from './api-client.ts';
import { freePort, startProgram } from './program.ts';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));
const IRC = `id: irc
url: null
as_token: as-irc
hs_token: hs-irc
sender_localpart: _irc_bot
namespaces: { users: [{ exclusive: true, regex: "@_irc_.*" }] }
`;

test('a bridge registers a ghost, sends and syncs as it; with a broken file nothing starts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-appservice-'));
  const services = join(folder, 'appservices');
  mkdirSync(services);
  writeFileSync(join(services, 'irc.yaml'), IRC);
  const port = await freePort();
  const env = { MYELIN_DATA_DIR: join(folder, 'data'), MYELIN_LISTEN: `127.0.0.1:${port}`, MYELIN_APPSERVICE_DIR: services, MYELIN_REGISTRATION: 'closed', MYELIN_PARTITIONS: '4', MYELIN_LOG_FORMAT: 'json' };
  try {
    const program = await startProgram({ port, env });
    try {
      const asBridge = (method: string, path: string, body?: unknown) => call(program.baseUrl, method, path, { token: 'as-irc', body });
      const made = await asBridge('POST', `${V3}/register`, { type: 'm.login.application_service', username: '_irc_ghost', inhibit_login: true });
      assert.deepEqual([made.status, made.body.user_id], [200, '@_irc_ghost:localhost']);
      const as = `user_id=${encodeURIComponent(made.body.user_id)}`;
      const room = await asBridge('POST', `${V3}/createRoom?${as}`, {});
      assert.equal(room.status, 200, JSON.stringify(room.body));
      const sent = await asBridge('PUT', `${V3}/rooms/${encodeURIComponent(room.body.room_id)}/send/m.room.message/t1?${as}`, { msgtype: 'm.text', body: 'from IRC' });
      assert.equal(sent.status, 200, JSON.stringify(sent.body));
      const sync = await asBridge('GET', `${V3}/sync?${as}`);
      const events = sync.body.rooms.join[room.body.room_id].timeline.events as { event_id: string; sender: string }[];
      assert.deepEqual(events.filter((event) => event.event_id === sent.body.event_id).map((event) => event.sender), [made.body.user_id]);
      assert.equal((await asBridge('GET', `${V3}/sync?user_id=@alice:localhost`)).status, 403);
      assert.ok(!program.output().includes('as-irc'), 'no token in the log');
    } finally {
      await program.stop();
    }
    writeFileSync(join(services, 'other.yaml'), IRC.replace('as_token: as-irc', 'as_token: [1]'));
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MYELIN_')));
    const refused = spawnSync(process.execPath, [START], { env: { ...inherited, ...env }, encoding: 'utf8' });
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /^myelin: other\.yaml: as_token must be a text$/m);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
