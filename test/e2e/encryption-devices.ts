/** What the tests of encryption across servers ask of a device, whatever client it is; and how matrix-js-sdk does it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientEvent, type ISendEventResponse, type MatrixClient, type MatrixEvent } from 'matrix-js-sdk';
import { anotherDevice, crypto, type SecretKey } from './encryption-clients.ts';
import { reportOf } from './encryption-report.ts';
import type { Place, User } from './js-sdk-user.ts';
import { recordRequests } from './request-record.ts';

/** An encrypted event as a device has it. */
export interface Reading {
  /** Undefined as long as it cannot be decrypted. */
  readonly body?: string;
  /** The Megolm session. */
  readonly session: string;
  /** Why it cannot be decrypted. */
  readonly why?: string;
}

export interface Device {
  /** User and device. */
  readonly key: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly software: 'matrix-js-sdk' | 'matrix-nio';
  join(roomId: string): Promise<void>;
  leave(roomId: string): Promise<void>;
  invite(roomId: string, userId: string): Promise<void>;
  /** It has seen an invite into the room. */
  invited(roomId: string): Promise<boolean>;
  /** It has seen that its user is in the room, and that the room is encrypted. */
  inside(roomId: string): Promise<boolean>;
  /** Sends it, again and again until it is answered, under one transaction ID. Resolves with the event's ID. */
  say(roomId: string, body: string, txnId: string): Promise<string>;
  /** The keys of all devices for which it would encrypt a message into the room now, and its own. */
  countsOn(roomId: string): Promise<ReadonlySet<string>>;
  /** The encrypted events that have come to it, by ID. */
  read(): Promise<ReadonlyMap<string, Reading>>;
  /** The server is there again: no need to wait any longer. */
  hurry(): void;
  logOut(): Promise<void>;
  /** For the message of a failure: how far it is, and what the server says to it. */
  report(): Promise<string>;
}

export interface JsDevice extends Device {
  readonly client: MatrixClient;
}

const TRIES_MAX = 150;

export function deviceKey(userId: string, deviceId: string): string {
  return `${userId} ${deviceId}`;
}

export async function newJsDevice(place: Place, account: Omit<User, 'client'>, secret: SecretKey = {}): Promise<JsDevice> {
  const record = recordRequests();
  const client = await anotherDevice(place, account, secret, record.fetch);
  return jsDevice(client, () => reportOf(client, record, place.instances ?? []));
}

function jsDevice(client: MatrixClient, report: () => Promise<string>): JsDevice {
  const [userId, deviceId] = [client.getUserId()!, client.getDeviceId()!];
  const events = new Map<string, MatrixEvent>();
  const mistakes: string[] = [];
  // What such an answer told is lost on the client, which goes on from behind it.
  client.on(ClientEvent.SyncUnexpectedError, (error) => void mistakes.push(`  an answer could not be taken in: ${error.stack ?? String(error)}`));
  client.on(ClientEvent.Event, (event) => {
    if (event.getWireType() !== 'm.room.encrypted' || event.getRoomId() === undefined) return;
    events.set(event.getId()!, event);
    void client.decryptEventIfNeeded(event);
  });
  return {
    key: deviceKey(userId, deviceId), userId, deviceId, software: 'matrix-js-sdk', client,
    join: (roomId) => insist(client, async () => void (await client.joinRoom(roomId))),
    leave: (roomId) => insist(client, async () => void (await client.leave(roomId))),
    invite: (roomId, guest) => insist(client, async () => void (await client.invite(roomId, guest))),
    invited: (roomId) => Promise.resolve(client.getRoom(roomId)?.getMyMembership() === 'invite'),
    inside: (roomId) => Promise.resolve(client.getRoom(roomId)?.getMyMembership() === 'join' && client.getRoom(roomId)!.hasEncryptionStateEvent()),
    say: (roomId, body, txnId) => sayUntilAnswered(client, roomId, { body, txnId }),
    async countsOn(roomId) {
      // A user who has just left and come back is refused for a moment: the client asks who was in the room at a time when the user was not.
      const members = await insist(client, async () => await client.getRoom(roomId)?.getEncryptionTargetMembers() ?? [], 403);
      const users = members.map((member) => member.userId);
      const devices = await crypto(client).getUserDeviceInfo(users);
      return new Set([deviceKey(userId, deviceId), ...[...devices].flatMap(([user, theirs]) => [...theirs.keys()].map((device) => deviceKey(user, device)))]);
    },
    read: () => Promise.resolve(new Map([...events].map(([eventId, event]) => [eventId, readingOf(event)]))),
    hurry: () => void client.retryImmediately(),
    logOut: () => insist(client, async () => void (await client.logout(true))),
    report: async () => [...mistakes, await report()].join('\n'),
  };
}

export function readingOf(event: MatrixEvent): Reading {
  const session = String(event.getWireContent()['session_id']);
  if (event.isDecryptionFailure() || event.getType() === 'm.room.encrypted') return { session, why: event.decryptionFailureReason ?? 'not tried yet' };
  return { session, body: String(event.getContent()['body'] ?? '') };
}

async function sayUntilAnswered(client: MatrixClient, roomId: string, { body, txnId }: { body: string; txnId: string }): Promise<string> {
  const room = client.getRoom(roomId)!;
  const send = (): Promise<ISendEventResponse> => {
    const unsent = room.getEventForTxnId(txnId);
    return unsent === undefined ? client.sendTextMessage(roomId, body, txnId) : client.resendEvent(unsent, room);
  };
  return (await insist(client, send)).event_id;
}

/** Asks again as long as there is no answer, or one that the server is not there (5xx), or one with the status `passing`. */
export async function insist<T>(client: MatrixClient, ask: () => Promise<T>, passing?: number): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      const { httpStatus } = error as { httpStatus?: number };
      if (tries > TRIES_MAX || (httpStatus !== undefined && httpStatus < 500 && httpStatus !== passing)) throw error;
      await sleep(200);
      client.retryImmediately();
    }
  }
}
