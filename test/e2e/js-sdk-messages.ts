/** Messages and what relates to them, as matrix-js-sdk puts them together. */
import assert from 'node:assert/strict';
import { Direction, EventTimeline, Preset, RelationType, TimelineWindow, type MatrixClient, type MatrixEvent } from 'matrix-js-sdk';
import { until } from './js-sdk.ts';
import { anotherClient, membershipOf, newRoom, newUser, say, sayIn, seen, type Place, type User } from './js-sdk-user.ts';

const bodyOf = (event: MatrixEvent | undefined): unknown => event?.getContent()['body'];

async function pair(place: Place): Promise<{ alice: User; bob: User; roomId: string }> {
  const [alice, bob] = [await newUser(place, 'alice'), await newUser(place, 'bob')];
  return { alice, bob, roomId: await newRoom(alice, [bob], { preset: Preset.PrivateChat }) };
}

function edit(user: User, roomId: string, eventId: string, body: string): Promise<string> {
  return say(user, roomId, `* ${body}`, { 'm.new_content': { msgtype: 'm.text', body }, 'm.relates_to': { rel_type: 'm.replace', event_id: eventId } });
}

async function react(user: User, roomId: string, eventId: string, key: string): Promise<string> {
  return (await user.client.sendEvent(roomId, 'm.reaction' as never, { 'm.relates_to': { rel_type: 'm.annotation', event_id: eventId, key } } as never)).event_id;
}

/** Edits, reactions and replies, as they come and for who comes later. */
export async function relations(place: Place): Promise<void> {
  const { alice, bob, roomId } = await pair(place);
  const message = await say(alice, roomId, 'tee');
  const reply = await say(bob, roomId, 'what?', { 'm.relates_to': { 'm.in_reply_to': { event_id: message } } });
  const live = await seen(bob.client, roomId, message);
  await edit(alice, roomId, message, 'tea');
  const edited = await edit(alice, roomId, message, 'tea!');
  await until(() => 'the edit', () => bodyOf(live) === 'tea!');
  assert.equal((await seen(alice.client, roomId, reply)).replyEventId, message);
  const reactions = [await react(bob, roomId, message, '👍'), await react(alice, roomId, message, '👍'), await react(bob, roomId, message, '🫖')];
  const counts = (client: MatrixClient): unknown => client.getRoom(roomId)!.relations.getChildEventsForEvent(message, 'm.annotation', 'm.reaction')?.getSortedAnnotationsByKey()?.map(([key, events]) => [key, events.size]).filter(([, count]) => count !== 0);
  for (const { client } of [alice, bob]) await until(() => `the reactions, ${JSON.stringify(counts(client))}`, () => JSON.stringify(counts(client)) === JSON.stringify([['👍', 2], ['🫖', 1]]));
  await assert.rejects(react(bob, roomId, message, '👍'), { errcode: 'M_DUPLICATE_ANNOTATION', httpStatus: 400 });
  await bob.client.redactEvent(roomId, reactions[2]!);
  await until(() => 'the redaction', () => JSON.stringify(counts(alice.client)) === JSON.stringify([['👍', 2]]));
  const page = await bob.client.fetchRelations(roomId, message, RelationType.Annotation, 'm.reaction', { limit: 1, dir: Direction.Backward });
  const rest = await bob.client.fetchRelations(roomId, message, RelationType.Annotation, 'm.reaction', { limit: 5, dir: Direction.Backward, from: page.next_batch });
  assert.deepEqual([...page.chunk, ...rest.chunk].map(({ event_id }) => event_id), [reactions[1], reactions[0]]);
  const { originalEvent, events } = await bob.client.relations(roomId, message, RelationType.Replace, 'm.room.message');
  assert.deepEqual([originalEvent?.getId(), events[0]?.getId()], [message, edited]);
  for (let number = 0; number < 10; number += 1) await say(alice, roomId, `more ${number}`);
  const late = await anotherClient(place, bob);
  assert.equal(late.getRoom(roomId)!.findEventById(message), undefined, 'it is not in the short timeline');
  const timeline = await late.getEventTimeline(late.getRoom(roomId)!.getUnfilteredTimelineSet(), message);
  const found = timeline!.getEvents().find((event) => event.getId() === message)!;
  assert.deepEqual([bodyOf(found), found.replacingEventId()], ['tea!', edited], 'the server has bundled the newest edit');
}

export async function threads(place: Place): Promise<void> {
  const { alice, bob, roomId } = await pair(place);
  const roots = [await say(alice, roomId, 'cups'), await say(bob, roomId, 'cakes')];
  for (let number = 0; number < 12; number += 1) await sayIn(number % 2 === 0 ? bob : alice, roomId, roots[0]!, { body: `cup ${number}` });
  const last = await sayIn(alice, roomId, roots[1]!, { body: 'cake' });
  const room = bob.client.getRoom(roomId)!;
  const cups = Array.from({ length: 12 }, (_, number) => `cup ${number}`);
  // Not by `length` and not in order: the SDK may count an answer twice, by the server's count and as it comes, and it puts its own messages where they were when it sent them.
  const answers = (root: string): string => (room.getThread(root)?.events ?? []).filter((event) => event.getId() !== root && event.status === null).map(bodyOf).sort().join();
  await until(() => `both threads; there is ${roots.map(answers).join(' and ')}`, () => answers(roots[0]!) === cups.toSorted().join() && answers(roots[1]!) === 'cake');
  assert.ok(!room.getLiveTimeline().getEvents().some((event) => event.getId() === last), 'what is in a thread is not in the main timeline');
  for (let number = 0; number < 10; number += 1) await say(alice, roomId, `more ${number}`);
  const late = (await anotherClient(place, bob)).getRoom(roomId)!;
  await late.createThreadsTimelineSets();
  await late.fetchRoomThreads();
  const newestFirst = late.threadsTimelineSets[0]!.getLiveTimeline().getEvents().map((event) => event.getId());
  assert.deepEqual(newestFirst.toSorted(), roots.toSorted());
  const thread = late.getThread(roots[0]!)!;
  assert.deepEqual([thread.length, bodyOf(thread.rootEvent), thread.hasCurrentUserParticipated], [12, 'cups', true]);
  await until(() => 'the thread to be ready', () => thread.initialEventsFetched);
  while (thread.liveTimeline.getPaginationToken(EventTimeline.BACKWARDS) !== null) await late.client.paginateEventTimeline(thread.liveTimeline, { backwards: true, limit: 5 });
  assert.deepEqual(thread.events.map(bodyOf), ['cups', ...cups]);
  // The SDK turns the server's order round, as it does with messages: the newest answer was first.
  for (const list of ['all', 'participated']) {
    const { chunk } = await late.client.createThreadListMessagesRequest(roomId, null, 5, Direction.Backward, list as never);
    assert.deepEqual(chunk.map(({ event_id }) => event_id), roots, list === 'all' ? 'by their newest answers' : 'one root is his, in the other he has answered');
  }
}

/** Looks at the middle of what was said, then both ways. */
export async function windows(place: Place): Promise<void> {
  const { alice, bob, roomId } = await pair(place);
  const sent: string[] = [];
  for (let number = 0; number < 40; number += 1) sent.push(await say(alice, roomId, `${number}`));
  const late = await anotherClient(place, bob);
  const room = late.getRoom(roomId)!;
  const window = new TimelineWindow(late, room.getUnfilteredTimelineSet(), { windowLimit: 200 });
  await window.load(sent[15], 6);
  assert.ok(window.getEvents().some((event) => event.getId() === sent[15]));
  for (const way of [Direction.Backward, Direction.Forward]) while (window.canPaginate(way)) await window.paginate(way, 7);
  const shown = window.getEvents();
  assert.deepEqual(shown.filter((event) => event.getType() === 'm.room.message').map((event) => event.getId()), sent);
  assert.deepEqual([shown[0]?.getType(), shown.length], ['m.room.create', new Set(shown.map((event) => event.getId())).size]);
  const middle = shown.find((event) => event.getId() === sent[20])!;
  assert.equal((await late.timestampToEvent(roomId, middle.getTs(), Direction.Forward)).event_id, shown.find((event) => event.getTs() >= middle.getTs())!.getId());
  assert.equal((await late.fetchRoomEvent(roomId, sent[20]!)).content!['body'], '20');
}

/** Members come when they are needed. */
export async function lazyMembers(place: Place): Promise<void> {
  const { alice, bob, roomId } = await pair(place);
  const others = [await newUser(place, 'carol'), await newUser(place, 'dave')];
  for (const other of others) {
    await alice.client.invite(roomId, other.userId);
    await membershipOf(other.client, roomId, 'invite');
    await other.client.joinRoom(roomId);
  }
  for (let number = 0; number < 10; number += 1) await say(alice, roomId, `${number}`);
  const late = await anotherClient(place, bob);
  const room = late.getRoom(roomId)!;
  const known = (): string[] => room.getMembersWithMembership('join').map(({ userId }) => userId);
  assert.ok(known().length < 4 && [alice, bob].every(({ userId }) => known().includes(userId)), known().join());
  assert.equal(room.getJoinedMemberCount(), 4, 'the summary counts them all the same');
  await room.loadMembersIfNeeded();
  assert.deepEqual(known().sort(), [alice, bob, ...others].map(({ userId }) => userId).sort());
  const { chunk } = await late.members(roomId, 'join');
  assert.equal((chunk as unknown as unknown[]).length, 4);
}

/** Who is ignored is not heard. */
export async function ignoring(place: Place): Promise<void> {
  const { alice, bob, roomId } = await pair(place);
  await bob.client.setIgnoredUsers([alice.userId]);
  await until(() => 'the list', () => bob.client.isUserIgnored(alice.userId));
  const [unheard, heard] = [await say(alice, roomId, 'unheard'), await say(bob, roomId, 'heard')];
  await seen(bob.client, roomId, heard);
  const { room_id: other } = await alice.client.createRoom({ invite: [bob.userId] });
  await seen(bob.client, roomId, await say(bob, roomId, 'later'));
  const late = await anotherClient(place, bob);
  for (const client of [bob.client, late]) {
    assert.equal(client.getRoom(roomId)!.findEventById(unheard), undefined);
    assert.equal(client.getRoom(other), null, 'nor are invites');
  }
  await bob.client.setIgnoredUsers([]);
  await seen(bob.client, roomId, await say(alice, roomId, 'heard again'));
}
