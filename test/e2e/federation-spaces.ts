/** Rooms that lead to other rooms, across servers: spaces, the list of public rooms, and rooms that replace others. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { eventually } from '../kit/eventually.ts';
import { V3 } from './api-client.ts';
import { by, hostRoom, joinOf } from './federation-entries.ts';
import { bothSee, close, ok, type Member, type SharedRoom } from './federation-rooms.ts';

const V1 = '/_matrix/client/v1';

interface Summary {
  readonly room_id: string;
  readonly name?: string;
  readonly num_joined_members: number;
  readonly join_rule?: string;
  readonly room_type?: string;
  readonly children_state: readonly { readonly state_key: string }[];
}

async function tree({ session }: Member, roomId: string): Promise<Summary[]> {
  const found: Summary[] = [];
  for (let from = ''; ;) {
    const page = await ok(session.call('GET', `${V1}/rooms/${encodeURIComponent(roomId)}/hierarchy?limit=2${from}`)) as { rooms: Summary[]; next_batch?: string };
    found.push(...page.rooms);
    if (page.next_batch === undefined) return found;
    from = `&from=${encodeURIComponent(page.next_batch)}`;
  }
}

const inspect = (rooms: readonly Summary[]): unknown[] => rooms.map((room) => [room.room_id, room.name, room.join_rule, room.room_type, room.num_joined_members, room.children_state.map(({ state_key: key }) => key).sort()]).sort();

/** A space of the host with rooms of both servers, of which the guest is in none: each sees of the other's what it may, and both see the same but for what is hidden from the guest. */
export async function sharedSpace(host: Member, guest: Member): Promise<void> {
  const made = async (of: Member, content: object): Promise<string> => (await hostRoom(of, guest, content)).roomId;
  const space = await hostRoom(host, guest, { preset: 'public_chat', name: 'Space', creation_content: { type: 'm.space' }, room_version: '12' });
  const restricted = [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: space.roomId }] } }];
  const inner = await made(host, { preset: 'public_chat', name: 'Inner space', creation_content: { type: 'm.space' } });
  const rooms = {
    open: await made(host, { preset: 'public_chat', name: 'Open' }), hidden: await made(host, { name: 'Hidden' }), members: await made(host, { name: 'Members', initial_state: restricted }),
    deep: await made(host, { preset: 'public_chat', name: 'Deep' }), theirs: await made(guest, { preset: 'public_chat', name: 'Theirs' }),
  };
  const hang = async (parent: string, child: string, of: Member): Promise<void> =>
    void (await ok(host.session.call('PUT', `${V3}/rooms/${encodeURIComponent(parent)}/state/m.space.child/${encodeURIComponent(child)}`, { via: [of.peer.serverName] })));
  await ok(joinOf(space));
  await bothSee(space, 'join');
  for (const child of [rooms.open, rooms.hidden, rooms.members, inner]) await hang(space.roomId, child, host);
  await hang(inner, rooms.deep, host);
  await hang(space.roomId, rooms.theirs, guest);
  await guest.follower.until('the last child', () => guest.follower.room(space.roomId).state.has(`m.space.child ${rooms.theirs}`));
  const [seen, whole] = [await tree(guest, space.roomId), await tree(host, space.roomId)];
  assert.deepEqual(inspect(seen), inspect(whole.filter(({ room_id: roomId }) => roomId !== rooms.hidden)));
  assert.deepEqual(whole.map(({ name }) => name).sort(), ['Deep', 'Hidden', 'Inner space', 'Members', 'Open', 'Space', 'Theirs']);
  // The way from the space into the room that only it opens.
  const members = { ...space, roomId: rooms.members, path: `${V3}/rooms/${encodeURIComponent(rooms.members)}` };
  await ok(joinOf(members));
  await bothSee(members, 'join');
  await Promise.all([close(space), close(members)]);
}

interface Listed {
  readonly chunk: readonly { readonly room_id: string; readonly name?: string; readonly topic?: string; readonly num_joined_members: number }[];
  readonly next_batch?: string;
}

/** The host's server lists two rooms; the guest finds them from theirs: page by page, and by a word. */
export async function publicRooms(host: Member, guest: Member): Promise<void> {
  const word = `fair${randomBytes(4).toString('hex')}`;
  const rooms: SharedRoom[] = [];
  for (const name of ['One', 'Two']) rooms.push(await hostRoom(host, guest, { preset: 'public_chat', visibility: 'public', name: `${name} ${word}`, topic: 'Of tea' }));
  await ok(joinOf(rooms[0]!));
  await bothSee(rooms[0]!, 'join');
  const server = encodeURIComponent(host.peer.serverName);
  const ids = rooms.map(({ roomId }) => roomId).sort();
  const all = async (): Promise<string[]> => {
    const found: string[] = [];
    for (let since = ''; ;) {
      const page = await ok(guest.session.call('GET', `${V3}/publicRooms?server=${server}&limit=1${since}`)) as unknown as Listed;
      found.push(...page.chunk.map(({ room_id: roomId }) => roomId));
      if (page.next_batch === undefined) return found;
      since = `&since=${encodeURIComponent(page.next_batch)}`;
    }
  };
  await eventually('both rooms in the list', async () => {
    const found = await all();
    return ids.every((roomId) => found.includes(roomId));
  });
  const search = async (): Promise<Listed> => await ok(guest.session.call('POST', `${V3}/publicRooms?server=${server}`, { filter: { generic_search_term: word } })) as unknown as Listed;
  await eventually('two members', async () => (await search()).chunk.some((room) => room.num_joined_members === 2));
  const found = (await search()).chunk.map((room) => [room.room_id, room.name, room.topic, room.num_joined_members]).sort();
  assert.deepEqual(found, rooms.map(({ roomId }, index) => [roomId, `${['One', 'Two'][index]} ${word}`, 'Of tea', index === 0 ? 2 : 1]).sort());
  await close(rooms[0]!);
}

/** The host replaces a room that both are in; the guest follows. */
export async function upgrade(host: Member, guest: Member): Promise<void> {
  const name = `old${randomBytes(4).toString('hex')}`;
  const old = await hostRoom(host, guest, { preset: 'public_chat', room_version: '10', room_alias_name: name, topic: 'Of tea', power_level_content_override: { users: { [host.session.userId]: 100, [guest.session.userId]: 100 } } });
  await ok(joinOf(old));
  await bothSee(old, 'join');
  await ok(host.session.call('POST', `${old.path}/ban`, { user_id: `@nobody:${guest.peer.serverName}` }));
  const made = await ok(host.session.call('POST', `${old.path}/upgrade`, { new_version: '12' }));
  const roomId = made.replacement_room as string;
  await guest.follower.until('the tombstone', () => guest.follower.room(old.roomId).state.get('m.room.tombstone ')?.content.replacement_room === roomId);
  const next: SharedRoom = { ...old, roomId, path: `${V3}/rooms/${encodeURIComponent(roomId)}` };
  await ok(joinOf(next));
  await bothSee(next, 'join');
  const state = guest.follower.room(roomId).state;
  assert.equal(state.get('m.room.create ')?.content.predecessor?.room_id, old.roomId);
  assert.equal(state.get('m.room.topic ')?.content.topic, 'Of tea');
  // A server that has joined without the members tells of them a moment later.
  await guest.follower.until('the ban', () => state.get(`m.room.member @nobody:${guest.peer.serverName}`)?.content.membership === 'ban');
  const alias = encodeURIComponent(`#${name}:${host.peer.serverName}`);
  await eventually('the alias to lead on', async () => (await ok(guest.session.call('GET', `${V3}/directory/room/${alias}?${by(old)}`)))['room_id'] === roomId);
  await Promise.all([close(old), close(next)]);
}
