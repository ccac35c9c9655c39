/** Many users of any homeserver, made quickly and through public APIs alone. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { CROWD_SERVICE, CROWD_TOKEN } from '../test/e2e/crowd.ts';
import { Connection } from './http-client.ts';
import { cpuSeconds } from './process-usage.ts';

export interface CrowdUser {
  readonly userId: string;
  readonly token: string;
}

/** How a user comes to be on a server. */
export type Entrance = (connection: Connection, username: string) => Promise<CrowdUser>;

export interface CrowdPlace {
  readonly baseUrl: string;
  readonly entrance: Entrance;
}

const V3 = '/_matrix/client/v3';
const SHARED_SECRET_PATH = '/_synapse/admin/v1/register';
const WORKERS = 16;
/** A server is idle when its processes take less of a core than this for so long. */
const IDLE_SHARE = 0.1;
const IDLE_MS = 200;
const IDLE_MS_MAX = 60_000;

/** Settings with which a server of ours lets a crowd in by `ofAppservice`. */
export function crowdEntranceSettings(): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-crowd-'));
  writeFileSync(join(folder, 'crowd.yaml'), CROWD_SERVICE);
  return { MYELIN_APPSERVICE_DIR: folder };
}

/** Users of an application service: nobody has to hash a password. */
export const ofAppservice: Entrance = async (connection, username) =>
  sessionOf(await ask(connection, 'POST', `${V3}/register`, { token: CROWD_TOKEN, body: { type: 'm.login.application_service', username: `crowd_${username}` } }));

/** Users made by who knows the server's `registration_shared_secret`. */
export function bySharedSecret(secret: string): Entrance {
  return async (connection, username) => {
    const { nonce } = await ask(connection, 'GET', SHARED_SECRET_PATH, {});
    const password = `password of ${username}`;
    const mac = createHmac('sha1', secret).update([nonce, username, password, 'notadmin'].join('\0')).digest('hex');
    return sessionOf(await ask(connection, 'POST', SHARED_SECRET_PATH, { body: { nonce, username, password, admin: false, mac } }));
  };
}

/** New users `<prefix>0` and so on. */
export async function gatherUsers({ baseUrl, entrance }: CrowdPlace, count: number, prefix = 'user'): Promise<CrowdUser[]> {
  const users: CrowdUser[] = [];
  await byMany(baseUrl, count, async (connection, index) => void (users[index] = await entrance(connection, `${prefix}${index}`)));
  return users;
}

/** A room that anybody may join. Resolves with its ID. */
export async function openRoom({ baseUrl }: CrowdPlace, { token }: CrowdUser): Promise<string> {
  const connection = await Connection.open(baseUrl);
  const { room_id: roomId } = await ask(connection, 'POST', `${V3}/createRoom`, { token, body: { preset: 'public_chat' } });
  connection.close();
  return roomId!;
}

export async function joinRoom(connection: Connection, { token }: CrowdUser, roomId: string): Promise<void> {
  await ask(connection, 'POST', `${V3}/join/${encodeURIComponent(roomId)}`, { token, body: {} });
}

/** So many rooms of each user, by many at once. */
export async function openRooms(place: CrowdPlace, users: readonly CrowdUser[], ofEach: number): Promise<void> {
  await byMany(place.baseUrl, users.length * ofEach, async (connection, index) => void (await ask(connection, 'POST', `${V3}/createRoom`, { token: users[index % users.length]!.token, body: { preset: 'private_chat' } })));
}

/** Each of the users joins the room that `roomOf` names for their place in the list. */
export async function joinAll({ baseUrl }: CrowdPlace, users: readonly CrowdUser[], roomOf: (index: number) => string): Promise<void> {
  await byMany(baseUrl, users.length, (connection, index) => joinRoom(connection, users[index]!, roomOf(index)));
}

export async function sendMessage(connection: Connection, { token }: CrowdUser, what: { roomId: string; txnId: string; content: object }): Promise<void> {
  await ask(connection, 'PUT', `${V3}/rooms/${encodeURIComponent(what.roomId)}/send/m.room.message/${what.txnId}`, { token, body: what.content });
}

/** CPU of these processes so far, in seconds. */
export function cpuOf(programs: readonly { readonly pid: number }[]): number {
  return programs.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
}

/** Resolves when the processes have nothing to do any more (or never stop having something to do). */
export async function untilIdle(programs: readonly { readonly pid: number }[]): Promise<void> {
  const endsAt = performance.now() + IDLE_MS_MAX;
  for (let before = cpuOf(programs); performance.now() < endsAt; ) {
    await sleep(IDLE_MS);
    const now = cpuOf(programs);
    if (!(now - before > (IDLE_SHARE * IDLE_MS) / 1000)) return;
    before = now;
  }
}

/** Does `work` for 0 to `count` - 1 on a few connections. */
async function byMany(baseUrl: string, count: number, work: (connection: Connection, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(WORKERS, count) }, async () => {
    const connection = await Connection.open(baseUrl);
    while (next < count) {
      next += 1;
      await work(connection, next - 1);
    }
    connection.close();
  }));
}

async function ask(connection: Connection, method: string, path: string, { token, body }: { token?: string; body?: object }): Promise<Record<string, string>> {
  const answer = await connection.request(method, path, { ...(token !== undefined && { token }), ...(body !== undefined && { body: JSON.stringify(body) }) });
  if (answer.status !== 200) throw new Error(`${method} ${path} was answered with ${answer.status}: ${answer.body.slice(0, 300)}`);
  return JSON.parse(answer.body) as Record<string, string>;
}

function sessionOf({ user_id: userId, access_token: token }: Record<string, string>): CrowdUser {
  return { userId: userId!, token: token! };
}
