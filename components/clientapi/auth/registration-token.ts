/** Uses of the registration tokens that the operator has given out: set aside while somebody registers, so that a token makes no more accounts than it may. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import type { ClientapiSettings } from '../deps.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import type { AuthDict } from './stage.ts';
import type { UiaSession } from './uia-session.ts';

export const TOKEN_STAGE = 'm.login.registration_token';
/** What the inputs of a token have for a user; the token follows. */
const TOKEN_KEY_SIGIL = '#';
/** What stands for an account that has no name yet: the session that is to end in it. */
const SESSION_SIGIL = '~';

/** When the stage is passed on its page, the request that makes the account does not name the token any more. Throws 401 when all uses are taken. */
export async function reserveForSession(context: Context, request: ApiRequest, session: Pick<UiaSession, 'name'>, token: string): Promise<void> {
  if (request.path.endsWith('/register') || isTokenOfSettings(context.settings, token)) return;
  await submitUserCommand(context, request, { userId: TOKEN_KEY_SIGIL + token, useRegistrationToken: { userId: SESSION_SIGIL + session.name, insteadOf: '' } });
}

/** Makes the account by the token that its request has shown. The use is given back when the account cannot be made. Throws 401 when all uses are taken. */
export async function underRegistrationToken<T>(context: Context, request: ApiRequest, userId: string, make: () => Promise<T>): Promise<T> {
  const { auth } = request.body as { auth?: AuthDict };
  const name = auth?.session === undefined ? undefined : context.uiaSessions.open(auth.session)?.name;
  const session = name === undefined ? '' : SESSION_SIGIL + name;
  const shown = auth?.type === TOKEN_STAGE && typeof auth['token'] === 'string' ? auth['token'] : undefined;
  const token = shown ?? (session === '' ? undefined : await context.userQuery.reservedRegistrationToken(session));
  if (token === undefined || isTokenOfSettings(context.settings, token)) return make();
  const use = (wanted: string, insteadOf: string) => submitUserCommand(context, request, { userId: TOKEN_KEY_SIGIL + token, useRegistrationToken: { userId: wanted, insteadOf } });
  await use(userId, session);
  try {
    return await make();
  } catch (error) {
    // Without an answer the account may be there. When somebody else was faster, it may be by the same token.
    if (error instanceof MatrixError && error.errcode !== 'M_USER_IN_USE') await use('', userId);
    throw error;
  }
}

/** Whether an account may be made by the token now: it is that of the settings, or one that the operator has given out. */
export async function isRegistrationToken({ settings, userQuery, runtime }: Pick<Context, 'settings' | 'userQuery' | 'runtime'>, token: string): Promise<boolean> {
  if (settings.registration !== 'token') return false;
  return isTokenOfSettings(settings, token) || userQuery.isRegistrationTokenValid(token, runtime.clock.now());
}

/** Compared in constant time. An empty one is none. */
export function isTokenOfSettings({ registrationToken }: Pick<ClientapiSettings, 'registrationToken'>, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return registrationToken !== '' && timingSafeEqual(digest(token), digest(registrationToken));
}
