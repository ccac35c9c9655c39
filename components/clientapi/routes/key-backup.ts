import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { BackupKey } from '../../../schemas/log/user-input.ts';
import type { StoredBackup, StoredBackupKey } from '../../../schemas/ports/key-backup-query.ts';
import { jsonObject, parseBody } from '../checks/body.ts';
import { requireRoomId, requireShort } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, limitedRequester, ok, type RouteSpec } from './client-route.ts';

/** Some thousands of keys. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const AUTH_DATA_BYTES_MAX = 64 * 1024;
/** Of one key, encrypted. */
const SESSION_DATA_BYTES_MAX = 16 * 1024;
/** Of the keys in one input; one key may go beyond it. */
const INPUT_BYTES_MAX = 192 * 1024;
/** Of a key, beside its data. */
const KEY_BYTES = 200;
/** Before all keys. */
const NOTHING = { roomId: '', sessionId: '' };
/** Keys that are read at once. */
const PAGE = 500;

const index = z.number().int().min(0);
const keyBody = z.object({ first_message_index: index, forwarded_count: index, is_verified: z.boolean(), session_data: jsonObject });
const roomBody = z.object({ sessions: z.record(z.string(), keyBody) });
const roomsBody = z.object({ rooms: z.record(z.string(), roomBody) });
/** That of the spec, and the symmetric one that is to come (MSC3270). What they do is the clients' affair. */
const ALGORITHMS = ['m.megolm_backup.v1.curve25519-aes-sha2', 'org.matrix.msc3270.v1.aes-hmac-sha2'] as const;
const backupBody = z.object({ algorithm: z.enum(ALGORITHMS), auth_data: jsonObject });

/** POST /_matrix/client/v3/room_keys/version — v1.1 */
export async function postRoomKeysVersion(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const { algorithm, auth_data: data } = parseBody(backupBody, request.body);
  return ok(await submitUserCommand(context, request, { userId, createKeyBackup: { algorithm, authData: authData(data) } }));
}

/** GET /_matrix/client/v3/room_keys/version — v1.1 */
export async function getRoomKeysVersionCurrent(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  return described(await context.userQuery.keyBackup(userId));
}

/** GET /_matrix/client/v3/room_keys/version/{version} — v1.1 */
export async function getRoomKeysVersion(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  return described(await context.userQuery.keyBackup(userId, request.params['version'] ?? ''));
}

/** PUT /_matrix/client/v3/room_keys/version/{version} — v1.1 */
export async function putRoomKeysVersion(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const version = request.params['version'] ?? '';
  const body = parseBody(backupBody.extend({ version: z.string().optional() }), request.body);
  if (body.version !== undefined && body.version !== version) throw new MatrixError(400, 'M_INVALID_PARAM', 'The version is not that of the path');
  await submitUserCommand(context, request, { userId, updateKeyBackup: { version, algorithm: body.algorithm, authData: authData(body.auth_data) } });
  return EMPTY;
}

/** DELETE /_matrix/client/v3/room_keys/version/{version} — v1.1 */
export async function deleteRoomKeysVersion(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  await submitUserCommand(context, request, { userId, deleteKeyBackup: { version: request.params['version'] ?? '' } });
  return EMPTY;
}

/** PUT /_matrix/client/v3/room_keys/keys — v1.1 */
export async function putRoomKeys(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return put(context, request, () => Object.entries(parseBody(roomsBody, request.body).rooms).flatMap(([roomId, { sessions }]) => keysOf(roomId, sessions)));
}

/** PUT /_matrix/client/v3/room_keys/keys/{roomId} — v1.1 */
export async function putRoomKeysByRoomId(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return put(context, request, () => keysOf(request.params['roomId'] ?? '', parseBody(roomBody, request.body).sessions));
}

/** PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId} — v1.1 */
export async function putRoomKeyBySessionId(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return put(context, request, () => keysOf(request.params['roomId'] ?? '', { [request.params['sessionId'] ?? '']: parseBody(keyBody, request.body) }));
}

/** GET /_matrix/client/v3/room_keys/keys — v1.1 */
export async function getRoomKeys(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return keysAnswer(await openKeys(context, request, ''), roomsText);
}

/** GET /_matrix/client/v3/room_keys/keys/{roomId} — v1.1 */
export async function getRoomKeysByRoomId(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return keysAnswer(await openKeys(context, request, requireRoomId(request.params['roomId'])), sessionsText);
}

/** GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId} — v1.1 */
export async function getRoomKeyBySessionId(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const [roomId, sessionId] = [requireRoomId(request.params['roomId']), requireSession(request.params['sessionId'])];
  const { userId, version } = await requireBackup(context, request);
  const [key] = await context.userQuery.backupKeys(userId, version, { roomId, sessionId, after: NOTHING, limit: 1 });
  if (key === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such key');
  return { status: 200, json: key.json };
}

/** DELETE /_matrix/client/v3/room_keys/keys — v1.1 */
export async function deleteRoomKeys(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return takeOut(context, request, { roomId: '', sessionId: '' });
}

/** DELETE /_matrix/client/v3/room_keys/keys/{roomId} — v1.1 */
export async function deleteRoomKeysByRoomId(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return takeOut(context, request, { roomId: requireRoomId(request.params['roomId']), sessionId: '' });
}

/** DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId} — v1.1 */
export async function deleteRoomKeyBySessionId(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return takeOut(context, request, { roomId: requireRoomId(request.params['roomId']), sessionId: requireSession(request.params['sessionId']) });
}

function described(backup: StoredBackup | undefined): ApiResponse {
  if (backup === undefined) throw notFound();
  const { version, algorithm, authData: data, etag, count } = backup;
  return ok({ version, algorithm, auth_data: JSON.parse(Buffer.from(data).toString('utf8')), etag, count });
}

function notFound(): MatrixError {
  return new MatrixError(404, 'M_NOT_FOUND', 'There is no such key backup');
}

function authData(data: Record<string, unknown>): Uint8Array {
  return jsonBytes(data, AUTH_DATA_BYTES_MAX, 'auth_data');
}

function jsonBytes(value: Record<string, unknown>, bytesMax: number, what: string): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(value));
  if (bytes.length > bytesMax) throw new MatrixError(413, 'M_TOO_LARGE', `${what} has at most ${bytesMax} bytes`);
  return bytes;
}

function requireVersion({ query }: ApiRequest): string {
  const version = query.get('version');
  if (version === null || version === '') throw new MatrixError(400, 'M_MISSING_PARAM', 'version is missing');
  return version;
}

function requireSession(sessionId: string | undefined): string {
  if (requireShort(sessionId, 'a session ID') === '') throw new MatrixError(400, 'M_INVALID_PARAM', 'The session ID is empty');
  return sessionId!;
}

function keysOf(roomId: string, sessions: Readonly<Record<string, z.infer<typeof keyBody>>>): BackupKey[] {
  requireRoomId(roomId);
  return Object.entries(sessions).map(([sessionId, key]) => ({
    roomId, sessionId: requireSession(sessionId), firstMessageIndex: key.first_message_index, forwardedCount: key.forwarded_count, isVerified: key.is_verified,
    sessionData: jsonBytes(key.session_data, SESSION_DATA_BYTES_MAX, 'session_data'),
  }));
}

/** In inputs of bounded size, one after the other: each decides by itself which keys are better, so what was begun may be repeated. */
async function put(context: Context, request: ApiRequest, read: () => BackupKey[]): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const version = requireVersion(request);
  const keys = read();
  let result: Record<string, unknown> = {};
  for (let at = 0, size = 0; at === 0 || at < keys.length; at += size) {
    size = 0;
    for (let bytes = 0; at + size < keys.length && bytes < INPUT_BYTES_MAX; size += 1) bytes += keys[at + size]!.sessionData.length + KEY_BYTES;
    result = await submitUserCommand(context, request, { userId, changeBackupKeys: { version, put: keys.slice(at, at + size), roomId: '', sessionId: '' } });
    if (size === 0) break;
  }
  return ok(result);
}

async function takeOut(context: Context, request: ApiRequest, of: { roomId: string; sessionId: string }): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  return ok(await submitUserCommand(context, request, { userId, changeBackupKeys: { version: requireVersion(request), put: [], ...of, takesOut: true } }));
}

async function requireBackup(context: Context, request: ApiRequest): Promise<{ userId: string; version: string }> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const version = requireVersion(request);
  if (await context.userQuery.keyBackup(userId, version) === undefined) throw notFound();
  return { userId, version };
}

/** Keys in the order of rooms and sessions, of one room or (empty) of all: the first page, and how to come by those after it. */
interface OpenedKeys {
  readonly first: readonly StoredBackupKey[];
  after(key: StoredBackupKey): Promise<StoredBackupKey[]>;
}

async function openKeys(context: Context, request: ApiRequest, roomId: string): Promise<OpenedKeys> {
  const { userId, version } = await requireBackup(context, request);
  const read = (after: Pick<StoredBackupKey, 'roomId' | 'sessionId'>): Promise<StoredBackupKey[]> => context.userQuery.backupKeys(userId, version, { roomId, sessionId: '', after, limit: PAGE });
  return { first: await read(NOTHING), after: read };
}

/** A page of keys as JSON text behind the pages before it, of which `before` is the last key. The last call, without a page, gives the end. */
type PageText = (page: readonly StoredBackupKey[] | undefined, before: StoredBackupKey | undefined) => string;

/** What is on one page goes as it is; more is read while it is sent, so that no backup is ever in memory whole. */
function keysAnswer(keys: OpenedKeys, textOf: PageText): ApiResponse {
  const { first } = keys;
  if (first.length < PAGE) return { status: 200, json: textOf(first, undefined) + textOf(undefined, first.at(-1)) };
  return { status: 200, parts: partsOf(keys, textOf) };
}

async function* partsOf({ first, after }: OpenedKeys, textOf: PageText): AsyncGenerator<string> {
  let before: StoredBackupKey | undefined;
  for (let page = first; page.length > 0; page = page.length < PAGE ? [] : await after(before!)) {
    yield textOf(page, before);
    before = page.at(-1);
  }
  yield textOf(undefined, before);
}

function roomsText(page: readonly StoredBackupKey[] | undefined, before: StoredBackupKey | undefined): string {
  if (page === undefined) return before === undefined ? '}}' : '}}}}';
  let room = before?.roomId;
  let text = before === undefined ? '{"rooms":{' : '';
  for (const { roomId, sessionId, json } of page) {
    if (roomId === room) text += ',';
    else text += `${room === undefined ? '' : '}},'}${JSON.stringify(roomId)}:{"sessions":{`;
    room = roomId;
    text += `${JSON.stringify(sessionId)}:${json}`;
  }
  return text;
}

function sessionsText(page: readonly StoredBackupKey[] | undefined, before: StoredBackupKey | undefined): string {
  if (page === undefined) return '}}';
  return `${before === undefined ? '{"sessions":{' : ','}${page.map(({ sessionId, json }) => `${JSON.stringify(sessionId)}:${json}`).join(',')}`;
}

const VERSION = `${CLIENT_V3}/room_keys/version`;
const KEYS = `${CLIENT_V3}/room_keys/keys`;

export const keyBackupRoutes: readonly RouteSpec[] = [
  { handler: postRoomKeysVersion, method: 'POST', path: VERSION, idempotent: false },
  { handler: getRoomKeysVersionCurrent, method: 'GET', path: VERSION, idempotent: true },
  { handler: getRoomKeysVersion, method: 'GET', path: `${VERSION}/{version}`, idempotent: true },
  { handler: putRoomKeysVersion, method: 'PUT', path: `${VERSION}/{version}`, idempotent: true },
  { handler: deleteRoomKeysVersion, method: 'DELETE', path: `${VERSION}/{version}`, idempotent: true },
  { handler: putRoomKeys, method: 'PUT', path: KEYS, idempotent: true, bodyBytesMax: BODY_BYTES_MAX },
  { handler: putRoomKeysByRoomId, method: 'PUT', path: `${KEYS}/{roomId}`, idempotent: true, bodyBytesMax: BODY_BYTES_MAX },
  { handler: putRoomKeyBySessionId, method: 'PUT', path: `${KEYS}/{roomId}/{sessionId}`, idempotent: true },
  { handler: getRoomKeys, method: 'GET', path: KEYS, idempotent: true },
  { handler: getRoomKeysByRoomId, method: 'GET', path: `${KEYS}/{roomId}`, idempotent: true },
  { handler: getRoomKeyBySessionId, method: 'GET', path: `${KEYS}/{roomId}/{sessionId}`, idempotent: true },
  { handler: deleteRoomKeys, method: 'DELETE', path: KEYS, idempotent: true },
  { handler: deleteRoomKeysByRoomId, method: 'DELETE', path: `${KEYS}/{roomId}`, idempotent: true },
  { handler: deleteRoomKeyBySessionId, method: 'DELETE', path: `${KEYS}/{roomId}/{sessionId}`, idempotent: true },
];
