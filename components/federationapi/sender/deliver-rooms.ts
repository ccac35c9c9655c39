/** One turn of a destination that has rooms to catch up with: it is sent their forward extremities as they are now. */
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { RoomHistoryQuery, RoomQuery, StoredEvent } from '../../../schemas/ports/room-query.ts';
import { pduOf } from '../auth/room-access.ts';
import { beginResolving, readMarkedRooms, removeMarks } from '../storage/destination-rooms.ts';
import { readJoinedHosts } from '../storage/joined-hosts.ts';
import type { Destination } from './destination.ts';
import { noteReached, send, type Delivery, type SendDeps } from './send.ts';
import { makeTransaction, TRANSACTION_PDUS_MAX } from './transaction.ts';

export interface DeliverRoomsDeps extends SendDeps {
  readonly roomQuery: Pick<RoomQuery, 'eventsById' | 'roomTip'>;
  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'visibleToServer'>;
}

/** Of one transaction. */
const ROOMS_MAX = 25;
/** Of a room with more, so many: the others follow from what is said there next. */
const EXTREMITIES_MAX = 20;

interface End {
  readonly roomId: string;
  readonly eventId: string;
}

/** undefined: there are none, or no longer. Rejects with `StorageError`; then the same is done again some time. */
export async function deliverRooms(deps: DeliverRoomsDeps, destination: Destination): Promise<Delivery | undefined> {
  const { database, settle, runtime, serverName, roomQuery } = deps;
  const roomIds = await readMarkedRooms(database, destination, Math.min(ROOMS_MAX, destination.limit));
  destination.hasMarks = roomIds.length > 0;
  if (!destination.hasMarks) return undefined;
  const attempt = runtime.random.token(16);
  destination.isResolving = true;
  await settle((tx) => beginResolving(tx, destination, roomIds, attempt));
  const ends = await endsOf(deps, destination.name, roomIds);
  const transaction = await makeTransaction({ serverName, nowMs: runtime.clock.now(), roomQuery }, ends.slice(0, destination.limit));
  const isSent = transaction.eventIds.length > 0;
  if (isSent) {
    const failure = await send(deps, destination, transaction);
    if (failure !== undefined) return failure;
  }
  // Of a room of which not all fits, the rest follows from what is said there next.
  const [wanted, sent] = [ends, transaction.queued].map((some) => new Set(some.map(({ roomId }) => roomId)));
  const done = roomIds.filter((roomId) => !wanted!.has(roomId) || sent!.has(roomId));
  await noteReached(deps, destination, isSent, (tx) => removeMarks(tx, destination, done, attempt));
  destination.limit = Math.min(TRANSACTION_PDUS_MAX, destination.limit * 2);
  return { kind: 'sent', more: true };
}

/** What ends the rooms now, room by room, as far as the destination is there, may see it, and has not made it itself. */
async function endsOf({ database, roomQuery, roomHistoryQuery }: DeliverRoomsDeps, name: string, roomIds: readonly string[]): Promise<End[]> {
  const hosts = await readJoinedHosts(database, roomIds);
  const ends: End[] = [];
  for (const roomId of roomIds) {
    if (hosts.get(roomId)?.has(name) !== true) continue;
    const tip = await roomQuery.roomTip(roomId);
    ends.push(...(tip?.extremities ?? []).slice(-EXTREMITIES_MAX).map((eventId) => ({ roomId, eventId })));
  }
  const foreign = (await roomQuery.eventsById(ends.map(({ eventId }) => eventId))).filter((event) => isOfAnother(event, name)).map(({ eventId }) => eventId);
  const visible = await roomHistoryQuery.visibleToServer(name, foreign);
  return ends.filter(({ eventId }) => visible.has(eventId));
}

function isOfAnother(event: StoredEvent, name: string): boolean {
  return domainOf(pduOf(event).sender) !== name;
}
