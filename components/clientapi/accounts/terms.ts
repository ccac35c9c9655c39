/** The terms of this server: which versions a user has accepted, which there are now. */
import type { Terms } from '../../../schemas/config/settings.ts';

/** The newest version of each policy, as JSON: what somebody accepts who accepts all. */
export function currentVersions(terms: Terms): string {
  return JSON.stringify(Object.fromEntries(Object.entries(terms).map(([policyId, { version }]) => [policyId, version])));
}

/** `accepted`: JSON object, policy ID to version; empty: nothing. */
export function hasAccepted(terms: Terms, accepted: string): boolean {
  const versions = (accepted === '' ? {} : JSON.parse(accepted)) as Record<string, unknown>;
  return Object.entries(terms).every(([policyId, { version }]) => Object.hasOwn(versions, policyId) && versions[policyId] === version);
}

/** Parameters of the stage `m.login.terms` (Client-Server API, "Terms of service at registration"). */
export function termsParams(terms: Terms): { policies: Record<string, Record<string, unknown>> } {
  return { policies: Object.fromEntries(Object.entries(terms).map(([policyId, { version, languages }]) => [policyId, { ...languages, version }])) };
}
