/** The page where a user accepts the terms of this server, reached by the link in M_CONSENT_NOT_GIVEN. Not of the spec, which leaves the page to the server. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { Terms } from '../../../schemas/config/settings.ts';
import { CONSENT_PATH, consentQuery, userOfConsentLink } from '../accounts/consent-link.ts';
import { currentVersions, hasAccepted } from '../accounts/terms.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { escaped, page } from '../pages/page.ts';
import type { RouteSpec } from './client-route.ts';

const TITLE = 'Terms';

/** GET /_myelin/consent */
export async function getConsentPage(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId, terms } = await readLink(context, request);
  const account = await context.userQuery.accountDetails(userId);
  const isDone = account !== undefined && hasAccepted(terms, account.acceptedTerms);
  return page({ title: TITLE, body: isDone ? accepted() : question(context, userId, terms) });
}

/** POST /_myelin/consent: accepts the versions that the page has shown, as long as they are the newest. */
export async function acceptTerms(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId, terms } = await readLink(context, request);
  const versions = currentVersions(terms);
  // They may have changed while the page was open: then the new ones are shown.
  if (request.query.get('v') !== versions) return page({ title: TITLE, body: question(context, userId, terms) });
  await submitUserCommand(context, request, { userId, acceptTerms: { versions: Buffer.from(versions) } });
  return page({ title: TITLE, body: accepted() });
}

async function readLink({ settings, signingKey, limits }: Context, request: ApiRequest): Promise<{ userId: string; terms: Terms }> {
  const { terms } = settings;
  if (terms === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'This server has no terms');
  limits.take('registration', request.remoteAddress);
  const userId = userOfConsentLink(signingKey, request.query);
  if (userId === undefined) throw new MatrixError(403, 'M_FORBIDDEN', 'This link is not complete');
  return { userId, terms };
}

function question({ signingKey, serverName }: Context, userId: string, terms: Terms): string {
  const links = Object.values(terms).map(({ languages }) => {
    const names = Object.entries(languages).map(([language, { name, url }]) => `<a href="${escaped(url)}" hreflang="${escaped(language)}" rel="noreferrer">${escaped(name)}</a>`);
    return `<li>${names.join(' · ')}</li>`;
  });
  const action = `${CONSENT_PATH}?${consentQuery(signingKey, userId)}&${new URLSearchParams({ v: currentVersions(terms) }).toString()}`;
  return `<h1>The terms of ${escaped(serverName)}</h1>
<p>${escaped(userId)}, this server asks you to read and accept:</p>
<ul>${links.join('')}</ul>
<form method="post" action="${escaped(action)}"><button type="submit">I accept</button></form>`;
}

function accepted(): string {
  return '<h1>Thank you</h1><p>You have accepted the terms. You can close this page and go on in your client.</p>';
}

export const consentRoutes: readonly RouteSpec[] = [
  { handler: getConsentPage, method: 'GET', path: CONSENT_PATH, idempotent: true },
  { handler: acceptTerms, method: 'POST', path: CONSENT_PATH, body: 'none', idempotent: true },
];
