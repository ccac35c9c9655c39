/** The room directory, what rooms say of themselves, spaces, rooms in common, tags, reports. */
import { APPSERVICE_TOKEN, CLIENT } from '../world.ts';
import type { Scene } from '../scene.ts';
import { of, type GoodRequests } from './making.ts';

const V1 = '/_matrix/client/v1';
const FILTER = { generic_search_term: 'tea', room_types: [null, 'm.space'] };

/** A space of Alice with a room in it. */
async function space(scene: Scene): Promise<string> {
  const { world, alice, roomId } = scene;
  const { room_id: spaceId } = await world.ask(alice, 'POST', '/createRoom', {
    name: 'House', topic: 'Rooms', preset: 'public_chat', visibility: 'public', creation_content: { type: 'm.space' },
    initial_state: [
      { type: 'm.space.child', state_key: roomId, content: { via: ['spec.example'], suggested: true } }, { type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      { type: 'm.room.join_rules', content: { join_rule: 'knock_restricted', allow: [{ type: 'm.room_membership', room_id: roomId }] } }, { type: 'm.room.avatar', content: { url: 'mxc://spec.example/a' } },
    ],
  });
  return spaceId as string;
}

export const DIRECTORY_REQUESTS: GoodRequests = {
  getRoomVisibilityOnDirectory: (s) => of(s, 'GET', `/directory/list/room/${s.roomId}`),
  setRoomVisibilityOnDirectory: (s) => of(s, 'PUT', `/directory/list/room/${s.roomId}`, { visibility: 'public' }),
  updateAppserviceRoomDirectoryVisibility: (s) => ({ method: 'PUT', path: `${CLIENT}/directory/list/appservice/irc/${s.roomId}`, token: APPSERVICE_TOKEN, body: { visibility: 'public' } }),
  getPublicRooms: async (s) => {
    await Promise.all([space(s), space(s)]);
    const { next_batch: since } = await s.world.ask(s.alice, 'GET', '/publicRooms?limit=1');
    return of(s, 'GET', `/publicRooms?limit=1&since=${since}&server=spec.example`);
  },
  queryPublicRooms: async (s) => {
    await Promise.all([space(s), space(s)]);
    const { next_batch: since } = await s.world.ask(s.alice, 'POST', '/publicRooms', { limit: 1 });
    return of(s, 'POST', '/publicRooms?server=spec.example', { limit: 1, since, filter: FILTER, include_all_networks: false, third_party_instance_id: 'irc' });
  },
  getRoomSummary: async (s) => ({ ...of(s, 'GET', ''), path: `${V1}/room_summary/${await space(s)}?via=spec.example` }),
  getSpaceHierarchy: async (s) => {
    const spaceId = await space(s);
    const path = `${V1}/rooms/${spaceId}/hierarchy?suggested_only=true&limit=1&max_depth=3`;
    const { body } = await s.world.call({ ...of(s, 'GET', ''), path });
    return { ...of(s, 'GET', ''), path: `${path}&from=${body.next_batch}` };
  },
  getRoomTags: (s) => of(s, 'GET', `/user/${s.alice.userId}/rooms/${s.roomId}/tags`),
  setRoomTag: (s) => of(s, 'PUT', `/user/${s.alice.userId}/rooms/${s.roomId}/tags/m.favourite`, { order: 0.25 }),
  deleteRoomTag: (s) => of(s, 'DELETE', `/user/${s.alice.userId}/rooms/${s.roomId}/tags/u.work`),
  reportRoom: (s) => of(s, 'POST', `/rooms/${s.roomId}/report`, { reason: 'loud' }),
  reportEvent: (s) => of(s, 'POST', `/rooms/${s.roomId}/report/${s.eventId}`, { reason: 'rude' }),
  reportUser: (s) => of(s, 'POST', `/users/${s.bob.userId}/report`, { reason: 'spam' }),
  getMutualRooms: (s) => ({ ...of(s, 'GET', ''), path: `${V1}/mutual_rooms?user_id=${s.bob.userId}` }),
};
