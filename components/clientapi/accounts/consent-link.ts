/** Links to the page where a user accepts the terms: whoever has the link may accept for that user, and nobody can make one but this server. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Context } from '../context.ts';

export const CONSENT_PATH = '/_myelin/consent';

/** Absolute where the server knows how clients reach it. */
export function consentLink({ settings, signingKey }: Pick<Context, 'settings' | 'signingKey'>, userId: string): string {
  return `${settings.publicBaseUrl.replace(/\/+$/, '')}${CONSENT_PATH}?${consentQuery(signingKey, userId)}`;
}

export function consentQuery(signingKey: SigningKey, userId: string): string {
  return new URLSearchParams({ u: userId, h: macOf(signingKey, userId).toString('base64url') }).toString();
}

/** The user of a link; undefined when this server did not make it. */
export function userOfConsentLink(signingKey: SigningKey, query: URLSearchParams): string | undefined {
  const userId = query.get('u') ?? '';
  const given = Buffer.from(query.get('h') ?? '', 'base64url');
  const expected = macOf(signingKey, userId);
  return given.length === expected.length && timingSafeEqual(given, expected) ? userId : undefined;
}

/** Equal on all instances, and of no use for anything else. */
function macOf(signingKey: SigningKey, userId: string): Buffer {
  const secret = signingKey.sign(Buffer.from('myelin links to the consent page, version 1'));
  return createHmac('sha256', secret).update(userId).digest();
}
