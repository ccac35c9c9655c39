/** What a server may ask about a room: everything while it has a member joined, what is world readable otherwise; nothing when the room's access list shuts it out. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import { redact } from '../../../pkg/matrix/events/redact.ts';
import { aclAllows } from '../../../pkg/matrix/events/server-acl.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { RoomHistoryQuery, RoomQuery, StoredEvent } from '../../../schemas/ports/room-query.ts';
import type { UserQuery } from '../../../schemas/ports/user-query.ts';

export interface RoomPorts {
  readonly roomQuery: Pick<RoomQuery, 'eventsById' | 'currentState' | 'hasJoinedMember' | 'lacksMembers'>;
  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'stateIdsAt' | 'missingEvents' | 'backfill' | 'visibleToServer' | 'joinedHostsAt'>;
  readonly userQuery: Pick<UserQuery, 'erasedAmong'>;
}

/** Whether the room's access list lets the server take part; rooms without one let all. */
export async function isLetIn({ roomQuery }: { roomQuery: Pick<RoomQuery, 'currentState'> }, origin: string, roomId: string): Promise<boolean> {
  const [acl] = await roomQuery.currentState(roomId, [['m.room.server_acl', '']]);
  return aclAllows(acl === undefined ? undefined : pduOf(acl).content, origin);
}

/** Throws `MatrixError` 403 M_FORBIDDEN when the room's access list shuts `origin` out. */
export async function requireLetIn(ports: { roomQuery: Pick<RoomQuery, 'currentState'> }, origin: string, roomId: string): Promise<void> {
  if (!(await isLetIn(ports, origin, roomId))) throw new MatrixError(403, 'M_FORBIDDEN', 'The room does not let your server in');
}

/**
 * Throws `MatrixError` 403 M_FORBIDDEN unless `origin` may ask about the room, and about these events of it: also for rooms that are not known here, so that nobody learns
 * which ones are.
 */
export async function requireRoomAccess(ports: RoomPorts, origin: string, about: { roomId: string; eventIds: readonly string[] }): Promise<void> {
  const { roomId, eventIds } = about;
  await requireLetIn(ports, origin, roomId);
  await requireMembers(ports, roomId, { status: 403, errcode: 'M_UNABLE_DUE_TO_PARTIAL_STATE' });
  if (await ports.roomQuery.hasJoinedMember(roomId, origin)) return;
  const visible = await ports.roomHistoryQuery.visibleToServer(origin, eventIds);
  if (eventIds.length === 0 || eventIds.some((eventId) => !visible.has(eventId))) throw new MatrixError(403, 'M_FORBIDDEN', 'Your server is not in the room');
}

/**
 * Throws `MatrixError` with this status and error code while the members of the room are not known here: who may ask cannot be told, nor what the state is (MSC3895). Whoever asks can ask
 * another server.
 */
export async function requireMembers(ports: { roomQuery: Pick<RoomQuery, 'lacksMembers'> }, roomId: string, { status, errcode }: { status: number; errcode: string }): Promise<void> {
  if (await ports.roomQuery.lacksMembers(roomId)) throw new MatrixError(status, errcode, 'This server has joined the room a moment ago and does not know yet who is in it');
}

/** JSON texts of events for `origin`, in the same order; those that its users may not see are redacted, and those of erased users that were sent when none of its users was in the room. */
export async function textsFor(ports: RoomPorts, origin: string, events: readonly StoredEvent[]): Promise<string[]> {
  const visible = await ports.roomHistoryQuery.visibleToServer(origin, events.map(({ eventId }) => eventId));
  const erased = await erasedFor(ports, origin, events);
  return events.map((event) => {
    const version = roomVersion(event.roomVersion);
    const isShown = visible.has(event.eventId) && !erased.has(event.eventId);
    return isShown || version === undefined ? textOf(event) : eventText(redact(pduOf(event), version), version);
  });
}

/** IDs of the events whose sender had their account erased, and that `origin` was not sent in its time (Client-Server API, "POST /account/deactivate", `erase`). */
async function erasedFor({ userQuery, roomHistoryQuery }: RoomPorts, origin: string, events: readonly StoredEvent[]): Promise<Set<string>> {
  const senders = new Map(events.map((event) => [event.eventId, pduOf(event).sender]));
  const erasedUsers = await userQuery.erasedAmong([...new Set(senders.values())]);
  const erased = new Set<string>();
  for (const [eventId, sender] of erasedUsers.size === 0 ? [] : senders) {
    if (erasedUsers.has(sender) && (await roomHistoryQuery.joinedHostsAt(eventId, 'before'))?.includes(origin) !== true) erased.add(eventId);
  }
  return erased;
}

/** The event as it is stored. */
export function pduOf(event: Pick<StoredEvent, 'pdu'>): Pdu {
  return JSON.parse(textOf(event)) as Pdu;
}

function textOf({ pdu }: Pick<StoredEvent, 'pdu'>): string {
  return Buffer.from(pdu.buffer, pdu.byteOffset, pdu.byteLength).toString('utf8');
}
