/** Messages to devices, and key backups. */
import type { Scene } from '../scene.ts';
import type { Call } from '../world.ts';
import { of, type GoodRequests } from './making.ts';

const BACKUP = { algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2', auth_data: { public_key: 'abcdefg', signatures: { '@alice:spec.example': { 'ed25519:deviceid': 'signature' } } } };
const KEY = { first_message_index: 1, forwarded_count: 0, is_verified: true, session_data: { ephemeral: 'base64+ephemeral+key', ciphertext: 'base64+ciphertext', mac: 'base64+mac' } };
const ROOM = '!roomid:spec.example';

/** A request about a new backup of Alice's that has one key. */
async function ofBackup(s: Scene, method: string, path: (version: string) => string, body?: (version: string) => unknown): Promise<Call> {
  const { version } = await s.world.ask(s.alice, 'POST', '/room_keys/version', BACKUP) as { version: string };
  await s.world.ask(s.alice, 'PUT', `/room_keys/keys/${ROOM}/sessionid?version=${version}`, KEY);
  return of(s, method, path(version), body?.(version));
}

const keys = (rest: string) => (version: string): string => `/room_keys/keys${rest}?version=${version}`;

export const DEVICE_MESSAGE_REQUESTS: GoodRequests = {
  sendToDevice: (s) => of(s, 'PUT', `/sendToDevice/m.new_device/${s.next()}`, { messages: { [s.alice.userId]: { TLLBEANAAG: { example_content_key: 'value' }, '*': { example_content_key: 'value' } } } }),
  postRoomKeysVersion: (s) => of(s, 'POST', '/room_keys/version', BACKUP),
  getRoomKeysVersionCurrent: (s) => ofBackup(s, 'GET', () => '/room_keys/version'),
  getRoomKeysVersion: (s) => ofBackup(s, 'GET', (version) => `/room_keys/version/${version}`),
  putRoomKeysVersion: (s) => ofBackup(s, 'PUT', (version) => `/room_keys/version/${version}`, (version) => ({ ...BACKUP, version })),
  deleteRoomKeysVersion: (s) => ofBackup(s, 'DELETE', (version) => `/room_keys/version/${version}`),
  putRoomKeys: (s) => ofBackup(s, 'PUT', keys(''), () => ({ rooms: { [ROOM]: { sessions: { sessionid1: KEY } } } })),
  putRoomKeysByRoomId: (s) => ofBackup(s, 'PUT', keys(`/${ROOM}`), () => ({ sessions: { sessionid1: KEY } })),
  putRoomKeyBySessionId: (s) => ofBackup(s, 'PUT', keys(`/${ROOM}/sessionid1`), () => KEY),
  getRoomKeys: (s) => ofBackup(s, 'GET', keys('')),
  getRoomKeysByRoomId: (s) => ofBackup(s, 'GET', keys(`/${ROOM}`)),
  getRoomKeyBySessionId: (s) => ofBackup(s, 'GET', keys(`/${ROOM}/sessionid`)),
  deleteRoomKeys: (s) => ofBackup(s, 'DELETE', keys('')),
  deleteRoomKeysByRoomId: (s) => ofBackup(s, 'DELETE', keys(`/${ROOM}`)),
  deleteRoomKeyBySessionId: (s) => ofBackup(s, 'DELETE', keys(`/${ROOM}/sessionid`)),
};
