/** A room with very many members: users of an application service, who are made quickly. */
import { call, V3, type Answer } from './api-client.ts';
import { ok } from './federation-rooms.ts';
import type { Peer } from './peers.ts';

/** With it, a request is made as whichever of the users it names. */
export const CROWD_TOKEN = 'token-of-the-crowd';
const WORKERS = 16;

/** To be among the application services of the server. */
export const CROWD_SERVICE = `id: crowd
url: null
as_token: ${CROWD_TOKEN}
hs_token: token-of-the-server
sender_localpart: crowd
rate_limited: false
namespaces: { users: [{ exclusive: true, regex: "@crowd_.*" }], rooms: [], aliases: [] }
`;

/** A new public room in which `count` users of that server are. Resolves with its ID. */
export async function gatherCrowd(peer: Pick<Peer, 'baseUrl' | 'serverName'>, count: number, roomVersion = '12'): Promise<string> {
  const ask = (name: string, method: string, path: string, body: unknown): Promise<Answer> =>
    call(peer.baseUrl, method, `${V3}${path}${path.includes('?') ? '&' : '?'}user_id=${encodeURIComponent(`@${name}:${peer.serverName}`)}`, { token: CROWD_TOKEN, body });
  const enter = async (name: string): Promise<void> => void (await ok(call(peer.baseUrl, 'POST', `${V3}/register`, { token: CROWD_TOKEN, body: { type: 'm.login.application_service', username: name, inhibit_login: true } })));
  await enter('crowd_0');
  const { room_id: roomId } = await ok(ask('crowd_0', 'POST', '/createRoom', { preset: 'public_chat', room_version: roomVersion })) as { room_id: string };
  let next = 1;
  await Promise.all(Array.from({ length: WORKERS }, async () => {
    while (next < count) {
      const name = `crowd_${next}`;
      next += 1;
      await enter(name);
      await ok(ask(name, 'POST', `/join/${encodeURIComponent(roomId)}`, {}));
    }
  }));
  return roomId;
}
