/** `myelin purge-history` as an operator runs it: the server is killed in the middle and goes on by itself; then nobody reads what is gone. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { call, newRoom, readMessages, register, V3 } from './api-client.ts';
import { freePort, startProgram } from './program.ts';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));

test('a purge survives kill -9, and afterwards clients read on from where it ended', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-purge-'));
  const port = await freePort();
  const env = { MYELIN_DATA_DIR: join(folder, 'data'), MYELIN_LISTEN: `127.0.0.1:${port}`, MYELIN_REGISTRATION: 'open', MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on', MYELIN_PARTITIONS: '4', MYELIN_LOG_FORMAT: 'json', MYELIN_RATE_LIMITS: 'off' };
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MYELIN_')));
  const purge = (...args: string[]) => spawnSync(process.execPath, [START, 'purge-history', ...args], { env: { ...inherited, ...env }, encoding: 'utf8' });
  let program = await startProgram({ port, env });
  try {
    const alice = await register(program.baseUrl, 'alice');
    const room = await newRoom(alice);
    const sent: string[] = [];
    for (let number = 0; number < 900; number += 50) {
      const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => call(program.baseUrl, 'PUT', `${V3}/rooms/${encodeURIComponent(room)}/send/m.room.message/t${number + index}`, { token: alice.token, body: { msgtype: 'm.text', body: `m${number + index}` } })));
      sent.push(...answers.map(({ body }) => body['event_id'] as string));
    }
    const order = (await readMessages(alice, room)).map(({ eventId }) => eventId);
    const kept = order.at(-20)!;
    assert.deepEqual([purge('--room', room).status, purge('--room', room, '--before', 'soon').status], [2, 2]);
    assert.match(purge('--room', room, '--before', '$none').stderr, /M_NOT_FOUND/);
    const begun = await call(program.baseUrl, 'POST', '/_myelin/purge-history', { body: { room_id: room, before_event: kept } });
    assert.equal(begun.status, 200, JSON.stringify(begun.body));
    await program.kill();
    program = await startProgram({ port, env });
    const shown = purge('--room', room, '--before', kept);
    assert.equal(shown.status, 0, shown.stdout + shown.stderr);
    assert.match(shown.stdout, /880 events purged, \d+ kept for the room's state, 0 left\n$|^nothing to purge\n$/);
    const deadline = performance.now() + 10_000;
    while ((await readMessages(alice, room)).length > 20 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual((await readMessages(alice, room)).map(({ eventId }) => eventId), order.slice(-20));
    assert.equal((await call(program.baseUrl, 'GET', `${V3}/rooms/${encodeURIComponent(room)}/event/${encodeURIComponent(order[5]!)}`, { token: alice.token })).status, 404);
    assert.equal((await call(program.baseUrl, 'GET', `${V3}/rooms/${encodeURIComponent(room)}/event/${encodeURIComponent(kept)}`, { token: alice.token })).status, 200);
    assert.equal(sent.length, 900);
  } finally {
    await program.kill();
    rmSync(folder, { recursive: true, force: true });
  }
});
