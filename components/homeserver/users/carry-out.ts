/** What an operator may want of accounts and registration tokens: each wish is a command to the owner of the user or token, or a question. */
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import { isLocalUser, localpartProblem, userId as formatUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { AccountDetails, UserQuery } from '../../../schemas/ports/user-query.ts';
import { createPasswords, endAccount, passwordProblem, submitUserCommand, type UserCommand } from '../../clientapi/index.ts';
import type { Homeserver } from '../wire.ts';

export interface UserDeps {
  readonly serverName: string;
  readonly runtime: Runtime;
  readonly accounts: Homeserver['accounts'];
}

type Result = Promise<Record<string, unknown>>;
type Asking = Pick<ApiRequest, 'traceId' | 'logger'>;

const RANDOM_PASSWORD_LENGTH = 20;
const RANDOM_TOKEN_LENGTH = 16;
const LISTED_MAX = 1000;

const user = z.string().min(1);
/** Exactly one of both: given, or made here. */
const password = { password: z.string().optional(), random_password: z.boolean().default(false) };
const flag = (name: string, isSet: boolean) => z.object({ command: z.literal(name), user }).transform((wish) => ({ ...wish, isSet }));

const wishes = z.union([
  z.object({ command: z.literal('create'), user, admin: z.boolean().default(false), ...password }),
  z.object({ command: z.literal('list'), search: z.string().default(''), after: z.string().default(''), limit: z.int().min(1).max(LISTED_MAX).default(LISTED_MAX) }),
  z.object({ command: z.literal('show'), user }),
  z.object({ command: z.literal('set-password'), user, keep_devices: z.boolean().default(false), ...password }),
  z.object({ command: z.literal('deactivate'), user, erase: z.boolean().default(false) }),
  z.object({ command: z.literal('logout'), user }),
  flag('lock', true), flag('unlock', false), flag('suspend', true), flag('unsuspend', false), flag('make-admin', true), flag('revoke-admin', false),
  z.object({ command: z.literal('tokens-add'), token: z.string().regex(/^[A-Za-z0-9._~-]{1,64}$/).optional(), uses: z.int().min(0).default(0), expires: z.int().min(0).default(0) }),
  z.object({ command: z.literal('tokens-list') }),
  z.object({ command: z.literal('tokens-remove'), token: z.string().min(1) }),
]);

type Wish = z.infer<typeof wishes>;
type Named<Name extends Wish['command']> = Extract<Wish, { command: Name }>;

const FLAGS: Readonly<Record<string, string>> = { lock: 'locked', unlock: 'locked', suspend: 'suspended', unsuspend: 'suspended', 'make-admin': 'admin', 'revoke-admin': 'admin' };

/** What came of it, as it is to be shown. Throws `MatrixError` for what cannot be done, M_INVALID_PARAM for what is no wish. */
export async function carryOut(deps: UserDeps, request: Asking, body: unknown): Result {
  const parsed = wishes.safeParse(body);
  if (!parsed.success) throw new MatrixError(400, 'M_INVALID_PARAM', `This cannot be understood: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`);
  const wish = parsed.data;
  switch (wish.command) {
    case 'create': return create(deps, request, wish as Named<'create'>);
    case 'list': return { users: (await deps.accounts.userQuery.listAccounts(wish as Named<'list'>)).map(shown) };
    case 'show': return show(deps, wish as Named<'show'>);
    case 'set-password': return setPassword(deps, request, wish as Named<'set-password'>);
    case 'deactivate': return deactivate(deps, request, wish as Named<'deactivate'>);
    case 'logout': return logout(deps, request, wish as Named<'logout'>);
    case 'tokens-add': return addToken(deps, request, wish as Named<'tokens-add'>);
    case 'tokens-list': return { tokens: (await deps.accounts.userQuery.registrationTokens(deps.runtime.clock.now())).map(shownToken) };
    case 'tokens-remove': return removeToken(deps, request, wish as Named<'tokens-remove'>);
    default: return setFlag(deps, request, wish as { command: string; user: string; isSet: boolean });
  }
}

function submit({ accounts, runtime }: UserDeps, request: Asking, command: UserCommand): Result {
  return submitUserCommand({ ...accounts, runtime }, request, command);
}

/** A name or a whole ID. Throws 400 M_INVALID_PARAM for users of other servers. */
function userIdOf({ serverName }: UserDeps, name: string): string {
  const userId = name.startsWith('@') ? name : formatUserId(name, serverName);
  if (!isLocalUser(userId, serverName)) throw new MatrixError(400, 'M_INVALID_PARAM', `${userId} is no user of this server, ${serverName}`);
  return userId;
}

async function requireAccount(deps: UserDeps, name: string): Promise<AccountDetails> {
  const userId = userIdOf(deps, name);
  const account = await deps.accounts.userQuery.accountDetails(userId);
  if (account === undefined) throw new MatrixError(404, 'M_NOT_FOUND', `There is no user ${userId}`);
  return account;
}

/** Throws 400 M_WEAK_PASSWORD. */
async function passwordOf({ runtime }: UserDeps, wish: { password?: string | undefined; random_password: boolean }): Promise<{ hash: string; made: { password?: string } }> {
  const text = wish.random_password ? runtime.random.token(RANDOM_PASSWORD_LENGTH) : (wish.password ?? '');
  const problem = passwordProblem(text);
  if (problem !== undefined) throw new MatrixError(400, 'M_WEAK_PASSWORD', problem);
  return { hash: await createPasswords(runtime).hash(text), made: wish.random_password ? { password: text } : {} };
}

async function create(deps: UserDeps, request: Asking, wish: Named<'create'>): Result {
  const userId = userIdOf(deps, wish.user);
  const problem = localpartProblem(userId.slice(1, -deps.serverName.length - 1), deps.serverName);
  if (problem !== undefined) throw new MatrixError(400, 'M_INVALID_USERNAME', problem);
  const { hash: passwordHash, made } = await passwordOf(deps, wish);
  await submit(deps, request, { userId, register: { passwordHash, kind: 'user', ...(wish.admin && { admin: true }) } });
  return { user_id: userId, admin: wish.admin, ...made };
}

async function show(deps: UserDeps, wish: Named<'show'>): Result {
  const account = await requireAccount(deps, wish.user);
  const { userQuery } = deps.accounts;
  const [devices, profile] = [await userQuery.devicesSeen(account.userId), await userQuery.profile(account.userId)];
  return { ...shown(account), profile: profile ?? {}, devices: devices.map(({ deviceId, seenAtMs, seenIp }) => ({ device_id: deviceId, last_seen: seenAtMs, last_ip: seenIp })) };
}

async function setPassword(deps: UserDeps, request: Asking, wish: Named<'set-password'>): Result {
  const { userId } = await requireAccount(deps, wish.user);
  const { hash: passwordHash, made } = await passwordOf(deps, wish);
  await submit(deps, request, { userId, changePassword: { passwordHash, logsOutOthers: !wish.keep_devices, deviceId: '' } });
  return { user_id: userId, ...made };
}

async function deactivate(deps: UserDeps, request: Asking, { user: name, erase }: Named<'deactivate'>): Result {
  const { userId } = await requireAccount(deps, name);
  await endAccount({ ...deps.accounts, runtime: deps.runtime }, request, { userId, erase });
  return { user_id: userId, deactivated: true, erased: erase };
}

async function logout(deps: UserDeps, request: Asking, wish: Named<'logout'>): Result {
  const { userId } = await requireAccount(deps, wish.user);
  await submit(deps, request, { userId, logout: { deviceId: '' } });
  return { user_id: userId };
}

async function setFlag(deps: UserDeps, request: Asking, { command, user: name, isSet }: { command: string; user: string; isSet: boolean }): Result {
  const { userId } = await requireAccount(deps, name);
  const flagName = FLAGS[command]!;
  await submit(deps, request, { userId, setAccountFlag: { flag: flagName, isSet } });
  return { user_id: userId, [flagName]: isSet };
}

async function addToken(deps: UserDeps, request: Asking, { token: wanted, uses, expires }: Named<'tokens-add'>): Result {
  const token = wanted ?? deps.runtime.random.token(RANDOM_TOKEN_LENGTH);
  if (expires > 0 && expires <= deps.runtime.clock.now()) throw new MatrixError(400, 'M_INVALID_PARAM', 'The token would have expired already');
  await submit(deps, request, { userId: `#${token}`, putRegistrationToken: { removed: false, usesAllowed: uses, expiresMs: expires } });
  return { token, uses_allowed: uses, expires };
}

async function removeToken(deps: UserDeps, request: Asking, { token }: Named<'tokens-remove'>): Result {
  await submit(deps, request, { userId: `#${token}`, putRegistrationToken: { removed: true, usesAllowed: 0, expiresMs: 0 } });
  return { token, removed: true };
}

function shown(account: AccountDetails): Record<string, unknown> {
  const { userId, createdAtMs, isAdmin, isGuest, isLocked, isSuspended, isDeactivated, isErased, hasLeftRooms } = account;
  return {
    user_id: userId, created: createdAtMs, admin: isAdmin, guest: isGuest, locked: isLocked, suspended: isSuspended, deactivated: isDeactivated,
    ...(isDeactivated && { erased: isErased, has_left_rooms: hasLeftRooms }),
  };
}

function shownToken({ token, usesAllowed, completed, pending, expiresMs }: Awaited<ReturnType<UserQuery['registrationTokens']>>[number]): Record<string, unknown> {
  return { token, uses_allowed: usesAllowed, completed, pending, expires: expiresMs };
}
