/** What is read of rooms. */
import { of, type GoodRequests } from './making.ts';

export const READING_REQUESTS: GoodRequests = {
  getRoomEvents: (s) => of(s, 'GET', `/rooms/${s.roomId}/messages?dir=b&limit=5&filter=${encodeURIComponent(JSON.stringify({ lazy_load_members: true }))}`),
  getEventByTimestamp: (s) => ({ method: 'GET', path: `/_matrix/client/v1/rooms/${s.roomId}/timestamp_to_event?ts=0&dir=f`, token: s.alice.token }),
  getEventContext: (s) => of(s, 'GET', `/rooms/${s.roomId}/context/${s.eventId}?limit=4&filter=${encodeURIComponent(JSON.stringify({ lazy_load_members: true }))}`),
  roomInitialSync: (s) => of(s, 'GET', `/rooms/${s.roomId}/initialSync`),
  initialSync: (s) => of(s, 'GET', '/initialSync?limit=2&archived=true'),
  getEvents: (s) => of(s, 'GET', '/events?timeout=0'),
  peekEvents: (s) => of(s, 'GET', `/events?timeout=0&room_id=${s.roomId}`),
  getOneEvent: (s) => of(s, 'GET', `/events/${s.eventId}`),
  getOneRoomEvent: (s) => of(s, 'GET', `/rooms/${s.roomId}/event/${s.eventId}`),
  getRoomStateWithKey: (s) => of(s, 'GET', `/rooms/${s.roomId}/state/m.room.name/`),
  getRoomState: (s) => of(s, 'GET', `/rooms/${s.roomId}/state`),
  getMembersByRoom: (s) => of(s, 'GET', `/rooms/${s.roomId}/members?membership=join`),
  getJoinedMembersByRoom: (s) => of(s, 'GET', `/rooms/${s.roomId}/joined_members`),
  getNotifications: (s) => of(s, 'GET', '/notifications?limit=5&only=highlight'),
  getPresence: (s) => of(s, 'GET', `/presence/${s.alice.userId}/status`),
  sync: (s) => of(s, 'GET', '/sync?timeout=0&set_presence=offline&full_state=true'),
};
