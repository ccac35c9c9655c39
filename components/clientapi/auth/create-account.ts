/** What every way to a new account has in common: the name, the account, and the session that comes with it. */
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { localpartProblem, userId as formatUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { textUpTo } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { requireNotExclusive } from './appservice.ts';
import { newDeviceLogin, type DeviceLogin } from './new-device.ts';
import { passwordProblem } from './password.ts';

/** Members of a body that say which session is wanted. */
export const sessionFields = {
  device_id: textUpTo(255).min(1).optional(),
  initial_device_display_name: textUpTo(255).optional(),
  inhibit_login: z.boolean().default(false),
  refresh_token: z.boolean().default(false),
};

export interface NewAccount {
  readonly userId: string;
  /** Empty: nobody can log in with a password. */
  readonly passwordHash: string;
  readonly isAdmin?: boolean;
  readonly isGuest?: boolean;
  /** What the user has accepted: JSON object, policy ID to version. */
  readonly acceptedTerms?: string | undefined;
  readonly session: { readonly device_id?: string | undefined; readonly initial_device_display_name?: string | undefined; readonly inhibit_login: boolean; readonly refresh_token?: boolean };
}

/** Makes the account, and a device unless `inhibit_login`. The answer is that of `POST /register`. Throws 400 M_USER_IN_USE. */
export async function createAccount(context: Context, request: ApiRequest, account: NewAccount): Promise<ApiResponse> {
  const { userId, passwordHash, isAdmin, isGuest, session } = account;
  const login = session.inhibit_login ? undefined : newDeviceLogin(context, request, session);
  await submitUserCommand(context, request, {
    userId, register: { passwordHash, kind: isGuest === true ? 'guest' : 'user', ...(isAdmin === true && { admin: true }), ...(login && { device: login.device }) },
  });
  return answerAs(context, request, account, login);
}

/** A guest becomes a user: the account keeps its ID, its rooms and its profile. */
export async function upgradeGuest(context: Context, request: ApiRequest, account: NewAccount): Promise<ApiResponse> {
  const { userId, passwordHash, session } = account;
  const login = session.inhibit_login ? undefined : newDeviceLogin(context, request, session);
  await submitUserCommand(context, request, { userId, upgradeGuest: { passwordHash, ...(login && { device: login.device }) } });
  return answerAs(context, request, account, login);
}

async function answerAs(context: Context, request: ApiRequest, { userId, acceptedTerms }: NewAccount, login: DeviceLogin | undefined): Promise<ApiResponse> {
  if (acceptedTerms !== undefined) await submitUserCommand(context, request, { userId, acceptTerms: { versions: Buffer.from(acceptedTerms) } });
  return { status: 200, body: { user_id: userId, home_server: context.serverName, ...login?.fields } };
}

/** The user ID of a name that is free for people. User IDs have no capitals (appendices, "User Identifiers"), so those of `username` are made small. Throws 400. */
export async function requireFree(context: Context, username: string): Promise<string> {
  const userId = requireValid(context, username.toLowerCase());
  requireNotExclusive(context, userId);
  await requireUnused(context, userId);
  return userId;
}

/** Throws 400 M_INVALID_USERNAME. */
export function requireValid(context: Pick<Context, 'serverName'>, localpart: string): string {
  const problem = localpartProblem(localpart, context.serverName);
  if (problem !== undefined) throw new MatrixError(400, 'M_INVALID_USERNAME', problem);
  return formatUserId(localpart, context.serverName);
}

/** Throws 400 M_USER_IN_USE. */
export async function requireUnused(context: Pick<Context, 'userQuery'>, userId: string): Promise<void> {
  if (await context.userQuery.userExists(userId)) throw new MatrixError(400, 'M_USER_IN_USE', 'This user ID is taken');
}

/** Throws 400 M_WEAK_PASSWORD. */
export function requireGoodPassword(password: string): void {
  const problem = passwordProblem(password);
  if (problem !== undefined) throw new MatrixError(400, 'M_WEAK_PASSWORD', problem);
}
