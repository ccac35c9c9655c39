import * as z from 'zod';
import { claimUserKeys } from '../../../pkg/federation/user-keys.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { OutcomeTimeout } from '../../../pkg/log/commands.ts';
import { jsonObject, parseBody, text } from '../checks/body.ts';
import { requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { askServers, byServer, ofThisServer, timeoutOf, type Failures } from '../keys/ask-servers.ts';
import { requireSignedKeys } from '../keys/check-signed-keys.ts';
import { queryAllKeys } from '../keys/query-keys.ts';
import { visibleUsers } from '../keys/visible-users.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

/** Of one request. */
const USERS_MAX = 20_000;
const CLAIMS_MAX = 20_000;

const timeout = z.number().int().optional();
const uploadBody = z.object({ device_keys: jsonObject.optional(), one_time_keys: jsonObject.optional(), fallback_keys: jsonObject.optional() });
const queryBody = z.object({ timeout, device_keys: z.record(z.string(), z.array(text)) });
const claimBody = z.object({ timeout, one_time_keys: z.record(z.string(), z.record(text, text)) });

/** POST /_matrix/client/v3/keys/upload — r0, changed in v1.2 (fallback keys) */
export async function uploadKeys(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId, deviceId } = await limitedRequester(context, request, 'encryption');
  const body = parseBody(uploadBody, request.body);
  const bytes = (part: object | undefined): Uint8Array => (part === undefined || Object.keys(part).length === 0 ? new Uint8Array(0) : Buffer.from(JSON.stringify(part)));
  await requireSignedKeys(context, { userId, deviceId, deviceKeys: body.device_keys, oneTimeKeys: body.one_time_keys, fallbackKeys: body.fallback_keys });
  const upload = { deviceId, deviceKeys: bytes(body.device_keys), oneTimeKeys: bytes(body.one_time_keys), fallbackKeys: bytes(body.fallback_keys) };
  const { one_time_key_counts: counts } = await submitUserCommand(context, request, { userId, uploadKeys: upload });
  return ok({ one_time_key_counts: counts });
}

/** POST /_matrix/client/v3/keys/query — r0, changed in v1.1 (cross-signing keys) */
export async function queryKeys(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const body = parseBody(queryBody, request.body);
  const users = await visibleUsers(context, userId, usersIn(body.device_keys));
  const found = await queryAllKeys(context, { viewer: userId, users, timeoutMs: timeoutOf(body.timeout), signal: request.signal });
  const devices = [...found.devices].map(([user, ofUser]): [string, string] => [user, objectText(ofUser)]);
  const parts: [string, string][] = [
    ['device_keys', objectText(devices)], ['failures', JSON.stringify(found.failures)], ['master_keys', objectText(found.master)],
    ['self_signing_keys', objectText(found.selfSigning)], ['user_signing_keys', objectText(found.userSigning)],
  ];
  return { status: 200, json: objectText(parts) };
}

/** POST /_matrix/client/v3/keys/claim — r0, changed in v1.18 (upload order) */
export async function claimKeys(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const body = parseBody(claimBody, request.body);
  const wanted = await visibleUsers(context, userId, usersIn(body.one_time_keys));
  if (Object.values(body.one_time_keys).reduce((sum, devices) => sum + Object.keys(devices).length, 0) > CLAIMS_MAX) throw tooMany();
  const timeoutMs = timeoutOf(body.timeout);
  const claimed = new Map<string, unknown>();
  const [here, elsewhere] = await Promise.all([claimHere(context, request, { wanted: ofThisServer(context, wanted), timeoutMs, claimed }), claimElsewhere(context, request, { wanted, timeoutMs, claimed })]);
  return ok({ one_time_keys: Object.fromEntries(claimed), failures: { ...elsewhere, ...here } });
}

interface Claims {
  /** User to device to algorithm. */
  readonly wanted: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly timeoutMs: number;
  /** Takes what there is, by user. */
  readonly claimed: Map<string, unknown>;
}

interface Claim {
  readonly userId: string;
  readonly devices: Readonly<Record<string, string>>;
  /** The owner takes it no later than so many ms from now: it would only burn keys. */
  readonly deadlineMs: number;
}

/**
 * Each user's owner decides. Who has not answered when the time is over, or could not, counts as failed: what is claimed meanwhile is lost, and never given to somebody else. What others have given is given on:
 * it could not be claimed again.
 */
async function claimHere(context: Context, request: ApiRequest, { wanted, timeoutMs, claimed }: Claims): Promise<Failures> {
  if (wanted.size === 0) return {};
  const done = new AbortController();
  let answered = 0;
  let isOver = false;
  const claimOne = async (userId: string, devices: Readonly<Record<string, string>>): Promise<void> => {
    try {
      const keys = await claimOf(context, request, { userId, devices, deadlineMs: timeoutMs });
      if (isOver) return;
      answered += 1;
      if (keys !== undefined) claimed.set(userId, keys);
    } catch (error) {
      if (!(error instanceof OutcomeTimeout)) context.runtime.logger.warn({ traceId: request.traceId, userId, error }, 'keys could not be claimed');
    }
  };
  void Promise.all([...wanted].map(([userId, devices]) => claimOne(userId, devices))).then(() => done.abort());
  await context.runtime.clock.sleep(timeoutMs, done.signal);
  isOver = true;
  return answered < wanted.size ? { [context.serverName]: { message: 'Not all keys could be claimed in time' } } : {};
}

/** undefined: there is no such user (any more), or nothing to be had. */
async function claimOf({ commands, runtime }: Context, request: ApiRequest, { userId, devices, deadlineMs }: Claim): Promise<unknown> {
  const claims = Object.entries(devices).map(([deviceId, algorithm]) => ({ deviceId, algorithm }));
  const outcome = await commands.submitUserInput({ inputId: '', userId, ts: runtime.clock.now(), traceId: request.traceId, claimKeys: { claims } }, { deadlineMs });
  if (outcome.status >= 500) throw new Error(outcome.error);
  if (outcome.errcode !== '') return undefined;
  const { one_time_keys: keys } = JSON.parse(Buffer.from(outcome.result).toString('utf8')) as { one_time_keys: object };
  return Object.keys(keys).length > 0 ? keys : undefined;
}

async function claimElsewhere(context: Context, request: ApiRequest, { wanted, timeoutMs, claimed }: Claims): Promise<Failures> {
  const servers = byServer(context, wanted);
  const { signedTransport } = context;
  if (signedTransport === undefined) return Object.fromEntries([...servers.keys()].map((server) => [server, {}]));
  return askServers(context, [...servers.keys()], {
    timeoutMs,
    async ask(destination, deadlineMs) {
      const found = await claimUserKeys(signedTransport, servers.get(destination)!, { destination, deadlineMs, signal: request.signal });
      for (const [userId, keys] of found) claimed.set(userId, keys);
    },
  });
}

function usersIn<T>(object: Readonly<Record<string, T>>): Map<string, T> {
  const users = new Map(Object.entries(object));
  if (users.size > USERS_MAX) throw tooMany();
  for (const userId of users.keys()) requireUserId(userId);
  return users;
}

function tooMany(): MatrixError {
  return new MatrixError(413, 'M_TOO_LARGE', `Keys of at most ${USERS_MAX} users can be asked for at once`);
}

/** Of names and JSON texts. */
function objectText(entries: Iterable<readonly [string, string]>): string {
  return `{${[...entries].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

export const keysRoutes: readonly RouteSpec[] = [
  { handler: uploadKeys, method: 'POST', path: `${CLIENT_V3}/keys/upload`, guests: true, idempotent: true },
  { handler: queryKeys, method: 'POST', path: `${CLIENT_V3}/keys/query`, guests: true, idempotent: true },
  { handler: claimKeys, method: 'POST', path: `${CLIENT_V3}/keys/claim`, guests: true, idempotent: false },
];
