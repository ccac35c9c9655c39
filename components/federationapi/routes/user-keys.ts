/** Keys of users of this server, for other servers (spec: server-server, "End-to-End Encryption"). */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import { isObject, type JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import type { FederationapiDeps } from '../deps.ts';
import { visibleUsers, type GuardDeps } from '../device-lists/visible-users.ts';

const USERS_MAX = 10_000;
/** Who asks waits for ten seconds, most often. */
const CLAIM_MS_MAX = 8000;

type KeyDeps = Pick<FederationapiDeps, 'serverName' | 'userQuery' | 'commands' | 'runtime'> & GuardDeps;

export function userKeysRoutes(deps: KeyDeps, auth: AuthDeps): Route[] {
  return [
    {
      operationId: 'queryUserEncryptionKeys', method: 'POST', path: '/_matrix/federation/v1/user/keys/query', role: 'federationapi', idempotent: true, raw: true,
      handle: authenticated(auth, async ({ body }, origin) => ({ status: 200, json: await queryKeys(deps, body, origin) })),
    },
    {
      operationId: 'claimUserEncryptionKeys', method: 'POST', path: '/_matrix/federation/v1/user/keys/claim', role: 'federationapi', idempotent: false, raw: true,
      handle: authenticated(auth, async ({ body, traceId }, origin) => ({ status: 200, body: { one_time_keys: await claimKeys(deps, body, { traceId, origin }) } })),
    },
  ];
}

/** JSON text. Users that are not here are left out. */
async function queryKeys(deps: KeyDeps, body: unknown, origin: string): Promise<string> {
  const wanted = new Map<string, string[]>();
  for (const [userId, deviceIds] of await visibleIn(deps, usersIn(body, 'device_keys', deps.serverName), origin)) {
    if (!Array.isArray(deviceIds) || !deviceIds.every((id) => typeof id === 'string')) throw new MatrixError(400, 'M_BAD_JSON', 'device_keys maps users to lists of device IDs');
    wanted.set(userId, deviceIds);
  }
  const { devices, master, selfSigning } = await deps.userQuery.keysOf(wanted, '');
  const ofDevices = [...devices].map(([userId, ofUser]): [string, string] => [userId, objectText(ofUser)]);
  return objectText([['device_keys', objectText(ofDevices)], ['master_keys', objectText(master)], ['self_signing_keys', objectText(selfSigning)]]);
}

/** By user; each user's owner decides. Who has not answered in time is left out, so that what others have given is not lost with it. */
async function claimKeys(deps: KeyDeps, body: unknown, { traceId, origin }: { traceId: string; origin: string }): Promise<JsonObject> {
  const { commands, runtime } = deps;
  const asked = (await visibleIn(deps, usersIn(body, 'one_time_keys', deps.serverName), origin)).map(([userId, devices]) => ({ userId, claims: claimsIn(devices) }));
  let failures = 0;
  const claimed = await Promise.all(asked.map(async ({ userId, claims }) => {
    try {
      const outcome = await commands.submitUserInput({ inputId: '', userId, ts: runtime.clock.now(), traceId, claimKeys: { claims } }, { deadlineMs: CLAIM_MS_MAX });
      if (outcome.status >= 500) throw new Error(outcome.error);
      const { one_time_keys: keys = {} } = outcome.errcode === '' ? (JSON.parse(Buffer.from(outcome.result).toString('utf8')) as { one_time_keys?: object }) : {};
      return [userId, keys] as const;
    } catch (error) {
      failures += 1;
      runtime.logger.warn({ traceId, userId, error }, 'keys could not be claimed for another server');
      return [userId, {}] as const;
    }
  }));
  if (failures > 0 && failures === asked.length) throw new MatrixError(503, 'M_UNKNOWN', 'Keys cannot be claimed now, try again later');
  return Object.fromEntries(claimed.filter(([, keys]) => Object.keys(keys).length > 0));
}

async function visibleIn(deps: GuardDeps, users: readonly [string, unknown][], origin: string): Promise<[string, unknown][]> {
  const visible = await visibleUsers(deps, origin, users.map(([userId]) => userId));
  return users.filter(([userId]) => visible.has(userId));
}

function claimsIn(devices: unknown): { deviceId: string; algorithm: string }[] {
  const claims = isObject(devices) ? Object.entries(devices) : [];
  if (!isObject(devices) || !claims.every(([, algorithm]) => typeof algorithm === 'string')) throw new MatrixError(400, 'M_BAD_JSON', 'one_time_keys maps users to devices, and these to algorithms');
  return claims.map(([deviceId, algorithm]) => ({ deviceId, algorithm: algorithm as string }));
}

function usersIn(body: unknown, member: string, serverName: string): [string, unknown][] {
  const users = (body as JsonObject)[member];
  if (users === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', `${member} is missing`);
  if (!isObject(users)) throw new MatrixError(400, 'M_BAD_JSON', `${member} must be an object`);
  const entries = Object.entries(users);
  if (entries.length > USERS_MAX) throw new MatrixError(413, 'M_TOO_LARGE', `Keys of at most ${USERS_MAX} users can be asked for at once`);
  for (const [userId] of entries) if (!isUserId(userId) || !isLocalUser(userId, serverName)) throw new MatrixError(400, 'M_INVALID_PARAM', `${member} names who is no user of this server`);
  return entries;
}

/** Of names and JSON texts. */
function objectText(entries: Iterable<readonly [string, string]>): string {
  return `{${[...entries].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}
