import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseFieldPath, pickFields } from './event-fields.ts';
import { limited, matchesType, parseEventFilter, parseSyncFilter, passes, passesRoom } from './filter.ts';

const message = { type: 'm.room.message', sender: '@a:x', hasUrl: false };

test('an absent filter lets everything through', () => {
  const filter = parseSyncFilter({});
  assert.ok(passes(filter.room.timeline, message, '!r:x'));
  assert.ok(passesRoom(filter.room, '!r:x'));
  assert.equal(filter.room.includeLeave, false);
});

test('exclusion wins over inclusion', () => {
  assert.ok(!passes(parseEventFilter({ types: ['m.*'], not_types: ['m.room.message'] }), message));
  assert.ok(!passes(parseEventFilter({ senders: ['@a:x'], not_senders: ['@a:x'] }), message));
  assert.ok(!passes(parseEventFilter({ rooms: ['!r:x'], not_rooms: ['!r:x'] }), message, '!r:x'));
});

test('an empty list of what to include includes nothing', () => {
  assert.ok(!passes(parseEventFilter({ types: [] }), message));
  assert.ok(!passes(parseEventFilter({ senders: [] }), message));
  assert.ok(!passes(parseEventFilter({ rooms: [] }), message, '!r:x'));
});

test('contains_url is three-valued', () => {
  assert.ok(passes(parseEventFilter({}), { ...message, hasUrl: true }));
  assert.ok(passes(parseEventFilter({ contains_url: true }), { ...message, hasUrl: true }));
  assert.ok(!passes(parseEventFilter({ contains_url: true }), message));
  assert.ok(!passes(parseEventFilter({ contains_url: false }), { ...message, hasUrl: true }));
});

test('wildcards match like the regular expression they stand for', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
  const type = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 10 });
  fc.assert(
    fc.property(pattern, type, (p, t) => {
      const oracle = new RegExp(`^${p.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(t);
      assert.equal(matchesType(p, t), oracle, `${p} on ${t}`);
    }),
    { numRuns: 500 },
  );
});

test('refuses wrong types', () => {
  const wrong = [
    [], 'x', { room: 5 }, { room: { timeline: { limit: 'ten' } } }, { room: { rooms: '!r' } }, { room: { state: { types: [1] } } }, { room: { include_leave: 1 } },
    { room: { rooms: ['r:x'] } }, { room: { timeline: { not_rooms: ['#r:x'] } } }, { presence: { senders: ['alice'] } },
  ];
  for (const definition of wrong) assert.throws(() => parseSyncFilter(definition), { status: 400, errcode: 'M_BAD_JSON' }, JSON.stringify(definition));
});

test('a limit cuts the list', () => {
  assert.deepEqual(limited(parseEventFilter({ limit: 2 }), [1, 2, 3]), [1, 2]);
  assert.deepEqual(limited(parseEventFilter({}), [1, 2, 3]), [1, 2, 3]);
});

test('event_format and limit are refused where they make no sense', () => {
  assert.throws(() => parseSyncFilter({ event_format: 'xml' }), /event_format/);
  assert.throws(() => parseEventFilter({ limit: -1 }), /limit/);
  assert.throws(() => parseEventFilter({ include_redundant_members: 'yes' }), /include_redundant_members/);
  const { room } = parseSyncFilter({ room: { timeline: { unread_thread_notifications: true }, state: { lazy_load_members: true, include_redundant_members: true } } });
  assert.deepEqual([room.timeline.unreadThreadNotifications, room.state.includeRedundantMembers], [true, true]);
});

test('paths of event fields: dots separate, a backslash takes their meaning', () => {
  assert.deepEqual(parseFieldPath('content.body'), ['content', 'body']);
  assert.deepEqual(parseFieldPath('content.m\\.relates_to.rel_type'), ['content', 'm.relates_to', 'rel_type']);
  assert.deepEqual(parseFieldPath('a\\\\.b\\c'), ['a\\', 'b\\c']);
});

test('an event with some of its fields still is one', () => {
  const event = { content: { body: 'b', 'm.x': { y: 1, z: 2 }, list: [1] }, event_id: '$1', origin_server_ts: 1, sender: '@a:x', type: 't', unsigned: { age: 1, transaction_id: 'n' } };
  const pick = (...paths: string[]) => JSON.parse(pickFields(JSON.stringify(event), paths.map(parseFieldPath))) as object;
  const bare = { event_id: '$1', origin_server_ts: 1, sender: '@a:x', type: 't', content: {} };
  assert.deepEqual(pick(), bare);
  assert.deepEqual(pick('content.body', 'unsigned.age'), { ...bare, content: { body: 'b' }, unsigned: { age: 1 } });
  assert.deepEqual(pick('content.m\\.x.z', 'content.m\\.x.y', 'content.list.0', 'content.none.at_all', 'constructor.name'), { ...bare, content: { 'm.x': { y: 1, z: 2 } } });
  assert.deepEqual(pick('content', 'content.body'), { ...bare, content: event.content });
  assert.deepEqual(pick('content.body', 'content'), { ...bare, content: event.content });
});
