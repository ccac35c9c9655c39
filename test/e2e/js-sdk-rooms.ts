/** Rooms and who is in them, as matrix-js-sdk uses them. */
import assert from 'node:assert/strict';
import { GuestAccess, HistoryVisibility, JoinRule, Preset, RestrictedAllowType, Visibility, type Room } from 'matrix-js-sdk';
import { RoomHierarchy } from 'matrix-js-sdk/lib/room-hierarchy.js';
import { until } from './js-sdk.ts';
import { membershipOf, newRoom, newUser, randomName, refused, say, seen, type Place } from './js-sdk-user.ts';

const state = (room: Room, type: string, key = ''): Record<string, unknown> | undefined => room.currentState.getStateEvents(type, key)?.getContent();

export async function presets(place: Place): Promise<void> {
  const [alice, bob] = [await newUser(place, 'alice'), await newUser(place, 'bob')];
  const expected = {
    [Preset.PrivateChat]: [JoinRule.Invite, HistoryVisibility.Shared, GuestAccess.CanJoin, false],
    [Preset.TrustedPrivateChat]: [JoinRule.Invite, HistoryVisibility.Shared, GuestAccess.CanJoin, true],
    [Preset.PublicChat]: [JoinRule.Public, HistoryVisibility.Shared, GuestAccess.Forbidden, false],
  };
  for (const [preset, [rule, visibility, access, trusted]] of Object.entries(expected)) {
    const roomId = await newRoom(alice, [bob], { preset: preset as Preset, name: 'Room', topic: 'Tea', is_direct: true, initial_state: [{ type: 'org.example.tea', content: { leaves: 3 } }] });
    const room = bob.client.getRoom(roomId)!;
    assert.deepEqual([room.getJoinRule(), room.getHistoryVisibility(), room.getGuestAccess()], [rule, visibility, access], preset);
    assert.deepEqual([room.name, state(room, 'm.room.topic')!['topic'], state(room, 'org.example.tea'), room.getVersion(), room.getCreator()], ['Room', 'Tea', { leaves: 3 }, '12', alice.userId]);
    assert.equal(room.currentState.maySendStateEvent('m.room.name', bob.userId), trusted, preset);
    await (trusted === true ? bob.client.setRoomName(roomId, 'Mine too') : refused(bob.client.setRoomName(roomId, 'Mine too'), 'M_FORBIDDEN'));
  }
}

/** Invite, refusal, kick, ban, unban, leave, forget. */
export async function memberships(place: Place): Promise<void> {
  const [alice, bob] = [await newUser(place, 'alice'), await newUser(place, 'bob')];
  const { room_id: roomId } = await alice.client.createRoom({ name: 'Club', preset: Preset.PrivateChat });
  await refused(bob.client.joinRoom(roomId), 'M_FORBIDDEN');
  await alice.client.invite(roomId, bob.userId, { reason: 'come' } as never);
  const invited = await membershipOf(bob.client, roomId, 'invite');
  assert.deepEqual([invited.name, state(invited, 'm.room.member', bob.userId)!['reason']], ['Club', 'come'], 'an invite says where to and why');
  await bob.client.leave(roomId);
  await membershipOf(bob.client, roomId, 'leave');
  await alice.client.invite(roomId, bob.userId);
  await membershipOf(bob.client, roomId, 'invite');
  await bob.client.joinRoom(roomId);
  await membershipOf(bob.client, roomId, 'join');
  await refused(bob.client.kick(roomId, alice.userId), 'M_FORBIDDEN');
  await alice.client.kick(roomId, bob.userId, 'too loud');
  const kicked = await membershipOf(bob.client, roomId, 'leave');
  assert.equal(state(kicked, 'm.room.member', bob.userId)!['reason'], 'too loud');
  await refused(say(bob, roomId, 'from outside'), 'M_FORBIDDEN');
  await alice.client.ban(roomId, bob.userId, 'still loud');
  await membershipOf(bob.client, roomId, 'ban');
  await refused(alice.client.invite(roomId, bob.userId), 'M_FORBIDDEN');
  await alice.client.unban(roomId, bob.userId);
  await membershipOf(bob.client, roomId, 'leave');
  await alice.client.invite(roomId, bob.userId);
  await membershipOf(bob.client, roomId, 'invite');
  await bob.client.joinRoom(roomId);
  await bob.client.leave(roomId);
  await membershipOf(bob.client, roomId, 'leave');
  await bob.client.forget(roomId);
  await refused(bob.client.createMessagesRequest(roomId, null, 5, 'b' as never), 'M_FORBIDDEN');
  assert.deepEqual((await bob.client.getJoinedRooms()).joined_rooms, []);
}

/** Rooms that one knocks at, and rooms for members of another one. */
export async function doors(place: Place): Promise<void> {
  const [alice, bob] = [await newUser(place, 'alice'), await newUser(place, 'bob')];
  const { room_id: knocked } = await alice.client.createRoom({ preset: Preset.PrivateChat, initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: JoinRule.Knock } }] });
  await bob.client.knockRoom(knocked, { reason: 'thirsty' });
  await membershipOf(bob.client, knocked, 'knock');
  await until(() => 'the knock', () => alice.client.getRoom(knocked)?.getMember(bob.userId)?.membership === 'knock');
  assert.equal(alice.client.getRoom(knocked)!.getMember(bob.userId)!.events.member!.getContent()['reason'], 'thirsty');
  await alice.client.invite(knocked, bob.userId);
  await membershipOf(bob.client, knocked, 'invite');
  await bob.client.joinRoom(knocked);
  await membershipOf(bob.client, knocked, 'join');
  const { room_id: lounge } = await alice.client.createRoom({ preset: Preset.PublicChat });
  const { room_id: kitchen } = await alice.client.createRoom({
    preset: Preset.PrivateChat, initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: JoinRule.Restricted, allow: [{ type: RestrictedAllowType.RoomMembership, room_id: lounge }] } }],
  });
  await refused(bob.client.joinRoom(kitchen), 'M_FORBIDDEN');
  await bob.client.joinRoom(lounge);
  await bob.client.joinRoom(kitchen);
  const room = await membershipOf(bob.client, kitchen, 'join');
  assert.equal(state(room, 'm.room.member', bob.userId)!['join_authorised_via_users_server'], alice.userId);
}

export async function directory(place: Place): Promise<void> {
  const [alice, bob] = [await newUser(place, 'alice'), await newUser(place, 'bob')];
  const word = randomName('tearoom');
  const [alias, other] = [`#${word}:e2e.test`, `#${word}-2:e2e.test`];
  const { room_id: roomId } = await alice.client.createRoom({ preset: Preset.PublicChat, room_alias_name: word, name: `The ${word}`, topic: 'All about tea' });
  assert.deepEqual(await bob.client.getRoomIdForAlias(alias), { room_id: roomId, servers: ['e2e.test'] });
  await alice.client.createAlias(other, roomId);
  assert.deepEqual((await alice.client.getLocalAliases(roomId)).aliases.sort(), [alias, other].sort());
  await refused(alice.client.createAlias(other, roomId), 'M_UNKNOWN', 409);
  await alice.client.sendStateEvent(roomId, 'm.room.canonical_alias' as never, { alias, alt_aliases: [other] } as never);
  const room = await bob.client.joinRoom(other);
  assert.equal(room.roomId, roomId);
  const joined = await membershipOf(bob.client, roomId, 'join');
  await until(() => 'the names', () => joined.getCanonicalAlias() === alias && joined.getAltAliases().includes(other));
  await refused(bob.client.deleteAlias(alias), 'M_FORBIDDEN');
  await alice.client.deleteAlias(other);
  await refused(bob.client.getRoomIdForAlias(other), 'M_NOT_FOUND', 404);
  const find = async () => (await bob.client.publicRooms({ filter: { generic_search_term: word }, limit: 5 })).chunk;
  assert.deepEqual(await find(), [], 'what is public is not published by that');
  assert.deepEqual(await alice.client.getRoomDirectoryVisibility(roomId), { visibility: Visibility.Private });
  await alice.client.setRoomDirectoryVisibility(roomId, Visibility.Public);
  const [found] = await find();
  assert.deepEqual([found?.room_id, found?.name, found?.topic, found?.num_joined_members, found?.canonical_alias, found?.join_rule, found?.world_readable, found?.guest_can_join], [roomId, `The ${word}`, 'All about tea', 2, alias, JoinRule.Public, false, false]);
  const carol = await newUser(place, 'carol');
  const summary = await carol.client.getRoomSummary(alias, ['e2e.test']);
  assert.deepEqual([summary.room_id, summary.name, summary.num_joined_members, summary.room_version, summary.membership ?? 'leave'], [roomId, `The ${word}`, 2, '12', 'leave']);
}

export async function upgrade(place: Place): Promise<void> {
  const [alice, bob] = [await newUser(place, 'alice'), await newUser(place, 'bob')];
  const word = randomName('old');
  const roomId = await newRoom(alice, [bob], { preset: Preset.PublicChat, room_version: '11', room_alias_name: word, topic: 'Stays' });
  await bob.client.setRoomTag(roomId, 'm.favourite', { order: 0.25 });
  await refused(bob.client.upgradeRoom(roomId, '12'), 'M_FORBIDDEN');
  const { replacement_room: replacement } = await alice.client.upgradeRoom(roomId, '12');
  await until(() => 'the tombstone', () => state(bob.client.getRoom(roomId)!, 'm.room.tombstone')?.['replacement_room'] === replacement);
  await bob.client.joinRoom(replacement);
  const room = await membershipOf(bob.client, replacement, 'join');
  await until(() => 'the chain of rooms', () => bob.client.getRoomUpgradeHistory(replacement, true).map((one) => one.roomId).join() === [roomId, replacement].join());
  assert.deepEqual([room.getVersion(), room.findPredecessor()?.roomId, state(room, 'm.room.topic')!['topic'], room.getJoinRule()], ['12', roomId, 'Stays', JoinRule.Public]);
  assert.equal((await bob.client.getRoomIdForAlias(`#${word}:e2e.test`)).room_id, replacement);
  await until(() => 'the tag of the old room', () => room.tags['m.favourite'] !== undefined);
  await refused(say(bob, roomId, 'too late'), 'M_FORBIDDEN');
  await seen(alice.client, replacement, await say(bob, replacement, 'here now'));
}

export async function spaces(place: Place): Promise<void> {
  const [alice, bob] = [await newUser(place, 'alice'), await newUser(place, 'bob')];
  const make = async (name: string, preset: Preset, more: object = {}): Promise<string> => (await alice.client.createRoom({ name, preset, ...more })).room_id;
  const space = { creation_content: { type: 'm.space' } };
  const [house, floor] = [await make('House', Preset.PublicChat, space), await make('Floor', Preset.PublicChat, space)];
  const [kitchen, cellar, attic] = [await make('Kitchen', Preset.PublicChat), await make('Cellar', Preset.PrivateChat), await make('Attic', Preset.PublicChat)];
  for (const [parent, child, more] of [[house, floor, { order: 'b' }], [house, kitchen, { order: 'a', suggested: true }], [house, cellar, {}], [floor, attic, {}]] as const) {
    await alice.client.sendStateEvent(parent, 'm.space.child' as never, { via: ['e2e.test'], ...more } as never, child);
  }
  await bob.client.joinRoom(house);
  const root = await membershipOf(bob.client, house, 'join');
  assert.ok(root.isSpaceRoom());
  const hierarchy = new RoomHierarchy(root, 2, 5, false);
  while (hierarchy.canLoadMore) await hierarchy.load();
  assert.deepEqual(hierarchy.rooms!.map(({ name }) => name), ['House', 'Kitchen', 'Floor', 'Attic'], 'in their order, page by page, and nothing that bob may not know');
  assert.deepEqual([hierarchy.isSuggested(house, kitchen), hierarchy.isSuggested(house, floor) ?? false], [true, false]);
  const { rooms } = await bob.client.getRoomHierarchy(house, 10, 1, true);
  assert.deepEqual(rooms.map(({ room_id }) => room_id), [house, kitchen]);
  const { rooms: all } = await alice.client.getRoomHierarchy(house, 10);
  assert.equal(all.length, 5);
}

