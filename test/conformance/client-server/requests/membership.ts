/** Who comes into a room and who goes. */
import type { Scene } from '../scene.ts';
import { CLIENT, type Call } from '../world.ts';
import { of, type GoodRequests } from './making.ts';

const SIGNED = { sender: '@alice:spec.example', mxid: '@bob:spec.example', token: 't', signatures: { 'spec.example': { 'ed25519:1': 's' } } };

async function withBob(scene: Scene, verb: string): Promise<Call> {
  const roomId = await scene.newRoom();
  if (verb === 'kick') await scene.world.ask(scene.bob, 'POST', `/join/${roomId}`, {});
  if (verb === 'unban') await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/ban`, { user_id: scene.bob.userId });
  return of(scene, 'POST', `/rooms/${roomId}/${verb}`, { user_id: scene.bob.userId, reason: 'tea' });
}

async function whereAliceLeft(scene: Scene, verb: string): Promise<Call> {
  const roomId = await scene.newRoom();
  await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/leave`, {});
  return of(scene, 'POST', `/rooms/${roomId}/${verb}`);
}

async function byCarolWhereKnocking({ world, alice, carol }: Scene): Promise<Call> {
  const { room_id: roomId } = await world.ask(alice, 'POST', '/createRoom', { initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }] });
  return { method: 'POST', path: `${CLIENT}/knock/${roomId}?via=spec.example`, token: carol.token, body: { reason: 'tea' } };
}

async function byCarol(scene: Scene, path: (roomId: string) => string): Promise<Call> {
  return { method: 'POST', path: CLIENT + path(await scene.newRoom()), token: scene.carol.token, body: { reason: 'tea', third_party_signed: SIGNED } };
}

export const MEMBERSHIP_REQUESTS: GoodRequests = {
  ban: (s) => withBob(s, 'ban'),
  unban: (s) => withBob(s, 'unban'),
  kick: (s) => withBob(s, 'kick'),
  inviteUser: (s) => withBob(s, 'invite'),
  joinRoomById: (s) => byCarol(s, (roomId) => `/rooms/${roomId}/join`),
  joinRoom: (s) => byCarol(s, (roomId) => `/join/${roomId}?via=spec.example`),
  leaveRoom: async (s) => of(s, 'POST', `/rooms/${await s.newRoom()}/leave`, { reason: 'tea' }),
  forgetRoom: (s) => whereAliceLeft(s, 'forget'),
  knockRoom: (s) => byCarolWhereKnocking(s),
  getJoinedRooms: (s) => of(s, 'GET', '/joined_rooms'),
};
