import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, NOTHING_NEW } from '../../../test/kit/sync-world.ts';
import { decodeSyncToken, encodeSyncToken } from '../token/sync-token.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (section: any): string[] => section.events.map((event: any) => event.event_id);
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const bodies = (room: any): string[] => room.timeline.events.map((event: any) => event.content.body);

async function prepare(options: { visibility?: string; version?: string } = {}) {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice, ...options });
  return { log, room, world: await createSyncWorld(log) };
}

test('an initial sync shows the newest events, the state before them, the summary and default push rules', async () => {
  const { room, world } = await prepare();
  room.member(bob, 'invite', { sender: alice });
  for (let n = 1; n <= 12; n++) room.say(alice, `m${n}`);
  room.state('m.room.topic', '', { topic: 'late' }, alice);
  await world.apply();
  const answer = await world.sync(alice);
  const joined = answer.rooms.join[room.roomId];
  assert.deepEqual(ids(joined.timeline), room.timeline.slice(-10));
  assert.equal(joined.timeline.limited, true);
  assert.deepEqual(new Set(ids(joined.state)), new Set(room.timeline.slice(0, 3)), 'the topic is in the timeline, so not in the state');
  assert.deepEqual(joined.summary, { 'm.heroes': [bob], 'm.joined_member_count': 1, 'm.invited_member_count': 1 });
  assert.equal(joined.timeline.events[0].room_id, undefined);
  assert.equal(answer.account_data.events[0].type, 'm.push_rules');
  assert.ok(answer.account_data.events[0].content.global.override.length > 0);
});

test('an incremental sync shows each new event once and nothing when nothing is new', async () => {
  const { room, world } = await prepare();
  await world.apply();
  let since = (await world.sync(alice)).next_batch;
  const seen: string[] = [];
  for (let n = 1; n <= 5; n++) {
    room.say(alice, `m${n}`);
    await world.apply();
    const answer = await world.sync(alice, { since });
    const joined = answer.rooms.join[room.roomId];
    assert.equal(joined.timeline.limited, false);
    assert.deepEqual(joined.state.events, []);
    seen.push(...bodies(joined));
    since = answer.next_batch;
  }
  assert.deepEqual(seen, ['m1', 'm2', 'm3', 'm4', 'm5']);
  assert.deepEqual(Object.keys(await world.sync(alice, { since })), NOTHING_NEW);
});

test('a gap is said to be one, with the state that changed in it', async () => {
  const { room, world } = await prepare();
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  const topic = room.state('m.room.topic', '', { topic: 'in the gap' }, alice);
  for (let n = 1; n <= 15; n++) room.say(alice, `m${n}`);
  await world.apply();
  const joined = (await world.sync(alice, { since })).rooms.join[room.roomId];
  assert.equal(joined.timeline.limited, true);
  assert.equal(joined.timeline.events.length, 10);
  assert.deepEqual(ids(joined.state), [topic.eventId]);
});

test('an invite, its withdrawal, a join, a leave and a second join', async () => {
  const { room, world } = await prepare();
  room.state('m.room.name', '', { name: 'The room' }, alice);
  room.say(alice, 'before');
  await world.apply();
  let since = (await world.sync(bob)).next_batch;
  const step = async () => {
    await world.apply();
    const answer = await world.sync(bob, { since });
    since = answer.next_batch;
    return answer.rooms;
  };
  room.member(bob, 'invite', { sender: alice });
  const invited = (await step()).invite[room.roomId].invite_state.events;
  assert.deepEqual(new Set(invited.map((event: { type: string; state_key: string }) => `${event.type} ${event.state_key}`)), new Set(['m.room.create ', 'm.room.name ', `m.room.member ${alice}`, `m.room.member ${bob}`]));
  assert.ok(invited.every((event: object) => Object.keys(event).sort().join() === 'content,sender,state_key,type'));

  const withdrawn = room.member(bob, 'leave', { sender: alice });
  const left = (await step()).leave[room.roomId];
  assert.deepEqual(ids(left.timeline), [withdrawn.eventId]);
  assert.deepEqual(left.state.events, [], 'who never was in the room gets none of its state');

  room.member(bob, 'join');
  const joined = (await step()).join[room.roomId];
  assert.deepEqual(ids(joined.timeline), room.timeline, 'a shared room shows its past');
  assert.equal(joined.timeline.limited, false);

  room.say(alice, 'together');
  const leave = room.member(bob, 'leave');
  room.say(alice, 'without bob');
  const gone = (await step()).leave[room.roomId];
  assert.deepEqual(ids(gone.timeline).at(-1), leave.eventId);
  assert.deepEqual(bodies(gone), ['together', undefined]);

  room.say(alice, 'still without bob');
  await world.apply();
  assert.deepEqual(Object.keys(await world.sync(bob, { since })), NOTHING_NEW);

  room.member(bob, 'join');
  const again = (await step()).join[room.roomId];
  assert.deepEqual(bodies(again), ['without bob', 'still without bob', undefined]);
  assert.equal(again.state.events.length, 4, 'all state: create, two members, name');
});

test('who joins and leaves again between syncs is told of a gap: what was before the first leave may never have been shown', async () => {
  const { room, world } = await prepare();
  room.member(bob, 'join');
  await world.apply();
  const { next_batch: since } = await world.sync(bob);
  room.say(alice, 'missed');
  room.member(bob, 'leave');
  room.member(bob, 'invite', { sender: alice });
  await world.apply();
  const invited = await world.sync(bob, { since });
  room.member(bob, 'join');
  room.say(alice, 'seen');
  room.member(bob, 'leave');
  await world.apply();
  const { timeline } = (await world.sync(bob, { since: invited.next_batch })).rooms.leave[room.roomId];
  assert.equal(timeline.limited, true);
  const page = await world.get(bob, `/rooms/${room.roomId}/messages`, { dir: 'b', from: timeline.prev_batch });
  const all = [...ids({ events: page.chunk.toReversed() }), ...ids(timeline)];
  assert.deepEqual(all, room.timeline.slice(-all.length));
  assert.ok(bodies({ timeline: { events: page.chunk } }).includes('missed'));
});

test('history visibility: a newcomer sees what the setting allows', async () => {
  for (const [visibility, expected] of [['joined', []], ['invited', ['invited']], ['shared', ['before', 'invited']]] as const) {
    const { room, world } = await prepare({ visibility });
    room.say(alice, 'before');
    room.member(bob, 'invite', { sender: alice });
    room.say(alice, 'invited');
    room.member(bob, 'join');
    room.say(alice, 'joined');
    await world.apply();
    const joined = (await world.sync(bob)).rooms.join[room.roomId];
    assert.deepEqual(bodies(joined).filter(Boolean), [...expected, 'joined'], visibility);
    const page = await world.get(bob, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '100' });
    assert.deepEqual(bodies({ timeline: { events: page.chunk.toReversed() } }).filter(Boolean), [...expected, 'joined'], visibility);
  }
});

test('history visibility: who comes back ends with the state as it is, though the change was hidden from them and what stood before is theirs to see', async () => {
  const { room, world } = await prepare({ visibility: 'joined' });
  room.member(bob, 'join');
  const seen = room.state('m.room.topic', '', { topic: 'seen' }, alice);
  room.member(bob, 'leave');
  const hidden = room.state('m.room.topic', '', { topic: 'hidden' }, alice);
  room.say(alice, 'hidden too');
  room.member(bob, 'join');
  room.say(alice, 'hello again');
  await world.apply();
  const joined = (await world.sync(bob)).rooms.join[room.roomId];
  assert.deepEqual([joined.timeline.limited, ids(joined.timeline)], [true, room.timeline.slice(-2)]);
  assert.ok(ids(joined.state).includes(hidden.eventId));
  const before = await world.get(bob, `/rooms/${room.roomId}/messages`, { dir: 'b', from: joined.timeline.prev_batch });
  assert.equal(before.chunk[1].event_id, seen.eventId, 'the page goes on without a gap');
});

test('a transaction ID goes to the sending device alone', async () => {
  const { room, world } = await prepare();
  room.member(bob, 'join');
  await world.apply();
  const start = (await world.sync(alice)).next_batch;
  room.say(alice, 'hello', { deviceId: 'PHONE', txnId: 'txn1' });
  await world.apply();
  const unsigned = async (who: string) => (await world.sync(who, { since: start })).rooms.join[room.roomId].timeline.events[0].unsigned;
  assert.equal((await unsigned(`${alice}/PHONE`)).transaction_id, 'txn1');
  assert.equal((await unsigned(`${alice}/LAPTOP`)).transaction_id, undefined);
  assert.equal((await unsigned(`${bob}/PHONE`)).transaction_id, undefined);
  assert.equal((await unsigned(bob)).membership, 'join');
});

test('state events carry what they replaced; redacted events lose their content everywhere', async () => {
  for (const version of ['1', '3', '10', '11', '12']) {
    const { room, world } = await prepare({ version });
    const before = room.state('m.room.topic', '', { topic: 'a' }, alice);
    room.state('m.room.topic', '', { topic: 'b' }, alice);
    const secret = room.say(alice, 'secret');
    await world.apply();
    const first = await world.sync(alice);
    const events = first.rooms.join[room.roomId].timeline.events;
    assert.equal(events.at(-1).content.body, 'secret');
    assert.deepEqual(events.at(-2).unsigned.prev_content, { topic: 'a' });
    assert.equal(events.at(-2).unsigned.replaces_state, before.eventId);
    const redaction = room.redact(alice, secret.eventId);
    await world.apply();
    const [told] = (await world.sync(alice, { since: first.next_batch })).rooms.join[room.roomId].timeline.events;
    assert.equal(told.redacts, secret.eventId, version);
    assert.equal(told.content.redacts, secret.eventId, version);
    const again = (await world.sync(alice)).rooms.join[room.roomId].timeline.events.at(-2);
    assert.deepEqual([again.event_id, again.content, again.unsigned.redacted_because.event_id], [secret.eventId, {}, redaction.eventId], version);
  }
});

test('receipts: public ones to all, private ones to their user', async () => {
  const { room, world } = await prepare();
  room.member(bob, 'join');
  const message = room.say(alice, 'read me');
  await world.apply();
  const { next_batch: since } = await world.sync(bob);
  room.receipt(bob, message.eventId);
  room.receipt(alice, message.eventId, { receiptType: 'm.read.private' });
  await world.apply();
  const receiptsOf = async (who: string) => (await world.sync(who, { since })).rooms.join[room.roomId].ephemeral.events[0].content[message.eventId];
  assert.deepEqual(Object.keys(await receiptsOf(bob)), ['m.read']);
  assert.deepEqual(Object.keys((await receiptsOf(alice))['m.read.private']), [alice]);
});

test('typing: begins, runs out, and a token of an older epoch gets the present value', async () => {
  const { log, room, world } = await prepare();
  room.member(bob, 'join');
  await world.apply();
  const partition = log.events.get(room.timeline[0] as string)!.partition;
  const notice = (epoch: number, counter: number, userIds: string[], forMs: number) =>
    world.typing.receive({ roomId: room.roomId, partition, epoch, counter, userIds, expiresMs: world.runtime.clock.now() + forMs });
  let since = (await world.sync(alice)).next_batch;
  const typing = async (query = {}) => {
    const answer = await world.sync(alice, { since, ...query });
    since = answer.next_batch;
    return answer.rooms?.join[room.roomId].ephemeral.events[0].content.user_ids;
  };
  notice(1, 1, [bob], 5000);
  assert.deepEqual(await typing(), [bob]);
  assert.equal(await typing(), undefined);
  const waiting = typing({ timeout: '30000' });
  await world.runtime.advance(5001);
  assert.deepEqual(await waiting, [], 'the end is told though nobody signals it');
  assert.equal(await typing(), undefined);
  notice(2, 1, [bob], 5000);
  assert.deepEqual(await typing(), [bob]);
  notice(2, 2, [], 0);
  assert.deepEqual(await typing(), []);
});

test('account data, global and of rooms, by change and in whole', async () => {
  const { room, world } = await prepare();
  await world.apply();
  await world.applyUser({ userId: alice, accountData: { roomId: '', type: 'org.example.a', content: Buffer.from('{"v":1}') } });
  await world.applyUser({ userId: alice, accountData: { roomId: room.roomId, type: 'm.tag', content: Buffer.from('{"tags":{}}') } });
  const first = await world.sync(alice);
  assert.deepEqual(first.account_data.events.map((event: { type: string }) => event.type), ['m.push_rules', 'org.example.a']);
  assert.deepEqual(first.rooms.join[room.roomId].account_data.events, [{ content: { tags: {} }, type: 'm.tag' }]);
  await world.applyUser({ userId: alice, accountData: { roomId: room.roomId, type: 'm.tag', content: Buffer.from('{"tags":{"u.x":{}}}') } });
  const next = await world.sync(alice, { since: first.next_batch });
  assert.equal(next.account_data, undefined);
  assert.deepEqual(next.rooms.join[room.roomId].account_data.events, [{ content: { tags: { 'u.x': {} } }, type: 'm.tag' }]);
  await world.applyUser({ userId: bob, accountData: { roomId: '', type: 'x', content: Buffer.from('{}') } });
  assert.deepEqual(Object.keys(await world.sync(alice, { since: next.next_batch })), NOTHING_NEW);
});

test('filters: rooms, types, limit, lazy members, stored filters, account data', async () => {
  const { log, room, world } = await prepare();
  const other = new RoomHistory(log, { name: 'two', creator: alice });
  for (const userId of [bob, carol]) room.member(userId, 'join');
  for (let n = 1; n <= 30; n++) room.state('m.room.topic', '', { topic: `t${n}` }, alice);
  room.say(bob, 'from bob');
  for (let n = 1; n <= 30; n++) room.send('org.example.noise', alice, {});
  await world.apply();
  const sync = (filter: object, more = {}) => world.sync(alice, { filter: JSON.stringify(filter), ...more });
  assert.deepEqual(Object.keys((await sync({ room: { rooms: [other.roomId] } })).rooms.join), [other.roomId]);
  assert.deepEqual(Object.keys((await sync({ room: { not_rooms: [other.roomId] } })).rooms.join), [room.roomId]);
  const messages = (await sync({ room: { timeline: { types: ['m.room.mess*'] } } })).rooms.join[room.roomId];
  assert.deepEqual(bodies(messages), ['from bob'], 'found beyond the newest ten');
  assert.ok(messages.state.events.some((event: { content: object }) => JSON.stringify(event.content) === '{"topic":"t30"}'), 'state hidden by the filter comes as state');
  const lazy = (await sync({ room: { timeline: { senders: [bob], limit: 1 }, state: { lazy_load_members: true } } })).rooms.join[room.roomId];
  const members = lazy.state.events.filter((event: { type: string }) => event.type === 'm.room.member').map((event: { state_key: string }) => event.state_key);
  assert.deepEqual(new Set(members), new Set([alice, bob, carol]), 'the sender, the reader, and the heroes of a room without a name');
  world.filters.set('f1', { room: { state: { types: ['m.room.create'] } }, account_data: { not_types: ['*'] } });
  const stored = await world.sync(alice, { filter: 'f1' });
  assert.deepEqual(ids(stored.rooms.join[room.roomId].state).length, 1);
  assert.equal(stored.account_data, undefined);
  assert.equal((await world.sync(alice, { filter: 'unknown' })).errcode, 'M_INVALID_PARAM');
  assert.equal((await world.sync(alice, { filter: '{' })).errcode, 'M_NOT_JSON');
});

test('event_format: federation gives the PDUs', async () => {
  for (const version of ['1', '12']) await givesPdus(version);
});

async function givesPdus(version: string): Promise<void> {
  const { log, room, world } = await prepare({ version });
  const sent = room.say(alice, 'raw');
  await world.apply();
  const joined = (await world.sync(alice, { filter: '{"event_format":"federation","room":{"timeline":{"limit":1}}}' })).rooms.join[room.roomId];
  assert.deepEqual(joined.timeline.events, [{ ...log.events.get(sent.eventId)?.pdu, event_id: sent.eventId }]);
  assert.ok(joined.state.events.every((event: object) => 'auth_events' in event));
}

test('use_state_after gives the state at the end of the timeline', async () => {
  const { room, world } = await prepare();
  await world.apply();
  const first = await world.sync(alice, { use_state_after: 'true' });
  assert.equal(first.rooms.join[room.roomId].state, undefined);
  assert.deepEqual(new Set(ids(first.rooms.join[room.roomId].state_after)), room.currentState());
  room.state('m.room.topic', '', { topic: 'a' }, alice);
  const topic = room.state('m.room.topic', '', { topic: 'b' }, alice);
  await world.apply();
  const next = await world.sync(alice, { use_state_after: 'true', since: first.next_batch });
  assert.deepEqual(ids(next.rooms.join[room.roomId].state_after), [topic.eventId]);
});

test('full_state repeats the state beside an unchanged timeline', async () => {
  const { room, world } = await prepare();
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  const joined = (await world.sync(alice, { since, full_state: 'true', timeout: '30000' })).rooms.join[room.roomId];
  assert.deepEqual(joined.timeline.events, []);
  assert.deepEqual(new Set(ids(joined.state)), room.currentState());
});

test('left rooms of before the first sync come on demand', async () => {
  const { room, world } = await prepare();
  room.member(bob, 'join');
  const leave = room.member(bob, 'leave');
  room.say(alice, 'after');
  await world.apply();
  assert.equal((await world.sync(bob)).rooms, undefined);
  const left = (await world.sync(bob, { filter: '{"room":{"include_leave":true}}' })).rooms.leave[room.roomId];
  assert.equal(ids(left.timeline).at(-1), leave.eventId);
});

test('what commits during an answer is not mixed into it', async () => {
  const { room, world } = await prepare();
  room.say(alice, 'old');
  room.member(bob, 'join');
  await world.apply();
  room.say(alice, 'new');
  const topic = room.state('m.room.topic', '', { topic: 'new' }, alice);
  room.receipt(bob, topic.eventId);
  room.member(bob, 'leave');
  await world.applyQuietly();
  const first = await world.sync(alice);
  const joined = first.rooms.join[room.roomId];
  assert.deepEqual(bodies(joined).filter(Boolean), ['old']);
  assert.deepEqual([joined.state.events, joined.ephemeral.events], [[], []]);
  assert.ok((await world.sync(bob)).rooms.join[room.roomId], 'bob is still in');
  world.announce();
  const next = (await world.sync(alice, { since: first.next_batch })).rooms.join[room.roomId];
  assert.deepEqual(ids(next.timeline), room.timeline.slice(-3));
  assert.equal(next.ephemeral.events.length, 1);
});

test('a knock shows its room stripped', async () => {
  const { room, world } = await prepare();
  room.state('m.room.name', '', { name: 'Closed' }, alice);
  room.member(bob, 'knock');
  await world.apply();
  const knocked = (await world.sync(bob)).rooms.knock[room.roomId].knock_state.events;
  assert.deepEqual(knocked.map((event: { type: string }) => event.type).sort(), ['m.room.create', 'm.room.member', 'm.room.name']);
});

test('a token of another instance that is ahead does not go back; one of another partition map begins anew', async () => {
  const { room, world } = await prepare();
  await world.apply();
  const { next_batch: first } = await world.sync(alice);
  room.say(alice, 'hello');
  const position = decodeSyncToken(first);
  const { partition, sequence } = room.log.events.get(room.timeline.at(-1) as string) as { partition: number; sequence: number };
  await world.applyQuietly();
  const ahead = { ...position, room: position.room.map((seen, index) => (index === partition ? sequence : seen)) };
  const answer = await world.sync(alice, { since: encodeSyncToken(ahead) });
  assert.deepEqual(Object.keys(answer), NOTHING_NEW, 'this process has not heard of it, but the client has it');
  assert.equal(decodeSyncToken(answer.next_batch).room[partition], sequence);
  const moved = await world.sync(alice, { since: encodeSyncToken({ ...ahead, mapVersion: 7 }) });
  assert.deepEqual(ids(moved.rooms.join[room.roomId].timeline), room.timeline.slice(0, -1), 'all that this process knows of');
});

test('a process that has forgotten who typed tells a client that saw it of the end', async () => {
  const { log, room, world } = await prepare();
  await world.apply();
  const partition = log.events.get(room.timeline[0] as string)!.partition;
  world.typing.receive({ roomId: room.roomId, partition, epoch: 1, counter: 1, userIds: [bob], expiresMs: world.runtime.clock.now() + 60_000 });
  const { next_batch: since } = await world.sync(alice);
  await world.runtime.advance(10);
  const restarted = await createSyncWorld(log);
  await restarted.apply();
  const earlier = { ...decodeSyncToken(since), typingAtMs: restarted.runtime.clock.now() - 1 };
  const answer = await restarted.sync(alice, { since: encodeSyncToken(earlier) });
  assert.deepEqual(answer.rooms.join[room.roomId].ephemeral.events[0].content.user_ids, []);
  assert.deepEqual(decodeSyncToken(answer.next_batch).typing, earlier.typing, 'the place is kept');
  assert.deepEqual(Object.keys(await restarted.sync(alice, { since: answer.next_batch })), NOTHING_NEW);
});

test('refuses bad parameters and tokens', async () => {
  const { world } = await prepare();
  for (const [name, value] of [['since', 's1_2_3'], ['timeout', '-1'], ['timeout', 'soon'], ['full_state', 'maybe']] as const) {
    const answer = await world.sync(alice, { [name]: value });
    assert.deepEqual([answer.status, answer.errcode], [400, 'M_INVALID_PARAM'], `${name}=${value}`);
  }
});

test('an answer for 300 rooms takes about as many queries as one for 8', async () => {
  const queriesFor = async (count: number) => {
    const log = new HistoryLog({ version: 1, partitions: 4 });
    const rooms = Array.from({ length: count }, (_, n) => new RoomHistory(log, { name: `r${n}`, creator: alice }));
    const world = await createSyncWorld(log);
    await world.apply();
    world.queries = 0;
    log.questions = 0;
    const answer = await world.sync(alice);
    assert.equal(Object.keys(answer.rooms.join).length, count);
    const initial = world.queries + log.questions;
    for (const room of rooms) for (let n = 0; n < 12; n++) room.state('m.room.topic', '', { topic: String(n) }, alice);
    await world.apply();
    world.queries = 0;
    await world.sync(alice, { since: answer.next_batch });
    return { initial, incremental: world.queries };
  };
  const few = await queriesFor(8);
  const many = await queriesFor(300);
  assert.ok(many.initial <= few.initial + 2 && many.initial < 25, JSON.stringify({ few, many }));
  assert.ok(many.incremental <= few.incremental + 2 && many.incremental < 25, JSON.stringify({ few, many }));
});
