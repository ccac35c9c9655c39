/** What is unread, as matrix-js-sdk shows it to people: in rooms, in threads, on all of their clients. */
import assert from 'node:assert/strict';
import { NotificationCountType, Preset, PushRuleActionName, PushRuleKind, ReceiptType, TweakName, type MatrixClient } from 'matrix-js-sdk';
import { until } from './js-sdk.ts';
import { anotherClient, newRoom, newUser, say, sayIn, seen, type Place, type User } from './js-sdk-user.ts';

/** Three people, so that nothing counts as said to one alone. */
async function trio(place: Place): Promise<{ alice: User; bob: User; roomId: string }> {
  const [alice, bob, carol] = [await newUser(place, 'alice'), await newUser(place, 'bob'), await newUser(place, 'carol')];
  return { alice, bob, roomId: await newRoom(alice, [bob, carol], { preset: Preset.PrivateChat }) };
}

/** Unread and highlighted: of the main timeline, of the thread. */
function counts(client: MatrixClient, roomId: string, root: string): number[] {
  const room = client.getRoom(roomId)!;
  return [NotificationCountType.Total, NotificationCountType.Highlight].flatMap((type) => [room.getRoomUnreadNotificationCount(type), room.getThreadUnreadNotificationCount(root, type)]);
}

async function becomes(client: MatrixClient, [roomId, root]: readonly [string, string], expected: { main: [unread: number, highlights: number]; thread?: [unread: number, highlights: number] }): Promise<void> {
  const { main, thread = [0, 0] } = expected;
  const wanted = [main[0], thread[0], main[1], thread[1]].join();
  await until(() => `unread ${wanted}, it is ${counts(client, roomId, root).join()}`, () => counts(client, roomId, root).join() === wanted);
}

const mention = ({ userId }: User): object => ({ 'm.mentions': { user_ids: [userId] } });

export async function unreadCounts(place: Place): Promise<void> {
  const { alice, bob, roomId } = await trio(place);
  const other = await anotherClient(place, bob);
  const root = await say(alice, roomId, 'one');
  const both = async (expected: Parameters<typeof becomes>[2]): Promise<void> => {
    for (const client of [bob.client, other]) await becomes(client, [roomId, root], expected);
  };
  const two = await say(alice, roomId, 'two', mention(bob));
  await both({ main: [2, 1] });
  await say(alice, roomId, '* one!', { 'm.new_content': { msgtype: 'm.text', body: 'one!' }, 'm.relates_to': { rel_type: 'm.replace', event_id: root } });
  await alice.client.sendNotice(roomId, 'beep');
  await alice.client.sendEvent(roomId, 'm.reaction' as never, { 'm.relates_to': { rel_type: 'm.annotation', event_id: root, key: '👍' } } as never);
  await sayIn(alice, roomId, root, { body: 'in the thread' });
  const called = await sayIn(alice, roomId, root, { body: 'you', ...mention(bob) });
  await both({ main: [2, 1], thread: [2, 1] });
  assert.equal(bob.client.getRoom(roomId)!.getUnreadNotificationCount(NotificationCountType.Total), 4, 'the sum is what a list of rooms shows');
  const late = await anotherClient(place, bob);
  await becomes(late, [roomId, root], { main: [2, 1], thread: [2, 1] });
  await bob.client.sendReadReceipt(await seen(bob.client, roomId, two));
  await both({ main: [0, 0], thread: [2, 1] });
  await other.sendReceipt(await seen(other, roomId, called), ReceiptType.ReadPrivate, {});
  await both({ main: [0, 0] });
  assert.ok(await receiptOf(alice, { roomId, reader: bob }, two), 'the public receipt is told to others');
  await sayIn(alice, roomId, root, { body: 'again' });
  const last = await say(alice, roomId, 'three');
  await both({ main: [1, 0], thread: [1, 0] });
  await bob.client.sendReadReceipt(await seen(bob.client, roomId, last), ReceiptType.Read, true);
  await both({ main: [0, 0] });
  const gone = await say(alice, roomId, 'four');
  await say(alice, roomId, 'five');
  await both({ main: [2, 0] });
  await alice.client.redactEvent(roomId, gone);
  await both({ main: [1, 0] });
  await say(bob, roomId, 'who speaks has read');
  await both({ main: [0, 0] });
  const { notifications } = await bob.client.http.authedRequest<{ notifications: { event: { event_id: string }; read: boolean }[] }>('GET' as never, '/notifications', { limit: '3' });
  assert.deepEqual(notifications.map(({ read }) => read), notifications.map(() => true));
}

async function receiptOf(seer: User, { roomId, reader }: { roomId: string; reader: User }, eventId: string): Promise<boolean> {
  const room = seer.client.getRoom(roomId)!;
  await until(() => `the receipt at ${eventId}`, () => room.getEventReadUpTo(reader.userId, true) === eventId);
  return room.getReceiptsForEvent(room.findEventById(eventId)!).some(({ userId }) => userId === reader.userId);
}

/** Rules and markers that people set change what is counted. */
export async function countedByRules(place: Place): Promise<void> {
  const { alice, bob, roomId } = await trio(place);
  const first = await say(alice, roomId, 'first');
  await becomes(bob.client, [roomId, first], { main: [1, 0] });
  await bob.client.addPushRule('global', PushRuleKind.ContentSpecific, 'scones' as never, { pattern: 'scones', actions: [PushRuleActionName.Notify, { set_tweak: TweakName.Highlight, value: true }] });
  await say(alice, roomId, 'there are scones here');
  await becomes(bob.client, [roomId, first], { main: [2, 1] });
  await bob.client.setRoomMutePushRule('global', roomId, true);
  await until(() => 'the room to be muted', () => bob.client.getRoomPushRule('global', roomId) !== undefined || bob.client.pushRules!.global.override!.some(({ rule_id }) => rule_id === roomId));
  const unheard = await say(alice, roomId, 'psst');
  await seen(bob.client, roomId, unheard);
  await say(alice, roomId, 'and psst again');
  await becomes(bob.client, [roomId, first], { main: [2, 1] });
  const marked = await seen(bob.client, roomId, unheard);
  await bob.client.setRoomReadMarkers(roomId, unheard, marked);
  await becomes(bob.client, [roomId, first], { main: [0, 0] });
  await until(() => 'the marker', () => bob.client.getRoom(roomId)!.getAccountData('m.fully_read')?.getContent()['event_id'] === unheard);
}
