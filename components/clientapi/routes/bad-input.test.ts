/** Whatever clients send: an answer with an errcode (of a page: HTML), never a failure of the server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClientWorld, type ClientWorld } from '../../../test/kit/client-world.ts';

const PARAMS = ['%21room:test.example', '@alice:test.example', 'x'.repeat(300), '%00', '%E0%A4%A', '__proto__', '%24event', '..', '%F0%9F%98%80'];
/** Every member that any endpoint reads, with one value at a time in all of them. */
const MEMBERS = [
  'type', 'identifier', 'user', 'password', 'device_id', 'initial_device_display_name', 'auth', 'username', 'inhibit_login', 'visibility', 'name', 'topic', 'invite',
  'invite_3pid', 'room_version', 'creation_content', 'initial_state', 'preset', 'is_direct', 'power_level_content_override', 'user_id', 'reason', 'membership', 'alias',
  'alt_aliases', 'redacts', 'typing', 'timeout', 'thread_id', 'm.read', 'm.read.private', 'm.fully_read', 'displayname', 'avatar_url', 'room', 'presence', 'event_fields', 'event_format', 'account_data',
  'limit', 'since', 'filter', 'generic_search_term', 'room_types', 'include_all_networks', 'third_party_instance_id', 'order', 'room_id',
];
const VALUES: unknown[] = [null, 0, -1, 1.5, 1e308, '', 'x', '\0', '\ud800', true, [], [null], [[]], {}, { type: null }, { limit: 'x' }, { __proto__: null, users: [] }, [{ type: 'a', content: [] }], 'm.login.dummy'];

/** Members that make the rest of a body be looked at. */
const BASE = { type: 'm.login.password', user: 'alice', user_id: '@bob:test.example', membership: 'leave', typing: false, displayname: 'Al', avatar_url: '' };

async function tryAll(requests: (world: ClientWorld, roomId: string) => Iterable<readonly [method: string, path: string, body: string | undefined]>): Promise<void> {
  const world = await createClientWorld();
  const { token } = await world.register('alice');
  const { body: room } = await world.call('POST', '/_matrix/client/v3/createRoom', { token, body: {} });
  const failures: string[] = [];
  let answered = 0;
  for (const [method, path, body] of requests(world, encodeURIComponent(room.room_id))) {
    const answer = await world.call(method, path, { token, body });
    answered += 1;
    const isPage = answer.headers['content-type']?.startsWith('text/html') === true && answer.body.startsWith('<!DOCTYPE html>');
    const wellFormed = answer.status < 400 || answer.status === 401 || isPage || (typeof answer.body.errcode === 'string' && typeof answer.body.error === 'string');
    if (answer.status >= 500 || !wellFormed) failures.push(`${method} ${path} ${body}: ${answer.status} ${JSON.stringify(answer.body)}`.slice(0, 300));
  }
  assert.deepEqual(failures.slice(0, 10), []);
  assert.deepEqual(world.runtime.lines.filter((line) => line.level === 'error'), []);
  assert.ok(answered > 1000);
  await world.close();
}

const fill = (path: string, roomId: string, param: string): string => path.replace('{roomId}', roomId).replace(/\{\w+\}/g, param);

test('no parameter and no malformed body makes any endpoint fail', () => tryAll(function* (world, roomId) {
  const bodies = ['', 'null', '[]', '"x"', '{', '{}', '{"__proto__":{"type":1}}', ...VALUES.map((value) => JSON.stringify(Object.fromEntries(MEMBERS.map((member) => [member, value]))))];
  for (const { operationId, method, path } of world.router.routes) {
    if (operationId.startsWith('logout')) continue;
    const paths = new Set([...PARAMS.map((param) => fill(path, roomId, param)), ...PARAMS.map((param) => fill(path, param, param))]);
    for (const one of paths) for (const body of method === 'GET' ? [undefined] : bodies) yield [method, one, body];
  }
}));

test('no single member of a body makes any endpoint fail', () => tryAll(function* (world, roomId) {
  for (const { operationId, method, path } of world.router.routes) {
    if (method === 'GET' || operationId.startsWith('logout')) continue;
    for (const member of MEMBERS) for (const value of VALUES) yield [method, fill(path, roomId, '@alice:test.example'), JSON.stringify({ ...BASE, [member]: value })];
  }
}));

test('a room that does not exist', async () => {
  const world = await createClientWorld();
  const { token } = await world.register('alice');
  const nowhere = encodeURIComponent('!nowhere:test.example');
  const join = await world.call('POST', `/_matrix/client/v3/join/${nowhere}`, { token, body: {} });
  const send = await world.call('PUT', `/_matrix/client/v3/rooms/${nowhere}/send/m.room.message/1`, { token, body: {} });
  assert.deepEqual([join.status, join.body.errcode], [404, 'M_NOT_FOUND']);
  assert.ok([403, 404].includes(send.status), String(send.status));
  await world.close();
});
