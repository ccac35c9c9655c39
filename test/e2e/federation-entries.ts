/** The ways into a room of another server: by its alias, by a knock, by being in another room; and an invite that is withdrawn before anybody came. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { eventually } from '../kit/eventually.ts';
import { register, V3, type Answer } from './api-client.ts';
import { bothSee, close, membershipOf, ok, refused, type Member, type SharedRoom } from './federation-rooms.ts';

/** A new room of the host; nobody else is in it yet. */
export async function hostRoom(host: Member, guest: Member, content: object): Promise<SharedRoom> {
  const made = await ok(host.session.call('POST', `${V3}/createRoom`, { preset: 'private_chat', name: 'Tea', ...content }));
  const roomId = made.room_id as string;
  return { roomId, path: `${V3}/rooms/${encodeURIComponent(roomId)}`, host, guest };
}

/** A request of the guest to the host's server: both names of the parameter. */
export function by({ host }: Pick<SharedRoom, 'host'>): string {
  return `via=${host.peer.serverName}&server_name=${host.peer.serverName}`;
}

export const joinOf = (room: SharedRoom, { session }: Pick<Member, 'session'> = room.guest): Promise<Answer> => session.call('POST', `${V3}/join/${encodeURIComponent(room.roomId)}?${by(room)}`, {});
const knockOf = (room: SharedRoom): Promise<Answer> => room.guest.session.call('POST', `${V3}/knock/${encodeURIComponent(room.roomId)}?${by(room)}`, { reason: 'tea' });
const ruled = (joinRule: object): object => ({ initial_state: [{ type: 'm.room.join_rules', state_key: '', content: joinRule }] });

/** The alias says where the room is; when it is gone, it leads nowhere. */
export async function byAlias(host: Member, guest: Member, roomVersion: string): Promise<void> {
  const name = `tea${randomBytes(4).toString('hex')}`;
  const room = await hostRoom(host, guest, { preset: 'public_chat', room_alias_name: name, room_version: roomVersion });
  const alias = `#${name}:${host.peer.serverName}`;
  const look = (): Promise<Answer> => guest.session.call('GET', `${V3}/directory/room/${encodeURIComponent(alias)}`);
  const found = await ok(look()) as { room_id: string; servers: string[] };
  assert.deepEqual([found.room_id, found.servers.includes(host.peer.serverName)], [room.roomId, true]);
  assert.deepEqual(await ok(guest.session.call('POST', `${V3}/join/${encodeURIComponent(alias)}`, {})), { room_id: room.roomId });
  await bothSee(room, 'join');
  await ok(host.session.call('DELETE', `${V3}/directory/room/${encodeURIComponent(alias)}`));
  const { status, body } = await look();
  assert.deepEqual([status, body['errcode']], [404, 'M_NOT_FOUND']);
  await close(room);
}

interface KnockedRoom {
  readonly knock_state?: { readonly events: readonly { readonly type: string; readonly content: Record<string, unknown> }[] };
}

let asked = 0;

async function sectionOf({ session }: Member, section: string): Promise<Readonly<Record<string, KnockedRoom>>> {
  // A Synapse gives the same answer to the same question for a while.
  const filter = JSON.stringify({ room: { timeline: { limit: (asked += 1) } } });
  const { rooms } = await ok(session.call('GET', `${V3}/sync?filter=${encodeURIComponent(filter)}`)) as { rooms?: Record<string, Record<string, KnockedRoom>> };
  return rooms?.[section] ?? {};
}

/** A knock that is taken back, one that is refused, and one that is answered by an invite. */
export async function byKnock(host: Member, guest: Member, roomVersion: string): Promise<void> {
  const room = await hostRoom(host, guest, { room_version: roomVersion, ...ruled({ join_rule: 'knock' }) });
  const membership = (expected: string): Promise<void> => host.follower.until(`${expected} of the guest`, () => membershipOf(host, room.roomId, guest) === expected);
  await ok(knockOf(room));
  await membership('knock');
  await eventually('the knock in /sync', async () => Object.hasOwn(await sectionOf(guest, 'knock'), room.roomId));
  const told = (await sectionOf(guest, 'knock'))[room.roomId]?.knock_state?.events ?? [];
  assert.equal(told.find(({ type }) => type === 'm.room.name')?.content['name'], 'Tea');
  assert.equal(told.find(({ type }) => type === 'm.room.create')?.content['room_version'], roomVersion);
  await ok(guest.session.call('POST', `${room.path}/leave`, {}));
  // A Synapse tells no other server that its user has taken a knock back.
  if (guest.peer.software === 'Myelin') await membership('leave');
  await ok(knockOf(room));
  await membership('knock');
  await refused(joinOf(room), 'a knock lets nobody in');
  await ok(host.session.call('POST', `${room.path}/kick`, { user_id: guest.session.userId, reason: 'no tea' }));
  await membership('leave');
  // A Synapse neither tells the other server of it, nor believes one that tells it.
  if (host.peer.software === guest.peer.software) await eventually('the knock to be refused', async () => !Object.hasOwn(await sectionOf(guest, 'knock'), room.roomId));
  await ok(knockOf(room));
  await membership('knock');
  await ok(host.session.call('POST', `${room.path}/invite`, { user_id: guest.session.userId }));
  await guest.follower.until('the invite', () => guest.follower.room(room.roomId).membership === 'invite');
  await ok(joinOf(room));
  await bothSee(room, 'join');
  const closed = await hostRoom(host, guest, { room_version: roomVersion, ...ruled({ join_rule: 'invite' }) });
  await refused(knockOf(closed), 'a room that takes no knocks');
  await close(room);
}

/** Only who is in another room may come; where knocks are taken too, the others may knock. */
export async function byAnotherRoom(host: Member, guest: Member, options: { roomVersion: string; rule: 'restricted' | 'knock_restricted' }): Promise<void> {
  const lobby = await hostRoom(host, guest, { room_version: options.roomVersion, ...ruled({ join_rule: 'public' }) });
  const room = await hostRoom(host, guest, { room_version: options.roomVersion, ...ruled({ join_rule: options.rule, allow: [{ type: 'm.room_membership', room_id: lobby.roomId }] }) });
  const stranger = { session: await register(guest.peer.baseUrl) };
  await refused(joinOf(room, stranger), 'who is not in the other room');
  if (options.rule === 'knock_restricted') await ok(knockOf({ ...room, guest: { ...guest, ...stranger } }));
  await ok(joinOf(lobby));
  await bothSee(lobby, 'join');
  await ok(joinOf(room));
  await bothSee(room, 'join');
  const member = await ok(host.session.call('GET', `${room.path}/state/m.room.member/${encodeURIComponent(guest.session.userId)}`));
  assert.equal(member['join_authorised_via_users_server'], host.session.userId);
  await Promise.all([close(lobby), close(room)]);
}

/** The guest is asked to come, then not to; when they are asked once more, they come. */
export async function afterSecondThoughts(host: Member, guest: Member): Promise<void> {
  const room = await hostRoom(host, guest, { room_version: '12' });
  const view = guest.follower.room(room.roomId);
  const ask = async (way: 'invite' | 'kick'): Promise<void> => {
    await ok(host.session.call('POST', `${room.path}/${way}`, { user_id: guest.session.userId }));
    await guest.follower.until(`the ${way}`, () => (view.membership === 'invite') === (way === 'invite'));
  };
  for (const way of ['invite', 'kick', 'invite'] as const) await ask(way);
  await ok(joinOf(room));
  await bothSee(room, 'join');
  await close(room);
}
