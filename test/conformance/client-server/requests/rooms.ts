/** Rooms, their aliases, and what is written into them. */
import type { Scene } from '../scene.ts';
import type { Call } from '../world.ts';
import { of, type GoodRequests } from './making.ts';

const ROOM = {
  visibility: 'private', name: 'Tea', topic: 'Tea', invite: ['@bob:spec.example'], invite_3pid: [], room_version: '11', creation_content: { 'm.federate': false },
  initial_state: [{ type: 'm.room.guest_access', state_key: '', content: { guest_access: 'forbidden' } }], preset: 'private_chat', is_direct: true,
  power_level_content_override: { events_default: 1 },
};

async function withAlias(scene: Scene, method: string): Promise<Call> {
  const path = `/directory/room/%23coffee${scene.next()}:spec.example`;
  await scene.world.ask(scene.alice, 'PUT', path, { room_id: scene.roomId });
  return of(scene, method, path);
}

export const ROOM_REQUESTS: GoodRequests = {
  createRoom: (s) => of(s, 'POST', '/createRoom', { ...ROOM, room_alias_name: `tea-room-${s.next()}` }),
  upgradeRoom: async (s) => of(s, 'POST', `/rooms/${await s.newRoom()}/upgrade`, { new_version: '12', additional_creators: ['@bob:spec.example'] }),
  setRoomAlias: (s) => of(s, 'PUT', `/directory/room/%23tea${s.next()}:spec.example`, { room_id: s.roomId }),
  getRoomIdByAlias: (s) => withAlias(s, 'GET'),
  deleteRoomAlias: (s) => withAlias(s, 'DELETE'),
  getLocalAliases: (s) => of(s, 'GET', `/rooms/${s.roomId}/aliases`),
  setReadMarker: (s) => of(s, 'POST', `/rooms/${s.roomId}/read_markers`, { 'm.fully_read': s.eventId, 'm.read': s.eventId, 'm.read.private': s.eventId }),
  postReceipt: (s) => of(s, 'POST', `/rooms/${s.roomId}/receipt/m.read/${s.eventId}`, { thread_id: 'main' }),
  redactEvent: async (s) => {
    const { event_id: eventId } = await s.world.ask(s.alice, 'PUT', `/rooms/${s.roomId}/send/m.room.message/${s.next()}`, { msgtype: 'm.text', body: 'no' });
    return of(s, 'PUT', `/rooms/${s.roomId}/redact/${eventId}/${s.next()}`, { reason: 'tea' });
  },
  sendMessage: (s) => of(s, 'PUT', `/rooms/${s.roomId}/send/m.room.message/${s.next()}`, { msgtype: 'm.text', body: 'tea' }),
  setRoomStateWithKey: (s) => of(s, 'PUT', `/rooms/${s.roomId}/state/m.room.topic/`, { topic: 'tea' }),
  setPresence: (s) => of(s, 'PUT', `/presence/${s.alice.userId}/status`, { presence: 'unavailable', status_msg: 'tea' }),
  setTyping: (s) => of(s, 'PUT', `/rooms/${s.roomId}/typing/${s.alice.userId}`, { typing: true, timeout: 10_000 }),
};
