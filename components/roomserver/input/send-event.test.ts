import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import { ROOM_VERSIONS } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import {
  ALICE, allRows, assertRefused, BOB, CAROL, createRoomDriver, eventIdIn, input, json, member, message, newRoom, redaction, SERVER, state, type RoomDriver, type RoomWish,
} from '../../../test/kit/room-driver.ts';

/** A room of Alice's in which Bob is joined. */
async function withRoom(wish: RoomWish, work: (driver: RoomDriver, roomId: string) => Promise<void>): Promise<void> {
  const driver = await createRoomDriver();
  try {
    const room = newRoom(wish);
    for (const one of [room.input, member(room.roomId, ALICE, BOB, 'invite'), member(room.roomId, BOB, BOB, 'join')]) assert.ok('ok' in (await driver.send(one)));
    await work(driver, room.roomId);
  } finally {
    await driver.close();
  }
}

function last(driver: RoomDriver) {
  const output = driver.outputs.at(-1)!.output;
  return { output, event: output.event!, pdu: JSON.parse(Buffer.from(output.event!.pdu).toString()) as Pdu };
}

test('given a joined member, when a message is sent, then its record is self-contained', () => withRoom({}, async (driver, roomId) => {
  const sent = message(roomId, BOB, 'hi');
  const eventId = eventIdIn(await driver.send(sent));
  const { output, event, pdu } = last(driver);
  assert.equal(event.eventId, eventId);
  assert.deepEqual(pdu.content, { msgtype: 'm.text', body: 'hi' });
  assert.deepEqual([pdu.sender, pdu.origin_server_ts, pdu.room_id], [BOB, sent.originServerTs, roomId]);
  assert.deepEqual([event.deviceId, event.txnId, event.historyVisibility, event.stateDelta.length, event.redacts], ['DEVICE', 'txn-hi', 'shared', 0, '']);
  assert.equal(output.inputId, sent.inputId);
  assert.equal(event.orderKey, 8);
}));

test('given a batch of many messages for one room, when it is decided, then each follows the one before', () => withRoom({}, async (driver, roomId) => {
  await driver.batch(Array.from({ length: 100 }, (_, index) => message(roomId, index % 2 === 0 ? ALICE : BOB, `m${index}`)));
  const events = driver.outputs.map(({ output }) => output.event!);
  events.forEach((event, index) => {
    const pdu = JSON.parse(Buffer.from(event.pdu).toString()) as Pdu;
    assert.deepEqual([event.orderKey, pdu.depth, pdu.prev_events], [index + 1, index + 1, index === 0 ? [] : [events[index - 1]!.eventId]]);
  });
  assert.equal(events.length, 107);
}));

test('given somebody outside the room, when they send, then 403; an unknown room, then 404', () => withRoom({}, async (driver, roomId) => {
  assertRefused(await driver.send(message(roomId, CAROL, 'hi')), 403, 'M_FORBIDDEN');
  assertRefused(await driver.send(message(`!nowhere:${SERVER}`, ALICE, 'hi')), 404, 'M_NOT_FOUND');
  assertRefused(await driver.send(member(`!nowhere:${SERVER}`, ALICE, ALICE, 'join')), 404, 'M_NOT_FOUND');
}));

test('a member event that is only for certain memberships is refused to all others, also when the batch has just made them so', () => withRoom({}, async (driver, roomId) => {
  const from = (target: string, ...onlyFrom: string[]): RoomInput => {
    const leave = member(roomId, ALICE, target, 'leave');
    return { ...leave, sendEvent: { ...leave.sendEvent!, onlyFrom } };
  };
  assertRefused(await driver.send(from(BOB, 'ban')), 403, 'M_FORBIDDEN');
  const [banned, kicked] = await driver.batch([member(roomId, ALICE, BOB, 'ban'), from(BOB, 'join', 'invite', 'knock')]);
  eventIdIn(banned!);
  assertRefused(kicked!, 403, 'M_FORBIDDEN');
  eventIdIn(await driver.send(from(BOB, 'ban')));
  assertRefused(await driver.send(from(BOB, 'ban')), 403, 'M_FORBIDDEN');
}));

test('memberships: refused and allowed as the rules say', () => withRoom({}, async (driver, roomId) => {
  const refused = async (sender: string, target: string, membership: string) => assertRefused(await driver.send(member(roomId, sender, target, membership)), 403, 'M_FORBIDDEN');
  const allowed = async (sender: string, target: string, membership: string) => eventIdIn(await driver.send(member(roomId, sender, target, membership)));
  await refused(CAROL, CAROL, 'join'); // not invited
  await refused(BOB, ALICE, 'leave'); // no power to kick
  await refused(BOB, CAROL, 'ban');
  await refused(ALICE, CAROL, 'leave'); // nobody to kick
  await refused(ALICE, CAROL, 'join'); // nobody joins others
  await refused(ALICE, BOB, 'invite'); // is in the room
  await allowed(ALICE, CAROL, 'invite');
  await allowed(CAROL, CAROL, 'leave'); // rejects the invite
  await refused(CAROL, CAROL, 'join');
  await allowed(ALICE, CAROL, 'ban');
  await refused(BOB, CAROL, 'leave'); // cannot unban
  await refused(ALICE, CAROL, 'invite'); // banned
  await allowed(ALICE, CAROL, 'leave'); // unbanned
  await allowed(ALICE, CAROL, 'invite');
  await allowed(CAROL, CAROL, 'join');
  await allowed(ALICE, BOB, 'leave'); // kicked
  await refused(BOB, BOB, 'join');
  await refused(ALICE, BOB, 'sleep'); // no such membership
}));

test('given a public room, when anybody joins, then they are in; when they leave twice, the second changes nothing', () => withRoom({ joinRule: 'public' }, async (driver, roomId) => {
  eventIdIn(await driver.send(member(roomId, CAROL, CAROL, 'join')));
  const left = eventIdIn(await driver.send(member(roomId, CAROL, CAROL, 'leave')));
  const records = driver.outputs.length;
  assert.equal(eventIdIn(await driver.send(member(roomId, CAROL, CAROL, 'leave'))), left);
  assert.equal(driver.outputs.length, records);
}));

test('given state that is there already, when the same sender sends it again, then the old event is the answer and nothing is told', () => withRoom({}, async (driver, roomId) => {
  const topic = (sender: string, content: object) => state(roomId, sender, ['m.room.topic', ''], content);
  const first = eventIdIn(await driver.send(topic(ALICE, { topic: 'tea', x: { a: 1, b: 2 } })));
  const records = driver.outputs.length;
  assert.equal(eventIdIn(await driver.send(topic(ALICE, { x: { b: 2, a: 1 }, topic: 'tea' }))), first);
  assert.equal(driver.outputs.length, records);
  const second = eventIdIn(await driver.send(topic(ALICE, { topic: 'coffee' })));
  assert.notEqual(second, first);
  const { event } = last(driver);
  assert.deepEqual([event.stateDelta[0]!.eventId, event.stateDelta[0]!.replaces], [second, first]);
  assertRefused(await driver.send(topic(BOB, { topic: 'coffee' })), 403, 'M_FORBIDDEN');
}));

test('a room does not replace itself', () => withRoom({}, async (driver, roomId) => {
  const tombstone = (replacement: string) => driver.send(state(roomId, ALICE, ['m.room.tombstone', ''], { body: 'over', replacement_room: replacement }));
  assertRefused(await tombstone(roomId), 400, 'M_INVALID_PARAM');
  eventIdIn(await tombstone(`!other:${SERVER}`));
}));

test('conditions of any form can be set, and those without the right one let nobody in', async () => {
  const driver = await createRoomDriver();
  const room = newRoom({ joinRule: { join_rule: 'restricted', allow: [] } });
  await driver.send(room.input);
  for (const allow of [['invalid'], 'invalid', { a: 1 }, null, [null, { type: 'm.room_membership' }]]) {
    eventIdIn(await driver.send(state(room.roomId, ALICE, ['m.room.join_rules', ''], { join_rule: 'restricted', allow })));
    assertRefused(await driver.send(member(room.roomId, CAROL, CAROL, 'join')), 403, 'M_FORBIDDEN');
  }
  await driver.close();
});

const badContents: [what: string, type: string, stateKey: string | undefined, content: string, errcode: string, status?: number][] = [
  ['no JSON', 'm.room.message', undefined, '{"a":', 'M_BAD_JSON'],
  ['a list', 'm.room.message', undefined, '[]', 'M_BAD_JSON'],
  ['a fraction', 'm.room.message', undefined, '{"pi":3.14}', 'M_BAD_JSON'],
  ['a huge number', 'm.room.message', undefined, '{"n":9007199254740992}', 'M_BAD_JSON'],
  ['deep nesting', 'm.room.message', undefined, `{"a":${'['.repeat(2000)}${']'.repeat(2000)}}`, 'M_BAD_JSON'],
  ['levels as text', 'm.room.power_levels', '', '{"ban":"50"}', 'M_BAD_JSON'],
  ['a level of a user as text', 'm.room.power_levels', '', '{"users":{"@bob:test.example":"50"}}', 'M_BAD_JSON'],
  ['a level for no user', 'm.room.power_levels', '', '{"users":{"bob":50}}', 'M_BAD_JSON'],
  ['a membership that is a number', 'm.room.member', BOB, '{"membership":1}', 'M_BAD_JSON'],
  ['no membership', 'm.room.member', BOB, '{}', 'M_BAD_JSON'],
  ['a member that is no user', 'm.room.member', 'bob', '{"membership":"invite"}', 'M_INVALID_PARAM'],
  ['an alias that is a number', 'm.room.canonical_alias', '', '{"alias":1}', 'M_BAD_JSON'],
  ['an alias without sigil', 'm.room.canonical_alias', '', '{"alias":"tea"}', 'M_INVALID_PARAM'],
  ['an unknown visibility', 'm.room.history_visibility', '', '{"history_visibility":"nobody"}', 'M_BAD_JSON'],
  ['a redaction of nothing', 'm.room.redaction', undefined, '{}', 'M_BAD_JSON'],
  ['an event of 64 KiB', 'm.room.message', undefined, JSON.stringify({ body: 'x'.repeat(65_536) }), 'M_TOO_LARGE', 413],
  ['a long state key', 'x', 'y'.repeat(256), '{}', 'M_TOO_LARGE', 413],
  ['a NUL in a state key', 'x', 'a\0b', '{}', 'M_INVALID_PARAM'],
];
for (const [what, type, stateKey, content, errcode, status] of badContents) {
  test(`given ${what}, when it is sent, then ${errcode}`, () => withRoom({}, async (driver, roomId) => {
    const before = await allRows(driver.database);
    const event = { type, content: Buffer.from(content), ...(stateKey !== undefined && { stateKey }) };
    assertRefused(await driver.send(input(roomId, { sendEvent: { sender: ALICE, deviceId: '', txnId: '', event } })), status ?? 400, errcode);
    assert.deepEqual(await allRows(driver.database), before);
    eventIdIn(await driver.send(message(roomId, ALICE, 'and on it goes')));
  }));
}

test('a change of the history visibility shows in the records: its own has the more open of both', () => withRoom({}, async (driver, roomId) => {
  const set = (visibility: string) => driver.send(state(roomId, ALICE, ['m.room.history_visibility', ''], { history_visibility: visibility }));
  await set('joined');
  assert.equal(last(driver).event.historyVisibility, 'shared');
  await driver.send(message(roomId, ALICE, 'secret'));
  assert.equal(last(driver).event.historyVisibility, 'joined');
  await set('world_readable');
  assert.equal(last(driver).event.historyVisibility, 'world_readable');
}));

for (const { id: version, redactsInContent, redactionAuthorised } of ROOM_VERSIONS) {
  test(`redactions in version ${version}`, () => withRoom({ version }, async (driver, roomId) => {
    const [mine, hers] = (await driver.batch([message(roomId, BOB, 'mine'), message(roomId, ALICE, 'hers')])).map(eventIdIn) as [string, string];
    assertRefused(await driver.send(redaction(roomId, BOB, hers)), 403, 'M_FORBIDDEN');
    assertRefused(await driver.send(redaction(roomId, BOB, redactionAuthorised ? `$unknown:${SERVER}` : '$unknown')), 404, 'M_NOT_FOUND');
    assertRefused(await driver.send(redaction(roomId, ALICE, driver.outputs[0]!.output.event!.eventId)), 403, 'M_FORBIDDEN');
    const byAdmin = redaction(roomId, BOB, eventIdIn(await driver.send(message(roomId, ALICE, 'against the rules'))));
    eventIdIn(await driver.send({ ...byAdmin, sendEvent: { ...byAdmin.sendEvent!, byAdmin: true } }));
    assert.notEqual(last(driver).event.redacts, '');
    const redactionId = eventIdIn(await driver.send(redaction(roomId, BOB, mine)));
    const { event, pdu } = last(driver);
    assert.equal(event.redacts, mine);
    assert.equal(redactsInContent ? pdu.content['redacts'] : pdu.redacts, mine);
    const rows = await driver.database.query<{ json: Uint8Array; redacted_by: string }>('SELECT json, redacted_by FROM events WHERE event_id = ?', [mine]);
    assert.deepEqual((JSON.parse(unpackText(rows[0]!.json)) as Pdu).content, {});
    assert.equal(rows[0]!.redacted_by, redactionId);
    // Again: an event, but nothing more to redact.
    eventIdIn(await driver.send(redaction(roomId, ALICE, mine)));
    assert.equal(last(driver).event.redacts, '');
    // With power over others.
    eventIdIn(await driver.send(redaction(roomId, ALICE, eventIdIn(await driver.send(message(roomId, BOB, 'more'))))));
    assert.notEqual(last(driver).event.redacts, '');
  }));
}

test('given an event of another room, when it is redacted from here, then 404', () => withRoom({}, async (driver, roomId) => {
  const other = newRoom({ name: 'other' });
  await driver.send(other.input);
  const there = eventIdIn(await driver.send(message(other.roomId, ALICE, 'there')));
  assertRefused(await driver.send(redaction(roomId, ALICE, there)), 404, 'M_NOT_FOUND');
}));

test('given a state event that is redacted, then it stays in the state without its content, in memory as in the tables', () => withRoom({}, async (driver, roomId) => {
  const renamed = eventIdIn(await driver.send(member(roomId, BOB, BOB, 'join', { displayname: 'Bobby' })));
  eventIdIn(await driver.send(redaction(roomId, ALICE, renamed)));
  const current = await driver.database.query('SELECT event_id, membership FROM current_state WHERE room_id = ? AND state_key = ?', [roomId, BOB]);
  assert.deepEqual(current.map((row) => ({ ...row })), [{ event_id: renamed, membership: 'join' }]);
  // Equal to what is left of the redacted event.
  assert.equal(eventIdIn(await driver.send(member(roomId, BOB, BOB, 'join'))), renamed);
}));

test('given a redaction in the batch that makes its event, then the event is stored redacted', () => withRoom({}, async (driver, roomId) => {
  const sent = message(roomId, BOB, 'oops');
  // A batch that is not committed foretells the ID.
  const eventId = eventIdIn((await driver.failedBatch([sent]))[0]);
  const answers = await driver.batch([sent, redaction(roomId, BOB, eventId)]);
  assert.equal(eventIdIn(answers[0]), eventId);
  assert.equal(last(driver).event.redacts, eventId);
  const rows = await driver.database.query<{ json: Uint8Array }>('SELECT json FROM events WHERE event_id = ?', [eventId]);
  assert.deepEqual((JSON.parse(unpackText(rows[0]!.json)) as Pdu).content, {});
}));

test('restricted joins: a local member answers for who is in an allowed room', async () => {
  const driver = await createRoomDriver();
  const space = newRoom({ name: 'space', joinRule: 'public' });
  const room = newRoom({ joinRule: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: space.roomId }] }, levels: { invite: 50 } });
  await driver.batch([space.input, room.input]);
  assertRefused(await driver.send(member(room.roomId, BOB, BOB, 'join')), 403, 'M_FORBIDDEN');
  eventIdIn(await driver.send(member(space.roomId, BOB, BOB, 'join')));
  // From the tables alone, as after a change of owner.
  for (let partition = 0; partition < 4; partition += 1) driver.processor.forget(partition);
  eventIdIn(await driver.send(member(room.roomId, BOB, BOB, 'join', { join_authorised_via_users_server: '@evil:elsewhere' })));
  assert.equal(last(driver).pdu.content['join_authorised_via_users_server'], ALICE);
  // Already in: a change of the name needs nobody.
  eventIdIn(await driver.send(member(room.roomId, BOB, BOB, 'join', { displayname: 'Bobby' })));
  assert.equal(last(driver).pdu.content['join_authorised_via_users_server'], undefined);
  // Nobody left who may invite.
  eventIdIn(await driver.send(member(room.roomId, ALICE, ALICE, 'leave')));
  eventIdIn(await driver.send(member(space.roomId, CAROL, CAROL, 'join')));
  assertRefused(await driver.send(member(room.roomId, CAROL, CAROL, 'join')), 400, 'M_UNABLE_TO_AUTHORISE_JOIN');
  // Where members may invite, any of them answers.
  const open = newRoom({ name: 'open', joinRule: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: space.roomId }] }, levels: { invite: 0 } });
  await driver.send(open.input);
  eventIdIn(await driver.send(member(open.roomId, BOB, BOB, 'join')));
  eventIdIn(await driver.send(member(open.roomId, ALICE, ALICE, 'leave')));
  for (let partition = 0; partition < 4; partition += 1) driver.processor.forget(partition);
  eventIdIn(await driver.send(member(open.roomId, CAROL, CAROL, 'join')));
  assert.equal(last(driver).pdu.content['join_authorised_via_users_server'], BOB);
  await driver.close();
});

test('given a rule that becomes restricted in the batch of the join, and a head out of the tables, then the join is decided as after it', async () => {
  const driver = await createRoomDriver();
  const space = newRoom({ name: 'space', joinRule: 'public' });
  const room = newRoom({ levels: { invite: 50 } });
  await driver.batch([space.input, room.input, member(space.roomId, BOB, BOB, 'join')]);
  for (let partition = 0; partition < 4; partition += 1) driver.processor.forget(partition);
  const rules = { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: space.roomId }] };
  const answers = await driver.batch([
    member(room.roomId, BOB, BOB, 'join'), state(room.roomId, ALICE, ['m.room.join_rules', ''], rules), member(room.roomId, CAROL, CAROL, 'join'), member(room.roomId, BOB, BOB, 'join'),
  ]);
  assertRefused(answers[0], 403, 'M_FORBIDDEN');
  assertRefused(answers[2], 403, 'M_FORBIDDEN');
  eventIdIn(answers[3]);
  assert.equal(last(driver).pdu.content['join_authorised_via_users_server'], ALICE);
  await driver.close();
});

test('given unknown keys of a known type, when they are sent, then they are kept as they are', () => withRoom({}, async (driver, roomId) => {
  const content = { errcode: 'M_FOO', ['__proto__x']: 1, name: 'Tea' };
  eventIdIn(await driver.send(state(roomId, ALICE, ['m.room.name', ''], content)));
  assert.deepEqual(last(driver).pdu.content, content);
  assert.deepEqual(json(last(driver).pdu.content), json({ ['__proto__x']: 1, errcode: 'M_FOO', name: 'Tea' }));
}));
