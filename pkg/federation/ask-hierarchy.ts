/** Asks another server what it knows of a space and of the rooms in it (spec: server-server, GET /hierarchy). */
import { isRoomId } from '../matrix/ids/room-id.ts';
import { readSummary } from '../matrix/room-summary/read-summary.ts';
import type { RoomSummary } from '../matrix/room-summary/room-summary.ts';
import { readChildren, type SpaceChild } from '../matrix/room-summary/space-children.ts';
import { FederationError, type FederationTransport } from './transport.ts';

/** What a server says of one room that it is in. */
export interface RemoteHierarchy {
  readonly room: RoomSummary;
  /** In the order of the spec. */
  readonly children: readonly SpaceChild[];
  /** Those of the children that the server knows and that this one may know of, by room ID. */
  readonly rooms: ReadonlyMap<string, RoomSummary>;
  /** Children that nobody here may know of. */
  readonly inaccessible: ReadonlySet<string>;
}

export interface HierarchyQuestion {
  readonly destination: string;
  readonly roomId: string;
  readonly suggestedOnly: boolean;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

const ANSWER_BYTES_MAX = 1024 * 1024;

/** Rejects with `FederationError`, kind `http` with status 404 where the server does not know the room or may not tell. `transport` signs. */
export async function askHierarchy(transport: FederationTransport, { destination, roomId, suggestedOnly, deadlineMs, signal }: HierarchyQuestion): Promise<RemoteHierarchy> {
  const { body } = await transport.request({
    destination, method: 'GET', path: `/_matrix/federation/v1/hierarchy/${encodeURIComponent(roomId)}`, query: { suggested_only: String(suggestedOnly) }, deadlineMs,
    responseBytesMax: ANSWER_BYTES_MAX, ...(signal && { signal }),
  });
  const room = readSummary(body['room']);
  if (room?.room_id !== roomId) throw new FederationError('garbage', `${destination} told of another room than was asked for`);
  const children = listOf(body['children']).flatMap((child) => readSummary(child) ?? []);
  return {
    room,
    children: readChildren((body['room'] as { children_state?: unknown }).children_state),
    rooms: new Map(children.map((child) => [child.room_id, child])),
    inaccessible: new Set(listOf(body['inaccessible_children']).filter(isRoomId)),
  };
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
