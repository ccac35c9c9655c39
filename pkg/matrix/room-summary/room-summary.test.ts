import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOpenToAll, userMayKnow } from './may-know.ts';
import { readSummary } from './read-summary.ts';
import { publishedRoom, summaryOf, type Content } from './room-summary.ts';
import { readChild, readChildren, viaOf } from './space-children.ts';

const facts = (contents: Record<string, Content>) => ({ roomId: '!r:a.example', roomVersion: '11', joined: 3, contents: new Map(Object.entries(contents)) });

test('a room that says nothing of itself is private, without name', () => {
  assert.deepEqual(summaryOf(facts({})), { room_id: '!r:a.example', num_joined_members: 3, world_readable: false, guest_can_join: false, join_rule: 'invite', room_version: '11' });
});

test('a summary has what the state says, the plain topic, and whom a restricted room lets in', () => {
  const summary = summaryOf(facts({
    'm.room.create': { type: 'm.space' }, 'm.room.name': { name: 'Tea' }, 'm.room.avatar': { url: 'mxc://a/b' }, 'm.room.canonical_alias': { alias: '#tea:a.example' },
    'm.room.topic': { topic: '<b>old</b>', 'm.topic': { 'm.text': [{ mimetype: 'text/html', body: '<b>leaves</b>' }, { body: 'leaves' }] } },
    'm.room.join_rules': { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: '!x:a' }, { type: 'other', room_id: '!y:a' }, 7] },
    'm.room.history_visibility': { history_visibility: 'world_readable' }, 'm.room.guest_access': { guest_access: 'can_join' }, 'm.room.encryption': { algorithm: 'm.megolm.v1.aes-sha2' },
  }));
  assert.deepEqual(summary, {
    room_id: '!r:a.example', num_joined_members: 3, world_readable: true, guest_can_join: true, join_rule: 'restricted', room_version: '11', name: 'Tea', topic: 'leaves',
    canonical_alias: '#tea:a.example', avatar_url: 'mxc://a/b', room_type: 'm.space', encryption: 'm.megolm.v1.aes-sha2', allowed_room_ids: ['!x:a'],
  });
  assert.deepEqual(Object.keys(publishedRoom(summary)).filter((key) => ['allowed_room_ids', 'encryption', 'room_version'].includes(key)), []);
  assert.equal(summaryOf(facts({ 'm.room.topic': { topic: 'x', 'm.topic': { 'm.text': [{ mimetype: 'text/html', body: '<i>' }] } } })).topic, undefined);
});

test('of what another server says, only what has its type is kept', () => {
  assert.equal(readSummary({ room_id: 'no' }), undefined);
  assert.equal(readSummary([]), undefined);
  assert.deepEqual(readSummary({ room_id: '!r:a', num_joined_members: '7', world_readable: 'yes', name: 4, topic: 'ok', avatar_url: 'https://evil', canonical_alias: 'tea', allowed_room_ids: ['!a:b', 3], more: 1 }),
    { room_id: '!r:a', num_joined_members: 0, world_readable: false, guest_can_join: false, topic: 'ok', allowed_room_ids: ['!a:b'] });
});

test('children of a space stand in the order of the spec; what has no via is none', () => {
  const child = (id: string, ts: number, content: object): object => ({ type: 'm.space.child', state_key: `!${id}:example.org`, sender: '@a:b', origin_server_ts: ts, content: { via: ['example.org'], ...content } });
  const children = [
    child('d', 1640741000000, {}), child('e', 1640641000000, {}), child('c', 1640841000000, { order: 'first' }), child('a', 1640141000000, { order: 'aaaa' }), child('b', 1640341000000, { order: ' ' }),
    child('g', 1640641000000, { order: '\u00e9' }), child('f', 1640641000000, { order: 'x'.repeat(51) }), child('gone', 1, { via: undefined }), child('h', 1640341000000, { order: 'first' }),
  ];
  assert.deepEqual(readChildren(children).map(({ state_key: id }) => id[1]), ['b', 'a', 'h', 'c', 'e', 'f', 'g', 'd']);
  assert.equal(readChild({ ...child('x', 1, {}), state_key: 'nonsense' }), undefined);
  assert.deepEqual(viaOf(readChild(child('x', 1, { via: ['a.example', 'a.example', 'no server', 5] }))!), ['a.example']);
});

test('who may know of a room', () => {
  const room = (more: object) => ({ ...summaryOf(facts({})), ...more });
  const nobody = { membership: undefined, isJoinedTo: () => false };
  assert.equal(userMayKnow(room({}), nobody), false);
  for (const membership of ['join', 'invite']) assert.equal(userMayKnow(room({}), { ...nobody, membership }), true, membership);
  for (const membership of ['leave', 'knock', 'ban']) assert.equal(userMayKnow(room({}), { ...nobody, membership }), false, membership);
  for (const rule of ['public', 'knock', 'knock_restricted']) {
    assert.equal(userMayKnow(room({ join_rule: rule }), nobody), true, rule);
    assert.equal(userMayKnow(room({ join_rule: rule }), { ...nobody, membership: 'ban' }), false, rule);
  }
  const restricted = room({ join_rule: 'restricted', allowed_room_ids: ['!in:a'] });
  assert.equal(userMayKnow(restricted, nobody), false);
  assert.equal(userMayKnow(restricted, { ...nobody, isJoinedTo: (roomId) => roomId === '!in:a' }), true);
  assert.equal(isOpenToAll(restricted), false);
  assert.equal(isOpenToAll(room({ world_readable: true })), true);
  assert.equal(userMayKnow(room({ world_readable: true }), { ...nobody, membership: 'ban' }), true);
});
