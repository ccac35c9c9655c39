/** Knocks, restricted joins and invites that are withdrawn between a Myelin and a real Synapse, where either may be the one that has the room. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { register, V3, type Answer, type ApiSession } from './api-client.ts';
import { neighbourhood, peerMissing, type Peer } from './peers.ts';

const TIMEOUT_MS = 240_000;
const WAIT_MS_MAX = 30_000;

interface Member {
  readonly peer: Peer;
  readonly session: ApiSession;
}

const inRoom = (roomId: string, rest: string): string => `${V3}/rooms/${encodeURIComponent(roomId)}/${rest}`;

async function ok(asked: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await asked;
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

async function refused(asked: Promise<Answer>, what: string): Promise<void> {
  const { status, body } = await asked;
  assert.deepEqual([status, (body as { errcode?: string }).errcode], [403, 'M_FORBIDDEN'], `${what}: ${JSON.stringify(body)}`);
}

async function until(what: string, reached: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_MS_MAX;
  while (!(await reached())) {
    assert.ok(performance.now() < end, `waited in vain for ${what}`);
    await sleep(100);
  }
}

async function newRoom({ session }: Member, roomVersion: string, joinRule: object): Promise<string> {
  const initial_state = [{ type: 'm.room.join_rules', state_key: '', content: joinRule }];
  return (await ok(session.call('POST', `${V3}/createRoom`, { preset: 'private_chat', name: 'Tea', room_version: roomVersion, initial_state }))).room_id as string;
}

const knock = ({ session }: Member, roomId: string, by: Peer) => session.call('POST', `${V3}/knock/${encodeURIComponent(roomId)}?via=${by.serverName}&server_name=${by.serverName}`, { reason: 'tea' });
const join = ({ session }: Member, roomId: string, by: Peer) => session.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?via=${by.serverName}&server_name=${by.serverName}`, {});
const membershipOf = async (host: Member, roomId: string, { session }: Member): Promise<string | undefined> =>
  (await host.session.call('GET', inRoom(roomId, `state/m.room.member/${encodeURIComponent(session.userId)}`))).body['membership'] as string | undefined;

interface Section {
  readonly [roomId: string]: { readonly knock_state?: { readonly events: readonly { readonly type: string; readonly content: Record<string, unknown> }[] } };
}

let asked = 0;

async function sectionOf({ session }: Member, section: string): Promise<Section> {
  // A Synapse gives the same answer to the same question for a while.
  const filter = JSON.stringify({ room: { timeline: { limit: (asked += 1) } } });
  const { rooms } = await ok(session.call('GET', `${V3}/sync?filter=${encodeURIComponent(filter)}`)) as { rooms?: Record<string, Section> };
  return rooms?.[section] ?? {};
}

async function knocks(host: Member, guest: Member, roomVersion: string): Promise<void> {
  const roomId = await newRoom(host, roomVersion, { join_rule: 'knock' });
  await ok(knock(guest, roomId, host.peer));
  await until('the knock', async () => (await membershipOf(host, roomId, guest)) === 'knock');
  await until('the knock in /sync', async () => Object.hasOwn(await sectionOf(guest, 'knock'), roomId));
  const told = (await sectionOf(guest, 'knock'))[roomId]?.knock_state?.events ?? [];
  assert.equal(told.find(({ type }) => type === 'm.room.name')?.content['name'], 'Tea');
  assert.equal(told.find(({ type }) => type === 'm.room.create')?.content['room_version'], roomVersion);
  await ok(guest.session.call('POST', inRoom(roomId, 'leave'), {}));
  // A Synapse tells no other server that its user has taken a knock back.
  if (guest.peer.software === 'Myelin') await until('the knock to be taken back', async () => (await membershipOf(host, roomId, guest)) === 'leave');
  await ok(knock(guest, roomId, host.peer));
  await refused(join(guest, roomId, host.peer), 'a knock lets nobody in');
  await ok(host.session.call('POST', inRoom(roomId, 'invite'), { user_id: guest.session.userId }));
  await until('the invite', async () => Object.hasOwn(await sectionOf(guest, 'invite'), roomId));
  await ok(join(guest, roomId, host.peer));
  await until('the join', async () => (await membershipOf(host, roomId, guest)) === 'join');
  const closed = await newRoom(host, roomVersion, { join_rule: 'invite' });
  await refused(knock(guest, closed, host.peer), 'a room that takes no knocks');
}

async function invitesAndThinksBetter(host: Member, guest: Member): Promise<void> {
  const roomId = await newRoom(host, '12', { join_rule: 'invite' });
  await ok(host.session.call('POST', inRoom(roomId, 'invite'), { user_id: guest.session.userId }));
  await until('the invite', async () => Object.hasOwn(await sectionOf(guest, 'invite'), roomId));
  await ok(host.session.call('POST', inRoom(roomId, 'kick'), { user_id: guest.session.userId }));
  await until('the invite to be gone', async () => !Object.hasOwn(await sectionOf(guest, 'invite'), roomId));
}

async function comesInByAnotherRoom(host: Member, guest: Member, roomVersion: string): Promise<void> {
  const space = await newRoom(host, roomVersion, { join_rule: 'public' });
  const roomId = await newRoom(host, roomVersion, { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: space }] });
  await refused(join(guest, roomId, host.peer), 'who is not in the other room');
  await ok(join(guest, space, host.peer));
  await until('the join of the other room', async () => (await membershipOf(host, space, guest)) === 'join');
  await ok(join(guest, roomId, host.peer));
  await until('the join', async () => (await membershipOf(host, roomId, guest)) === 'join');
  const { body } = await host.session.call('GET', inRoom(roomId, `state/m.room.member/${encodeURIComponent(guest.session.userId)}`));
  assert.equal(body['join_authorised_via_users_server'], host.session.userId);
}

suite('Myelin and Synapse', { skip: peerMissing('Synapse'), concurrency: false }, () => {
  const place = neighbourhood();
  const members: Member[] = [];
  test('both start', { timeout: TIMEOUT_MS }, async () => {
    for (const software of ['Myelin', 'Synapse'] as const) {
      const peer = await place.start(software);
      members.push({ peer, session: await register(peer.baseUrl, `user${randomBytes(4).toString('hex')}`) });
    }
  });
  for (const [hosting, software] of (['Myelin', 'Synapse'] as const).entries()) {
    for (const roomVersion of ['7', '11', '12']) {
      test(`knocks on a room of version ${roomVersion} of ${software}`, { timeout: TIMEOUT_MS }, () => knocks(members[hosting]!, members[1 - hosting]!, roomVersion));
    }
    for (const roomVersion of ['8', '12']) {
      test(`a restricted join of a room of version ${roomVersion} of ${software}`, { timeout: TIMEOUT_MS }, () => comesInByAnotherRoom(members[hosting]!, members[1 - hosting]!, roomVersion));
    }
    test(`an invite to a room of ${software} that is withdrawn`, { timeout: TIMEOUT_MS }, () => invitesAndThinksBetter(members[hosting]!, members[1 - hosting]!));
  }
  test('both stop', async () => place.stop());
});
