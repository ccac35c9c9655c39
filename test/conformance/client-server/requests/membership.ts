/** Who comes into a room and who goes. */
import { encodeBase64 } from '../../../../pkg/matrix/canonical-json/base64.ts';
import { signJson } from '../../../../pkg/matrix/signing/sign-json.ts';
import { signingKeyFromSeed } from '../../../../pkg/matrix/signing/signing-key.ts';
import type { Scene } from '../scene.ts';
import { CLIENT, type Call } from '../world.ts';
import { IDENTITY_SERVER } from '../identity-server.ts';
import { of, type GoodRequests } from './making.ts';

/** Of an identity server that has told Carol of her invite. */
const IDENTITY = { name: 'identity.example', key: signingKeyFromSeed('0', new Uint8Array(32).fill(3)) };

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
  const [roomId, token] = [await scene.newRoom(), `invite${scene.next()}`];
  const publicKey = encodeBase64(IDENTITY.key.publicKey);
  const content = { display_name: 'C…', public_key: publicKey, public_keys: [{ public_key: publicKey }] };
  await scene.world.ask(scene.alice, 'PUT', `/rooms/${roomId}/state/m.room.third_party_invite/${token}`, content);
  const signed = signJson({ sender: scene.alice.userId, mxid: scene.carol.userId, token }, IDENTITY.name, IDENTITY.key);
  return { method: 'POST', path: CLIENT + path(roomId), token: scene.carol.token, body: { reason: 'tea', third_party_signed: signed } };
}

export const MEMBERSHIP_REQUESTS: GoodRequests = {
  ban: (s) => withBob(s, 'ban'),
  unban: (s) => withBob(s, 'unban'),
  kick: (s) => withBob(s, 'kick'),
  inviteUser: (s) => withBob(s, 'invite'),
  inviteBy3PID: async (s) => of(s, 'POST', `/rooms/${await s.newRoom()}/invite`, { id_server: IDENTITY_SERVER, id_access_token: 't', medium: 'email', address: 'a@a.example' }),
  joinRoomById: (s) => byCarol(s, (roomId) => `/rooms/${roomId}/join`),
  joinRoom: (s) => byCarol(s, (roomId) => `/join/${roomId}?via=spec.example`),
  leaveRoom: async (s) => of(s, 'POST', `/rooms/${await s.newRoom()}/leave`, { reason: 'tea' }),
  forgetRoom: (s) => whereAliceLeft(s, 'forget'),
  knockRoom: (s) => byCarolWhereKnocking(s),
  getJoinedRooms: (s) => of(s, 'GET', '/joined_rooms'),
};
