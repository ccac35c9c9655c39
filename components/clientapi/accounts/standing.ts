/** Whether a user may act where others see it: not while suspended, and not before the terms of this server were accepted. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { userLocked } from '../../../pkg/http/requester.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import type { LimitClass } from '../checks/request-limits.ts';
import type { Context } from '../context.ts';
import { limitedRequester } from '../routes/client-route.ts';
import { consentLink } from './consent-link.ts';
import { hasAccepted } from './terms.ts';

/** As `limitedRequester`, for what is refused to the suspended and before consent. Throws 401, 403 M_USER_SUSPENDED or M_CONSENT_NOT_GIVEN, 429. */
export async function actingRequester(context: Context, request: ApiRequest, limitClass: LimitClass): Promise<Requester> {
  const requester = await limitedRequester(context, request, limitClass);
  requireGoodStanding(context, requester);
  return requester;
}

/** Throws 403 M_USER_SUSPENDED or M_CONSENT_NOT_GIVEN. */
export function requireGoodStanding(context: Context, requester: Requester): void {
  requireNotSuspended(requester);
  requireConsent(context, requester);
}

/** Throws 403 M_USER_SUSPENDED (Client-Server API, "Account suspension"). */
export function requireNotSuspended({ isSuspended }: Requester): void {
  if (isSuspended === true) throw new MatrixError(403, 'M_USER_SUSPENDED', 'You cannot perform this action while suspended.');
}

/** For requests without a token, which tells. Throws 401 M_USER_LOCKED. */
export async function requireUnlocked({ userQuery }: Pick<Context, 'userQuery'>, userId: string): Promise<void> {
  if ((await userQuery.account(userId))?.isLocked === true) throw userLocked();
}

/** Throws 403 M_CONSENT_NOT_GIVEN with the page where the user can mend that. Application services are bound by no terms. */
function requireConsent(context: Context, { userId, acceptedTerms }: Requester): void {
  const { terms } = context.settings;
  if (terms === undefined || acceptedTerms === undefined || hasAccepted(terms, acceptedTerms) || context.userQuery.appservices?.isExclusive(userId) === true) return;
  const uri = consentLink(context, userId);
  throw new MatrixError(403, 'M_CONSENT_NOT_GIVEN', `The terms of this server have to be accepted first: ${uri}`, { fields: { consent_uri: uri } });
}

/** A suspended user may redact what they have said, and nothing else. */
export async function requireMayRedact(context: Context, requester: Requester, eventId: string): Promise<void> {
  if (requester.isSuspended !== true) return requireConsent(context, requester);
  const [event] = await context.roomQuery.eventsById([eventId]);
  const sender = event && (JSON.parse(Buffer.from(event.pdu).toString('utf8')) as { sender?: unknown }).sender;
  if (sender !== requester.userId) requireNotSuspended(requester);
}

/** For events of any type. Leaving, and redacting what one has said, are open to who may do nothing else. */
export async function requireMaySend(context: Context, requester: Requester, event: { readonly type: string; readonly stateKey?: string; readonly content: Readonly<Record<string, unknown>> }): Promise<void> {
  const { type, stateKey, content } = event;
  if (type === 'm.room.redaction' && typeof content['redacts'] === 'string') return requireMayRedact(context, requester, content['redacts']);
  if (type === 'm.room.member' && stateKey === requester.userId && content['membership'] === 'leave') return;
  requireGoodStanding(context, requester);
}
