/** Somebody at a matrix-js-sdk client: registers by whatever the server asks for, logs in, follows /sync. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ClientEvent, createClient, type ICreateRoomOpts, type LoginResponse, type MatrixClient, type MatrixEvent, type Room } from 'matrix-js-sdk';
import { SILENT, until, within } from './js-sdk.ts';

/** A server, and the stage by which it lets people register. */
export interface Place {
  readonly baseUrl: string;
  readonly stage: { readonly type: string; readonly token?: string };
  /** What is to be stopped at the end. */
  readonly clients: MatrixClient[];
  /** Where the server's processes listen, when they are behind a front. */
  readonly instances?: readonly string[];
}

export interface User {
  readonly client: MatrixClient;
  readonly userId: string;
  readonly password: string;
}

/** Without an account. */
export function stranger(place: Place): MatrixClient {
  return createClient({ baseUrl: place.baseUrl, logger: SILENT });
}

export function randomName(word: string): string {
  return `${word}-${randomBytes(5).toString('hex')}`;
}

/** A new account whose client has done its first sync. */
export async function newUser(place: Place, word: string): Promise<User> {
  const account = await newAccount(place, word);
  return { ...account, client: await follow(place, await logIn(place, account)) };
}

/** A new account, by user-interactive authentication; not logged in. */
export async function newAccount(place: Place, word: string): Promise<Omit<User, 'client'>> {
  const [username, password] = [randomName(word), randomBytes(12).toString('hex')];
  const { session } = await challenge(stranger(place).registerRequest({ username, password, inhibit_login: true }));
  const { user_id: userId } = await stranger(place).registerRequest({ username, password, auth: { ...place.stage, session }, inhibit_login: true });
  return { userId, password };
}

export function logIn(place: Place, { userId, password }: Omit<User, 'client'>, more: object = {}): Promise<LoginResponse> {
  return stranger(place).loginRequest({ type: 'm.login.password', identifier: { type: 'm.id.user', user: userId }, password, ...more });
}

/** One more client of the user, new to everything. */
export async function anotherClient(place: Place, user: User): Promise<MatrixClient> {
  return follow(place, await logIn(place, user));
}

export function clientOf(place: Place, { user_id: userId, access_token: accessToken, device_id: deviceId }: LoginResponse): MatrixClient {
  const client = createClient({ baseUrl: place.baseUrl, logger: SILENT, accessToken, userId, deviceId, timelineSupport: true });
  place.clients.push(client);
  return client;
}

/** Threads and lazy loading are on, and a timeline of a first sync is short. */
export async function follow(place: Place, login: LoginResponse): Promise<MatrixClient> {
  const client = clientOf(place, login);
  const prepared = new Promise<void>((resolve) => client.on(ClientEvent.Sync, (state) => state === 'PREPARED' && resolve()));
  await client.startClient({ initialSyncLimit: 8, lazyLoadMembers: true, threadSupport: true, pollTimeout: 10_000 });
  await within('the first sync', prepared);
  return client;
}

/** What the server wants before it does what was asked: a 401 with flows. */
export function challenge(asked: Promise<unknown>): Promise<{ session: string; flows: { stages: string[] }[]; errcode?: string; completed?: string[] }> {
  return asked.then(() => assert.fail('done without authentication'), (error: { httpStatus?: number; data?: never }) => {
    assert.equal(error.httpStatus, 401, String(error));
    return error.data!;
  });
}

/** A new room as its creator sees it, with everybody in it. */
export async function newRoom(creator: User, others: readonly User[], options: ICreateRoomOpts = {}): Promise<string> {
  const { room_id: roomId } = await creator.client.createRoom({ name: 'Tea', ...options, invite: others.map(({ userId }) => userId) });
  for (const { client } of others) {
    await membershipOf(client, roomId, 'invite');
    await client.joinRoom(roomId);
  }
  for (const { client } of [creator, ...others]) await membershipOf(client, roomId, 'join');
  return roomId;
}

export async function membershipOf(client: MatrixClient, roomId: string, membership: string): Promise<Room> {
  await until(() => `${client.getUserId()} to see its membership ${membership} in ${roomId}, it is ${client.getRoom(roomId)?.getMyMembership()}`, () => client.getRoom(roomId)?.getMyMembership() === membership);
  return client.getRoom(roomId)!;
}

/** The event as the client has it, as soon as it has it. */
export async function seen(client: MatrixClient, roomId: string, eventId: string): Promise<MatrixEvent> {
  await until(() => `${client.getUserId()} to see ${eventId}`, () => client.getRoom(roomId)?.findEventById(eventId) !== undefined);
  return client.getRoom(roomId)!.findEventById(eventId)!;
}

export async function say(user: User, roomId: string, body: string, more: object = {}): Promise<string> {
  return (await user.client.sendEvent(roomId, 'm.room.message' as never, { msgtype: 'm.text', body, ...more } as never)).event_id;
}

/** A message in a thread, as the SDK makes it: with the fall-back reply for clients without threads. */
export async function sayIn(user: User, roomId: string, root: string, content: object): Promise<string> {
  return (await user.client.sendEvent(roomId, root, 'm.room.message' as never, { msgtype: 'm.text', ...content } as never)).event_id;
}

/** The request is refused so. */
export function refused(asked: Promise<unknown>, errcode: string, httpStatus = 403): Promise<void> {
  return assert.rejects(asked, { errcode, httpStatus });
}
