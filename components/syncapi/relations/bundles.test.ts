import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edit, ignore, react, relate, reply } from '../../../test/kit/relating.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

async function prepare(options: { visibility?: string; version?: string } = {}) {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice, ...options });
  room.member(bob, 'join');
  const world = await createSyncWorld(log);
  const path = `/rooms/${encodeURIComponent(room.roomId)}`;
  const event = async (who: string, eventId: string) => world.get(who, `${path}/event/${encodeURIComponent(eventId)}`);
  const bundle = async (who: string, eventId: string) => (await event(who, eventId)).unsigned['m.relations'];
  return { log, room, world, path, event, bundle };
}

test('the newest edit is bundled whole, the content stays; redactions take edits back one by one', async () => {
  const { room, world, event, bundle } = await prepare();
  const { eventId } = room.say(alice, 'first');
  const edits = ['second', 'third'].map((body) => edit(room, alice, eventId, body));
  await world.apply();
  const shown = await event(bob, eventId);
  assert.equal(shown.content.body, 'first');
  const bundled = shown.unsigned['m.relations']['m.replace'];
  assert.deepEqual([bundled.event_id, bundled.sender, bundled.type, bundled.room_id, bundled.content['m.new_content'].body], [edits[1]?.eventId, alice, 'm.room.message', room.roomId, 'third']);
  assert.equal(bundled.unsigned.membership, 'join');
  for (const [index, left] of [[1, edits[0]?.eventId], [0, undefined]] as const) {
    room.redact(alice, edits[index]!.eventId);
    await world.apply();
    assert.equal((await bundle(bob, eventId))?.['m.replace'].event_id, left);
  }
});

test('of edits at the same time the one with the greatest ID counts, whatever came last', async () => {
  const { room, world, bundle } = await prepare();
  const { eventId } = room.say(alice, 'first');
  const ids = [1, 2, 3, 4].map((n) => edit(room, alice, eventId, `e${n}`).eventId);
  await world.apply();
  const at = async (ts: number[]): Promise<string> => {
    for (const [index, id] of ids.entries()) await world.database.transaction((tx) => tx.run('UPDATE relations SET sent_at = ? WHERE child_id = ?', [ts[index]!, id]));
    return (await bundle(bob, eventId))['m.replace'].event_id;
  };
  assert.equal(await at([7, 7, 7, 7]), ids.toSorted().at(-1));
  assert.equal(await at([9, 8, 7, 6]), ids[0]);
});

test('what may not replace is not bundled', async () => {
  const { log, room, world, bundle } = await prepare();
  const other = new RoomHistory(log, { name: 'two', creator: alice });
  const { eventId } = room.say(alice, 'first');
  const valid = edit(room, alice, eventId, 'valid').eventId;
  edit(room, bob, eventId, 'of somebody else');
  edit(other, alice, eventId, 'of another room');
  relate(room, alice, { relType: 'm.replace', eventId, body: 'without new content' });
  const newContent = { 'm.new_content': { body: 'x' }, 'm.relates_to': { rel_type: 'm.replace', event_id: eventId } };
  room.send('org.example.other', alice, newContent);
  room.state('m.room.message', 'state', newContent, alice);
  const ofEdit = edit(room, alice, valid, 'edit of an edit').eventId;
  const topic = room.state('m.room.topic', '', { topic: 'x' }, alice).eventId;
  room.state('m.room.topic', 'again', { ...newContent, 'm.relates_to': { rel_type: 'm.replace', event_id: topic } }, alice);
  reply(room, bob, topic);
  const redacted = room.say(alice, 'gone').eventId;
  edit(room, alice, redacted, 'edited');
  reply(room, bob, redacted);
  room.redact(alice, redacted);
  await world.apply();
  assert.equal((await bundle(bob, eventId))['m.replace'].event_id, valid);
  for (const [id, why] of [[valid, 'edit of an edit'], [ofEdit, 'nothing'], [topic, 'state']] as const) assert.equal(await bundle(bob, id), undefined, why);
  assert.deepEqual(Object.keys(await bundle(bob, redacted)), ['m.thread'], 'a redacted event keeps its thread');
});

test('an edit of an encrypted event needs no new content that is seen', async () => {
  const { room, world, bundle } = await prepare();
  const secret = room.send('m.room.encrypted', alice, { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x' }).eventId;
  const valid = room.send('m.room.encrypted', alice, { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'y', 'm.relates_to': { rel_type: 'm.replace', event_id: secret } }).eventId;
  edit(room, alice, secret, 'in the clear');
  await world.apply();
  assert.equal((await bundle(bob, secret))['m.replace'].event_id, valid);
});

test('a thread has its newest event with that one\'s edits, a count, and whether the reader took part', async () => {
  const { room, world, bundle } = await prepare();
  room.member(carol, 'join');
  const root = room.say(alice, 'root').eventId;
  const replies = [bob, bob, alice].map((sender, n) => reply(room, sender, root, `r${n}`).eventId);
  edit(room, alice, replies[2]!, 'r2 edited');
  relate(room, carol, { relType: 'm.reference', eventId: replies[2]! });
  await world.apply();
  const thread = (await bundle(bob, root))['m.thread'];
  assert.equal(thread.count, 3);
  assert.equal(thread.latest_event.event_id, replies[2]);
  assert.equal(thread.latest_event.room_id, room.roomId);
  assert.equal(thread.latest_event.unsigned['m.relations']['m.replace'].content['m.new_content'].body, 'r2 edited');
  assert.equal(thread.latest_event.unsigned['m.relations']['m.reference'].chunk.length, 1);
  assert.deepEqual(await Promise.all([alice, bob, carol].map(async (who) => (await bundle(who, root))['m.thread'].current_user_participated)), [true, true, false]);
  room.redact(alice, replies[2]!);
  room.redact(bob, replies[0]!);
  await world.apply();
  const { count, latest_event: latest } = (await bundle(carol, root))['m.thread'];
  assert.deepEqual([count, latest.event_id], [1, replies[1]]);
  room.redact(bob, replies[1]!);
  await world.apply();
  assert.equal(await bundle(carol, root), undefined);
});

test('an event that relates to another one is no root', async () => {
  const { room, world, bundle } = await prepare();
  const root = room.say(alice, 'root').eventId;
  const inThread = reply(room, bob, root).eventId;
  reply(room, bob, inThread, 'nested');
  const answer = room.say(alice, 'a reply', { more: { 'm.relates_to': { 'm.in_reply_to': { event_id: root } } } }).eventId;
  reply(room, bob, answer);
  await world.apply();
  assert.equal(await bundle(bob, inThread), undefined);
  assert.equal((await bundle(bob, answer))['m.thread'].count, 1, 'a reply alone is no relation');
});

test('references are told by their IDs, in order; reactions are not bundled', async () => {
  const { room, world, bundle } = await prepare();
  const target = room.say(alice, 'target').eventId;
  react(room, bob, target, '👍');
  await world.apply();
  assert.equal(await bundle(bob, target), undefined);
  const ids = Array.from({ length: 105 }, (_, n) => relate(room, bob, { relType: 'm.reference', eventId: target, body: `${n}` }).eventId);
  await world.apply();
  assert.deepEqual(await bundle(bob, target), { 'm.reference': { chunk: ids.slice(-100).map((event_id) => ({ event_id })) } });
});

test('what ignored users say is not counted, shown or told', async () => {
  const { room, world, bundle } = await prepare();
  room.member(carol, 'join');
  const root = room.say(bob, 'root').eventId;
  const [first] = [alice, carol, carol].map((sender) => reply(room, sender, root).eventId);
  relate(room, carol, { relType: 'm.reference', eventId: root });
  await world.apply();
  assert.equal((await bundle(alice, root))['m.thread'].count, 3);
  await ignore(world, alice, [carol, '@somebody:else.test']);
  const { 'm.thread': thread, ...rest } = await bundle(alice, root);
  assert.deepEqual([thread.count, thread.latest_event.event_id, rest], [1, first, {}]);
  assert.equal((await bundle(bob, root))['m.thread'].count, 3, 'others ignore nobody');
});

for (const visibility of ['joined', 'shared'] as const) {
  test(`readers are told of what they may see: ${visibility}`, async () => {
    const { room, world, bundle } = await prepare({ visibility });
    const root = room.say(alice, 'root').eventId;
    reply(room, bob, root);
    const early = edit(room, alice, root, 'early').eventId;
    room.member(carol, 'join');
    const inside = reply(room, alice, root, 'inside').eventId;
    await world.apply();
    const seesAll = visibility === 'shared';
    const rootFor = async (who: string) => (await world.get(who, `/rooms/${encodeURIComponent(room.roomId)}/threads`.replace('/rooms', '/_matrix/client/v1/rooms'))).chunk;
    assert.equal((await rootFor(carol)).length, seesAll ? 1 : 0, 'who may not see the root is not shown the thread');
    room.member(bob, 'leave');
    reply(room, alice, root, 'without bob');
    const late = edit(room, alice, root, 'late').eventId;
    await world.apply();
    const ofBob = await bundle(bob, root);
    assert.deepEqual([ofBob['m.thread'].count, ofBob['m.thread'].latest_event.event_id, ofBob['m.replace'].event_id], [2, inside, early]);
    const ofAlice = await bundle(alice, root);
    assert.deepEqual([ofAlice['m.thread'].count, ofAlice['m.replace'].event_id], [3, late]);
    room.member(bob, 'join');
    reply(room, alice, root, 'bob is back');
    await world.apply();
    assert.equal((await bundle(bob, root))['m.thread'].count, seesAll ? 4 : 3);
    assert.equal((await bundle(alice, root))['m.thread'].count, 4);
  });
}

test('a sync bundles where the client has a gap or enters, /messages always, federation format never', async () => {
  const { room, world, path } = await prepare();
  const root = room.say(alice, 'root').eventId;
  reply(room, bob, root);
  await world.apply();
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const threads = (answer: any) => answer.rooms?.join[room.roomId].timeline.events.filter((one: any) => one.unsigned?.['m.relations']).map((one: any) => one.unsigned['m.relations']['m.thread'].latest_event);
  const initial = await world.sync(bob);
  assert.equal(threads(initial).length, 1);
  assert.equal(threads(initial)[0].room_id, undefined, 'as in the timeline');
  const more = room.say(alice, 'another').eventId;
  reply(room, bob, more);
  await world.apply();
  world.queries = 0;
  assert.deepEqual(threads(await world.sync(bob, { since: initial.next_batch })), []);
  const withGap = await world.sync(bob, { since: initial.next_batch, filter: '{"room":{"timeline":{"limit":1,"types":["m.room.message"],"not_senders":["@bob:history.test"]}}}' });
  assert.equal(threads(withGap).length, withGap.rooms.join[room.roomId].timeline.limited ? 1 : 0);
  assert.deepEqual(threads(await world.sync(bob, { filter: '{"event_format":"federation"}' })), []);
  const page = await world.get(bob, `${path}/messages`, { dir: 'b' });
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  assert.equal(page.chunk.filter((one: any) => one.unsigned['m.relations']).length, 2);
});

test('one query more where nothing relates, a few for a page full of relations', async () => {
  const { room, world, path } = await prepare();
  const page = async (): Promise<number> => {
    world.queries = 0;
    await world.get(bob, `${path}/messages`, { dir: 'b', limit: '30' });
    return world.queries;
  };
  for (let n = 0; n < 30; n++) room.say(alice, `m${n}`);
  await world.apply();
  const plain = await page();
  const ids = Array.from({ length: 10 }, (_, n) => room.say(alice, `m${n}`).eventId);
  for (const id of ids) {
    edit(room, alice, reply(room, bob, id).eventId, 'edited');
    edit(room, alice, id, 'edited');
    relate(room, bob, { relType: 'm.reference', eventId: id });
  }
  await world.apply();
  const full = await page();
  assert.ok(full - plain <= 9, `${plain} and ${full} queries`);
});

test('a sync tells of nothing that comes with the next one', async () => {
  const { room, world } = await prepare();
  const root = room.say(alice, 'root').eventId;
  const first = reply(room, bob, root).eventId;
  const early = edit(room, alice, root, 'early').eventId;
  await world.apply();
  reply(room, bob, root);
  edit(room, alice, root, 'late');
  await world.applyQuietly();
  const shown = async () => {
    const { timeline } = (await world.sync(bob)).rooms.join[room.roomId];
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    const { 'm.thread': thread, 'm.replace': replacement } = timeline.events.find((one: any) => one.event_id === root).unsigned['m.relations'];
    return [thread.count, thread.latest_event.event_id, replacement.event_id];
  };
  assert.deepEqual(await shown(), [1, first, early]);
  world.announce();
  assert.equal((await shown())[0], 2);
});

test('what came before its parent is told of once that is there', async () => {
  const { log, room, world, event, bundle } = await prepare();
  const replies = [1, 2].map(() => reply(room, bob, '$past').eventId);
  const replacement = edit(room, alice, '$past', 'edited').eventId;
  await world.apply();
  assert.equal((await event(bob, '$past')).errcode, 'M_NOT_FOUND');
  const pdu = { type: 'm.room.message', sender: alice, room_id: room.roomId, content: { body: 'old' }, origin_server_ts: 1, depth: 1, prev_events: [], auth_events: [], hashes: { sha256: '' }, signatures: {} };
  const past = { eventId: '$past', pdu: Buffer.from(JSON.stringify(pdu)), orderKey: -1, stateDelta: [], historyVisibility: 'shared', historyAt: 1, deviceId: '', txnId: '', softFailedAccepted: false, stateBeforeDiffers: false, redacts: '' };
  log.append({ roomId: room.roomId, roomVersion: room.version.id, event: past });
  await world.apply();
  const told = await bundle(bob, '$past');
  assert.deepEqual([told['m.thread'].count, told['m.thread'].latest_event.event_id, told['m.replace'].event_id], [2, replies[1], replacement]);
});
