import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { createClientWorld } from '../../../test/kit/client-world.ts';

const PATH = '/_matrix/client/v3/room_keys';
const BACKUP = { algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2', auth_data: { public_key: 'abcdefg' } };
const keyWith = (text: string) => ({ first_message_index: 1, forwarded_count: 0, is_verified: true, session_data: { ciphertext: text } });

async function scene() {
  const world = await createClientWorld();
  const { userId, token } = await world.register('alice');
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await world.call(method, PATH + path, { token, body });
    return [answer.status, answer.body] as const;
  };
  return { world, call, userId, token };
}

test('a backup is made, filled in every way, read in every way, and emptied', async () => {
  const { world, call } = await scene();
  assert.deepEqual(await call('POST', '/version', BACKUP), [200, { version: '1' }]);
  assert.deepEqual(await call('PUT', '/keys?version=1', { rooms: { '!a:x': { sessions: { 1: keyWith('a1') } }, '!b:x': { sessions: { 1: keyWith('b1') } } } }), [200, { etag: '1', count: 2 }]);
  assert.deepEqual(await call('PUT', '/keys/!a:x?version=1', { sessions: { 2: keyWith('a2') } }), [200, { etag: '2', count: 3 }]);
  assert.deepEqual(await call('PUT', '/keys/!b:x/%2Fb%2B2?version=1', keyWith('b2')), [200, { etag: '3', count: 4 }]);
  assert.deepEqual(await call('PUT', '/keys?version=1', { rooms: {} }), [200, { etag: '3', count: 4 }]);
  assert.deepEqual(await call('GET', '/version'), [200, { ...BACKUP, version: '1', etag: '3', count: 4 }]);
  const rooms = { '!a:x': { sessions: { 1: keyWith('a1'), 2: keyWith('a2') } }, '!b:x': { sessions: { 1: keyWith('b1'), '/b+2': keyWith('b2') } } };
  assert.deepEqual(await call('GET', '/keys?version=1'), [200, { rooms }]);
  assert.deepEqual(await call('GET', '/keys/!a:x?version=1'), [200, rooms['!a:x']]);
  assert.deepEqual(await call('GET', '/keys/!c:x?version=1'), [200, { sessions: {} }]);
  assert.deepEqual(await call('GET', '/keys/!b:x/%2Fb%2B2?version=1'), [200, keyWith('b2')]);
  assert.deepEqual(await call('DELETE', '/keys/!b:x/%2Fb%2B2?version=1'), [200, { etag: '4', count: 3 }]);
  assert.deepEqual(await call('DELETE', '/keys/!a:x?version=1'), [200, { etag: '5', count: 1 }]);
  assert.deepEqual(await call('DELETE', '/keys?version=1'), [200, { etag: '6', count: 0 }]);
  await world.close();
});

test('many keys go in inputs of bounded size, and come back by pages', async () => {
  const { world, call } = await scene();
  await call('POST', '/version', BACKUP);
  const sessions = Object.fromEntries(Array.from({ length: 1500 }, (_, n) => [`session${n}`, keyWith(`${n}${'x'.repeat(600)}`)]));
  assert.deepEqual((await call('PUT', '/keys/!a:x?version=1', { sessions }))[1].count, 1500);
  const inputs = world.users.inputs.filter(({ changeBackupKeys }) => changeBackupKeys);
  assert.ok(inputs.length > 4);
  assert.ok(inputs.every(({ changeBackupKeys }) => changeBackupKeys!.put.length > 0));
  await call('PUT', '/keys/!b:x?version=1', { sessions });
  assert.deepEqual((await call('GET', '/keys?version=1'))[1], { rooms: { '!a:x': { sessions }, '!b:x': { sessions } } });
  assert.deepEqual((await call('GET', '/keys/!b:x?version=1'))[1], { sessions });
  await world.close();
});

test('a backup is read while it is sent, a part for each page, and what goes meanwhile is left out', async () => {
  const { world, call, userId, token } = await scene();
  await call('POST', '/version', BACKUP);
  const put = (room: string, from: number, count: number) => call('PUT', `/keys/${room}?version=1`, { sessions: Object.fromEntries(Array.from({ length: count }, (_, n) => [`s${String(from + n).padStart(4, '0')}`, keyWith('x')])) });
  await put('!a:x', 0, 700);
  await put('!b:x', 700, 800);
  const response = await world.router.dispatch({ method: 'GET', path: `${PATH}/keys`, queryString: 'version=1', headers: { authorization: `Bearer ${token}` }, remoteAddress: '', departure: new Departure() });
  assert.deepEqual([response.status, response.json, response.body], [200, undefined, undefined]);
  const parts: string[] = [];
  for await (const part of response.parts!) {
    parts.push(part);
    if (parts.length === 2) await call('DELETE', '/keys/!b:x?version=1');
  }
  const { rooms } = JSON.parse(parts.join('')) as { rooms: Record<string, { sessions: object }> };
  assert.deepEqual(Object.entries(rooms).map(([room, { sessions }]) => [room, Object.keys(sessions).length]), [['!a:x', 700], ['!b:x', 300]]);
  assert.deepEqual([parts.length, (await world.userQuery.keyBackup(userId))!.count], [3, 700]);
  await world.close();
});

test('what is too large, or no key, is refused', async () => {
  const { world, call } = await scene();
  await call('POST', '/version', BACKUP);
  const refusal = async (method: string, path: string, body?: unknown) => {
    const [status, { errcode }] = await call(method, path, body);
    return [status, errcode];
  };
  assert.deepEqual(await refusal('PUT', '/keys/!a:x/1?version=1', keyWith('x'.repeat(17_000))), [413, 'M_TOO_LARGE']);
  assert.deepEqual(await refusal('PUT', '/keys/!a:x/1?version=1', { ...keyWith(''), first_message_index: -1 }), [400, 'M_INVALID_PARAM']);
  assert.deepEqual(await refusal('PUT', '/keys/!a:x/1?version=1', { ...keyWith(''), is_verified: 1 }), [400, 'M_BAD_JSON']);
  assert.deepEqual(await refusal('PUT', '/keys?version=1', { rooms: { a: { sessions: {} } } }), [400, 'M_INVALID_PARAM']);
  assert.deepEqual(await refusal('POST', '/version', { ...BACKUP, auth_data: { text: 'x'.repeat(70_000) } }), [413, 'M_TOO_LARGE']);
  assert.deepEqual(await refusal('DELETE', '/keys'), [400, 'M_MISSING_PARAM']);
  await world.close();
});
