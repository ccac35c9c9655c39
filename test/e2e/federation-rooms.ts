/** The life of a room that two servers share, seen by an ordinary user of each: invites declined and taken, messages both ways at once, redactions and state both ways, leave, rejoin, kick, ban. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMessages, register, V3, type Answer, type ApiSession } from './api-client.ts';
import { closeRoom } from './closing.ts';
import { follow, type Follower } from './follow.ts';
import type { Peer } from './peers.ts';

export interface Member {
  readonly peer: Peer;
  readonly session: ApiSession;
  readonly follower: Follower;
}

export interface SharedRoom {
  readonly roomId: string;
  /** `/_matrix/client/v3/rooms/...` */
  readonly path: string;
  readonly host: Member;
  readonly guest: Member;
}

const WORKERS = 8;
const WAIT_MS_MAX = 60_000;

/** A new user of that server, who follows /sync. */
export async function enter(peer: Peer, name: string): Promise<Member> {
  const session = await register(peer.baseUrl, `${name}${randomBytes(4).toString('hex')}`);
  return { peer, session, follower: await follow(session) };
}

export async function ok(asked: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await asked;
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

export async function refused(asked: Promise<Answer>, what: string): Promise<void> {
  const { status, body } = await asked;
  assert.deepEqual([status, (body as { errcode?: string }).errcode], [403, 'M_FORBIDDEN'], `${what}: ${JSON.stringify(body)}`);
}

/** Sends a text, once for each text. */
export async function say({ session }: Pick<Member, 'session'>, { path }: Pick<SharedRoom, 'path'>, body: string): Promise<void> {
  await ok(session.call('PUT', `${path}/send/m.room.message/${encodeURIComponent(body)}`, { msgtype: 'm.text', body }));
}

/** A room of the host's server to which the guest is invited, and which they join: at the second invite if they decline the first. */
export async function meet(host: Member, guest: Member, roomVersion: string, options: { declining?: boolean } = {}): Promise<SharedRoom> {
  const made = await ok(host.session.call('POST', `${V3}/createRoom`, { preset: 'private_chat', name: 'Meeting', room_version: roomVersion }));
  const roomId = made.room_id as string;
  const room: SharedRoom = { roomId, path: `${V3}/rooms/${encodeURIComponent(roomId)}`, host, guest };
  await invite(room);
  if (options.declining === true) {
    await ok(guest.session.call('POST', `${room.path}/leave`, {}));
    await guest.follower.until('the invite to be gone', () => guest.follower.room(roomId).membership === 'leave');
    await host.follower.until('the invite to be declined', () => membershipOf(host, roomId, guest) === 'leave');
    await invite(room);
  }
  await ok(guest.session.call('POST', `${V3}/join/${encodeURIComponent(roomId)}`, {}));
  await bothSee(room, 'join');
  return room;
}

async function invite({ roomId, path, host, guest }: SharedRoom): Promise<void> {
  await ok(host.session.call('POST', `${path}/invite`, { user_id: guest.session.userId }));
  const view = guest.follower.room(roomId);
  await guest.follower.until('the invite', () => view.membership === 'invite');
  assert.equal(view.invite.get('m.room.name')?.content.name, 'Meeting');
}

export const membershipOf = ({ follower }: Member, roomId: string, user: Member): string | undefined => follower.room(roomId).state.get(`m.room.member ${user.session.userId}`)?.content.membership as string | undefined;

/** Waits until host and guest have been told that the guest has this membership. */
export async function bothSee({ roomId, host, guest }: SharedRoom, membership: string): Promise<void> {
  for (const member of [host, guest]) await member.follower.until(`${guest.session.userId} to be in ${membership}`, () => membershipOf(member, roomId, guest) === membership);
  await guest.follower.until('the room to be where it belongs', () => guest.follower.room(roomId).membership === (membership === 'join' ? 'join' : 'leave'));
}

/** Both send `each` messages at the same time, each by several workers whose messages follow each other; both must get all of them, once each, those of every worker in their order. */
export async function talk(room: SharedRoom, each: number): Promise<void> {
  const { host, guest } = room;
  const run = randomBytes(3).toString('hex');
  const expected = new Map<string, string[]>();
  const sides = [host, guest].map((member) => ({ member, sent: 0, ahead: windowOf([host, guest]) }));
  await Promise.all(sides.flatMap((side, index) => Array.from({ length: WORKERS }, async (_, worker) => {
    const lane = `${run} ${index}.${worker}`;
    const other = sides[1 - index]!.member;
    const sent: string[] = [];
    expected.set(lane, sent);
    for (let number = worker; number < each; number += WORKERS) {
      const body = `${lane} ${number}`;
      side.sent += 1;
      await other.follower.until(`message ${side.sent - side.ahead} of ${lane}`, () => heard(other, room, `${run} ${index}.`).length > side.sent - side.ahead);
      await say(side.member, room, body);
      sent.push(body);
    }
  })));
  for (const member of [host, guest]) {
    await member.follower.until(`all of ${2 * each} messages`, () => heard(member, room, run).length >= 2 * each);
    await allOnce(member, room, { run, expected });
  }
}

/** How many messages of a user may be on their way: a Synapse that has 100 events of a room to look at drops some of them and leaves a hole. */
function windowOf(members: readonly Member[]): number {
  return members.some(({ peer }) => peer.software === 'Synapse') ? 40 : Number.POSITIVE_INFINITY;
}

/** The texts of messages with this beginning that the member has been told of. */
function heard(member: Member, { roomId }: SharedRoom, beginning: string): string[] {
  return member.follower.room(roomId).timeline.flatMap(({ content }) => (typeof content.body === 'string' && content.body.startsWith(beginning) ? [content.body] : []));
}

async function allOnce(member: Member, { roomId }: SharedRoom, { run, expected }: { run: string; expected: ReadonlyMap<string, readonly string[]> }): Promise<void> {
  const read = (await readMessages(member.session, encodeURIComponent(roomId))).map(({ body }) => body).filter((body) => body.startsWith(run));
  for (const [lane, sent] of expected) assert.deepEqual(read.filter((body) => body.startsWith(`${lane} `)), sent, `what ${member.session.userId} reads of ${lane}`);
  assert.equal(read.length, [...expected.values()].flat().length);
  const { told } = member.follower.room(roomId);
  assert.equal(new Set(told).size, told.length, 'no event came twice in /sync');
}

/** The host changes the state, then the guest does; each is seen by the other. Afterwards everybody may join. */
export async function changeState({ roomId, path, host, guest }: SharedRoom): Promise<void> {
  const seenBy = (member: Member, type: string, holds: (content: Record<string, unknown>) => boolean) =>
    member.follower.until(type, () => holds((member.follower.room(roomId).state.get(`${type} `)?.content ?? {}) as Record<string, unknown>));
  const levels = await ok(host.session.call('GET', `${path}/state/m.room.power_levels/`)) as { users?: Record<string, number> };
  await ok(host.session.call('PUT', `${path}/state/m.room.power_levels/`, { ...levels, users: { ...levels.users, [guest.session.userId]: 50 } }));
  await ok(host.session.call('PUT', `${path}/state/m.room.topic/`, { topic: 'of the host' }));
  await ok(host.session.call('PUT', `${path}/state/m.room.join_rules/`, { join_rule: 'public' }));
  await seenBy(guest, 'm.room.topic', ({ topic }) => topic === 'of the host');
  await seenBy(guest, 'm.room.join_rules', ({ join_rule: rule }) => rule === 'public');
  await ok(guest.session.call('PUT', `${path}/state/m.room.topic/`, { topic: 'of the guest' }));
  await seenBy(host, 'm.room.topic', ({ topic }) => topic === 'of the guest');
  for (const member of [host, guest]) assert.equal((await ok(member.session.call('GET', `${path}/state/m.room.topic/`)) as { topic: string }).topic, 'of the guest');
}

/** The guest goes and comes back, is thrown out and comes back, is banned and does not. */
export async function goAndCome(room: SharedRoom): Promise<void> {
  const { roomId, path, host, guest } = room;
  const join = (): Promise<Answer> => guest.session.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?server_name=${host.peer.serverName}&via=${host.peer.serverName}`, {});
  const speak = (body: string): Promise<Answer> => guest.session.call('PUT', `${path}/send/m.room.message/${encodeURIComponent(body)}`, { msgtype: 'm.text', body });
  const hears = (member: Member, body: string): Promise<void> => member.follower.until(body, () => member.follower.room(roomId).timeline.some(({ content }) => content.body === body));
  for (const [way, gone] of [['leave', guest], ['kick', host]] as const) {
    await ok(gone.session.call('POST', `${path}/${way}`, way === 'kick' ? { user_id: guest.session.userId } : {}));
    await bothSee(room, 'leave');
    await refused(speak(`after the ${way}`), `a message after the ${way}`);
    await say(host, room, `alone after the ${way}`);
    await ok(join());
    await bothSee(room, 'join');
    await say(host, room, `welcome back after the ${way}`);
    await hears(guest, `welcome back after the ${way}`);
    await say(guest, room, `thanks after the ${way}`);
    await hears(host, `thanks after the ${way}`);
  }
  await ok(host.session.call('POST', `${path}/ban`, { user_id: guest.session.userId }));
  await bothSee(room, 'ban');
  await refused(join(), 'a join in spite of the ban');
  await refused(speak('after the ban'), 'a message after the ban');
  await ok(host.session.call('POST', `${path}/unban`, { user_id: guest.session.userId }));
  await host.follower.until('the end of the ban', () => membershipOf(host, roomId, guest) === 'leave');
  await ok(join());
  await bothSee(room, 'join');
}

/** The guest says something and takes it back; the host does the same. */
export async function redact({ roomId, path, host, guest }: SharedRoom): Promise<void> {
  for (const [speaker, listener] of [[host, guest], [guest, host]] as const) {
    const { event_id: eventId } = await ok(speaker.session.call('PUT', `${path}/send/m.room.message/slip of ${speaker.session.userId}`, { msgtype: 'm.text', body: 'a slip' })) as { event_id: string };
    await listener.follower.until('the slip', () => listener.follower.room(roomId).timeline.some(({ event_id: told }) => told === eventId));
    await ok(speaker.session.call('PUT', `${path}/redact/${encodeURIComponent(eventId)}/back of ${speaker.session.userId}`, { reason: 'a slip' }));
    await listener.follower.until('the redaction', () => listener.follower.room(roomId).timeline.some((event) => event.type === 'm.room.redaction' && event.sender === speaker.session.userId));
    for (const { session } of [host, guest]) {
      const { content } = await ok(session.call('GET', `${path}/event/${encodeURIComponent(eventId)}`)) as { content: object };
      assert.deepEqual(content, {}, `what ${session.userId} sees of it`);
    }
  }
}

/** A second room of the host, open to the members of this one only: the guest gets in, somebody else of the guest's server does not. */
export async function enterByMembership(room: SharedRoom, roomVersion: string): Promise<SharedRoom> {
  const { roomId: lobby, host, guest } = room;
  const allow = { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: lobby }] } };
  const made = await ok(host.session.call('POST', `${V3}/createRoom`, { preset: 'private_chat', room_version: roomVersion, initial_state: [allow] })) as { room_id: string };
  const roomId = made.room_id;
  const join = ({ session }: Pick<Member, 'session'>): Promise<Answer> => session.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?server_name=${host.peer.serverName}&via=${host.peer.serverName}`, {});
  await refused(join({ session: await register(guest.peer.baseUrl) }), 'a join without being in the other room');
  await ok(join(guest));
  const second = { ...room, roomId, path: `${V3}/rooms/${encodeURIComponent(roomId)}` };
  await bothSee(second, 'join');
  return second;
}

/** Both servers name the same members. */
export async function sameMembers({ path, host, guest }: SharedRoom): Promise<void> {
  const members = async ({ session }: Member): Promise<string[]> => Object.keys((await ok(session.call('GET', `${path}/joined_members`)) as { joined: object }).joined).sort();
  for (const endsAt = performance.now() + WAIT_MS_MAX; ; await sleep(100)) {
    const [one, other] = [await members(host), await members(guest)];
    if (JSON.stringify(one) === JSON.stringify(other)) return assert.ok(one.length > 1);
    assert.ok(performance.now() < endsAt, `members differ: ${one.length} and ${other.length}`);
  }
}

/** Both speak a last time; then their servers agree about everything in the room. */
export async function close({ roomId, host, guest }: SharedRoom): Promise<void> {
  await closeRoom(roomId, [host, guest]);
}

/** All of it. */
export async function shareRoom(host: Member, guest: Member, options: { roomVersion: string; messages: number; closing?: boolean }): Promise<void> {
  const room = await meet(host, guest, options.roomVersion, { declining: true });
  await sameMembers(room);
  await talk(room, options.messages);
  await redact(room);
  await changeState(room);
  await goAndCome(room);
  const second = await enterByMembership(room, options.roomVersion);
  if (options.closing !== false) await Promise.all([close(room), close(second)]);
}

/** The same in short: the guest is invited, comes, talks, takes something back, and goes. */
export async function shareBriefly(host: Member, guest: Member, options: { roomVersion: string; messages: number }): Promise<void> {
  const room = await meet(host, guest, options.roomVersion);
  await talk(room, options.messages);
  await redact(room);
  await sameMembers(room);
  await close(room);
  await ok(guest.session.call('POST', `${room.path}/leave`, {}));
  await bothSee(room, 'leave');
}
