import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namedServers, viaServers } from './via-servers.ts';

const known = { named: [], inviter: undefined, roomId: '!r:room.example', ownName: 'own.example' };

test('those named come first, then the inviter\'s, then the room\'s; each once, without ourselves', () => {
  const named = namedServers(new URLSearchParams('server_name=old.example&via=a.example&via=b.example:8448&server_name=a.example&via=own.example'));
  assert.deepEqual(viaServers({ ...known, named, inviter: '@zoe:inviter.example' }), ['a.example', 'b.example:8448', 'old.example', 'inviter.example', 'room.example']);
  assert.deepEqual(viaServers({ ...known, named: ['room.example'], inviter: '@me:own.example' }), ['room.example']);
});

test('a room of version 12 names no server', () => {
  assert.deepEqual(viaServers({ ...known, roomId: `!${'a'.repeat(43)}` }), []);
});

test('what is no server name is left out, and the list ends', () => {
  const many = Array.from({ length: 50 }, (_, index) => `s${index}.example`);
  assert.deepEqual(viaServers({ ...known, named: ['', 'no name', 'a/b', '1.2.3.999', ...many] }), many.slice(0, 20));
});
