/** Profiles of users of other servers (spec: server-server, GET /query/profile). */
import { domainOf } from '../matrix/ids/domain-of.ts';
import type { FederationTransport } from './transport.ts';

export type RemoteProfile = Readonly<Record<string, unknown>>;

const DEADLINE_MS = 10_000;
/** A profile has at most 64 KiB (Client-Server API, "Profiles"). */
const ANSWER_BYTES_MAX = 128 * 1024;

/** All fields of the user's profile, or `field` of it; those that are not set are left out. Rejects with `FederationError`, kind `http` with status 404 where there is no such user. `transport` signs. */
export async function queryProfile(transport: FederationTransport, userId: string, { field, signal }: { field?: string | undefined; signal?: AbortSignal } = {}): Promise<RemoteProfile> {
  const { body } = await transport.request({
    destination: domainOf(userId), method: 'GET', path: '/_matrix/federation/v1/query/profile', query: { user_id: userId, ...(field !== undefined && { field }) },
    deadlineMs: DEADLINE_MS, responseBytesMax: ANSWER_BYTES_MAX, ...(signal && { signal }),
  });
  return Object.fromEntries(Object.entries(body).filter(([key, value]) => isFit(key, value) && (field === undefined || key === field)));
}

/** Names and pictures go to clients as what the spec says they are; servers may send null for what is not set. */
function isFit(key: string, value: unknown): boolean {
  if (key === 'displayname' || key === 'm.tz') return typeof value === 'string';
  if (key === 'avatar_url') return typeof value === 'string' && value.startsWith('mxc://');
  return true;
}
