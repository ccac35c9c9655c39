/** What `https://<hostname>/.well-known/matrix/server` says, and for how long (spec: server-server, "Resolving server names", step 3). Pure. */
import { isJsonObject } from '../http/json.ts';
import { isServerName } from '../matrix/ids/server-name.ts';

/** An answer, after redirects; undefined: there was none (no name, no connection, a redirect too many, too big). */
export interface WellKnownResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export interface WellKnownResult {
  /** The name that the host delegates to; undefined: it delegates to nobody. */
  readonly delegated: string | undefined;
  /** How long this counts, in ms. */
  readonly lifetimeMs: number;
}

/** How long results are kept, in ms. */
export interface WellKnownLifetimes {
  /** For answers that say nothing about it. */
  readonly defaultMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** After the first failure; each further one doubles it. */
  readonly firstErrorMs: number;
  readonly maxErrorMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The spec's recommendations; the shortest lifetime keeps a host that forbids caching from being asked with every request. */
export const WELL_KNOWN_LIFETIMES: WellKnownLifetimes = {
  defaultMs: 24 * HOUR_MS, minMs: 5 * MINUTE_MS, maxMs: 48 * HOUR_MS, firstErrorMs: MINUTE_MS, maxErrorMs: HOUR_MS,
};

/** `failuresBefore`: failures in a row before this one. */
export function readWellKnown(response: WellKnownResponse | undefined, at: { nowMs: number; failuresBefore: number; lifetimes?: WellKnownLifetimes }): WellKnownResult {
  const lifetimes = at.lifetimes ?? WELL_KNOWN_LIFETIMES;
  const delegated = response?.status === 200 ? delegatedName(response.body) : undefined;
  if (response === undefined || delegated === undefined) {
    return { delegated: undefined, lifetimeMs: Math.min(lifetimes.firstErrorMs * 2 ** Math.min(at.failuresBefore, 30), lifetimes.maxErrorMs) };
  }
  const asked = askedLifetimeMs(response.headers, at.nowMs) ?? lifetimes.defaultMs;
  return { delegated, lifetimeMs: Math.min(Math.max(asked, lifetimes.minMs), lifetimes.maxMs) };
}

function delegatedName(body: Uint8Array): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
  const name = isJsonObject(value) ? value['m.server'] : undefined;
  return typeof name === 'string' && isServerName(name) ? name : undefined;
}

/** What the cache headers say (RFC 9111, sections 4.2.1 and 5.2.2); undefined when they say nothing. */
function askedLifetimeMs(headers: WellKnownResponse['headers'], nowMs: number): number | undefined {
  const directives = (headers['cache-control'] ?? '').toLowerCase().split(',').map((directive) => directive.trim());
  if (directives.some((directive) => /^no-(store|cache)(=|$)/.test(directive))) return 0;
  const maxAge = directives.map((directive) => /^max-age="?(\d{1,12})"?$/.exec(directive)?.[1]).find((value) => value !== undefined);
  if (maxAge !== undefined) return Math.max(0, Number(maxAge) - ageSeconds(headers)) * 1000;
  const expires = headers.expires;
  if (expires === undefined) return undefined;
  const expiresMs = Date.parse(expires);
  // A date that cannot be read means "expired already" (RFC 9111, section 5.3).
  return Number.isNaN(expiresMs) ? 0 : Math.max(0, expiresMs - nowMs);
}

function ageSeconds(headers: WellKnownResponse['headers']): number {
  return /^\d{1,12}$/.test(headers.age ?? '') ? Number(headers.age) : 0;
}
