/** Asks another server for a page of its room directory (spec: server-server, GET and POST /publicRooms). */
import { readSummary } from '../matrix/room-summary/read-summary.ts';
import { publishedRoom, type PublishedRoom } from '../matrix/room-summary/room-summary.ts';
import { FederationError, type FederationTransport } from './transport.ts';

export interface RemoteDirectoryPage {
  readonly chunk: readonly PublishedRoom[];
  readonly next_batch?: string;
  readonly prev_batch?: string;
  readonly total_room_count_estimate?: number;
}

export interface DirectoryQuestion {
  readonly destination: string;
  readonly deadlineMs: number;
  readonly limit: number;
  readonly since?: string | undefined;
  readonly filter?: { readonly generic_search_term?: string; readonly room_types?: readonly (string | null)[] } | undefined;
  readonly includeAllNetworks: boolean;
  readonly thirdPartyInstanceId?: string | undefined;
  readonly signal?: AbortSignal;
}

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const PATH = '/_matrix/federation/v1/publicRooms';

/** At most `limit` rooms. Rejects with `FederationError`. `transport` signs. */
export async function askPublicRooms(transport: FederationTransport, question: DirectoryQuestion): Promise<RemoteDirectoryPage> {
  const { destination, deadlineMs, limit, since, filter, includeAllNetworks, thirdPartyInstanceId, signal } = question;
  const common = { destination, path: PATH, deadlineMs, responseBytesMax: ANSWER_BYTES_MAX, ...(signal && { signal }) };
  const wish = { ...(since !== undefined && { since }), ...(thirdPartyInstanceId !== undefined && { third_party_instance_id: thirdPartyInstanceId }) };
  const { body } = filter === undefined
    ? await transport.request({ ...common, method: 'GET', query: { limit: String(limit), include_all_networks: String(includeAllNetworks), ...wish } })
    : await transport.request({ ...common, method: 'POST', body: { limit, include_all_networks: includeAllNetworks, filter: { ...filter }, ...wish } });
  const { chunk, next_batch: next, prev_batch: previous, total_room_count_estimate: total } = body;
  if (!Array.isArray(chunk)) throw new FederationError('garbage', `${destination} gave no list of rooms`);
  return {
    chunk: (chunk as unknown[]).slice(0, limit).flatMap((room) => readSummary(room) ?? []).map(publishedRoom),
    ...(typeof next === 'string' && { next_batch: next }),
    ...(typeof previous === 'string' && { prev_batch: previous }),
    ...(Number.isSafeInteger(total) && { total_room_count_estimate: total as number }),
  };
}
