/** Applies room-output: timelines, state and membership intervals, redactions, receipts, and memberships in rooms that this server is not in. */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { Applier } from '../../../pkg/log/applier.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Reader, Transaction } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { clientEventOf, parsePdu } from '../events/client-event.ts';
import type { EventCache } from '../events/event-cache.ts';
import { writeRelations } from '../relations/write-relations.ts';
import type { PicturesDeps } from '../unread/pictures.ts';
import { createUnreadWriter } from '../unread/unread-writer.ts';
import { writeMembershipChanges } from '../storage/membership-changes.ts';
import { currentMemberships, interruptedMemberships, membersEver } from '../storage/memberships.ts';
import type { DecodedRoomOutput, Records } from './decoded.ts';
import { foreignEvents, readForeign } from './foreign-events.ts';
import { loadPublished, writePublished, type PublishedDeps, type RoomTexts } from './published-rooms.ts';
import { writePartialRooms } from './partial-rooms.ts';
import { purgeTimelines } from './purge-timelines.ts';
import { resetRoom, roomsOnTheWayIn } from './reset-room.ts';
import { memberChanges, planMemberships, planState, type KnownMemberships, type MembershipMove, type MembershipPlan } from './room-rows.ts';
import { endOutside, writeForgotten, writeMemberships, writeOutside, writeReceipts, writeRedactions, writeRooms, writeState } from './write-rows.ts';
import { visibilitiesBefore, writeTimeline } from './write-timeline.ts';

export interface RoomApplierDeps {
  /** Asked only about state that changed without its event being in the records (state resolution). */
  readonly roomQuery: Pick<RoomQuery, 'eventsById' | 'currentStates'>;
  /** The read model itself. */
  readonly database: PublishedDeps['database'] & Reader;
  readonly cache: EventCache;
  /** Only its users sync here. */
  readonly serverName: string;
  readonly rulesAsOf?: PicturesDeps['rulesAsOf'];
}

/** The applier of room-output. */
export function roomOutputApplier(deps: RoomApplierDeps): Applier<DecodedRoomOutput> {
  const foreign = new Map<string, string>();
  let published = new Map<string, RoomTexts>();
  const unread = createUnreadWriter(deps);
  return {
    decode: (bytes) => {
      const record = roomOutputCodec.decode(bytes);
      if (roomVersion(record.roomVersion) === undefined && !record.need) throw new PoisonRecord(`room version ${record.roomVersion} is not known`);
      if (record.outsideMembership) parsePdu(record.outsideMembership.pdu);
      return { record, pdu: record.event ? parsePdu(record.event.pdu) : undefined };
    },
    traceOf: ({ record }) => record.traceId,
    load: async (records) => {
      for (const [eventId, value] of await readForeign(deps.roomQuery, foreignEvents(records))) foreign.set(eventId, value);
      published = await loadPublished(deps, records);
      await unread.load(records);
    },
    apply: async (tx, records) => {
      const users = new Set<string>();
      const moves: MembershipMove[] = [];
      const parts = partsOf(records);
      // When all moves are known.
      const alongside = (part: Records): Promise<void> | undefined => (part === parts.at(-1) ? unread.apply(tx, records, moves) : undefined);
      for (const part of parts) for (const userId of await applyPart(tx, part, { foreign, moves, serverName: deps.serverName, alongside })) users.add(userId);
      if (parts.length === 0) await unread.apply(tx, records, moves);
      if (published.size > 0 || records.some(({ output }) => output.record.published)) await writePublished(tx, records, published);
      return whomToWake(records, [...users]);
    },
    committed: (records) => {
      for (const { output } of records) remember(deps.cache, output);
      for (const eventId of foreignEvents(records)) foreign.delete(eventId);
    },
    forget: () => unread.forget(),
  };
}

/** Of a state that came whole only what is asked for is put into the cache: it may have thousands of members. */
function remember(cache: EventCache, output: DecodedRoomOutput): void {
  const { event, roomId, roomVersion, traceId } = output.record;
  if (!event || output.pdu === undefined) return;
  cache.set(event.eventId, clientEventOf({ eventId: event.eventId, roomId, roomVersion, pdu: output.pdu, redactedBy: event.redactedBy || null, traceId }));
  // The owner's tables hold the redacted form by now: the next reader gets it from there.
  if (event.redacts !== '') cache.delete(event.redacts);
}

/** What can be planned together: a room whose state begins anew ends what was before it, also what the same batch wrote. Needs concern nobody here. */
function partsOf(records: Records): Records[] {
  const parts: Records[number][][] = [[]];
  for (const record of records) {
    if (record.output.record.need) continue;
    if (record.output.record.stateSlice?.reset === true) parts.push([]);
    parts.at(-1)?.push(record);
  }
  return parts.filter((part) => part.length > 0);
}

interface Applying {
  readonly foreign: ReadonlyMap<string, string>;
  readonly moves: MembershipMove[];
  readonly serverName: string;
  /** What else is written together with the part. */
  readonly alongside: (part: Records) => Promise<void> | undefined;
}

/** The users of this server whose memberships changed; all changes are added to `moves`. */
async function applyPart(tx: Transaction, records: Records, known: Applying): Promise<string[]> {
  const { foreign, serverName } = known;
  const [first] = records;
  const isReset = first?.output.record.stateSlice?.reset === true;
  const ended = isReset ? await membersEver(tx, first.output.record.roomId) : [];
  if (isReset) await resetRoom(tx, first.output.record.roomId, first.sequence);
  const inRooms = records.filter(({ output }) => !output.record.outsideMembership && !output.record.forgotten && !output.record.published);
  const isHere = (userId: string): boolean => isLocalUser(userId, serverName);
  const memberships = await plannedMemberships(tx, inRooms, { foreign, isHere });
  for (const move of memberships.moves) known.moves.push(move);
  const visibilities = await visibilitiesBefore(tx, inRooms);
  const sliced = new Set(inRooms.flatMap(({ output: { record } }) => (record.stateSlice ? [record.roomId] : [])));
  const onTheWayIn = new Set((await roomsOnTheWayIn(tx, [...sliced])).keys());
  // Issued together and carried out in this order.
  const [outside, relations, redacted] = await Promise.all([
    writeOutside(tx, records), writeTimeline(tx, inRooms, { visibilities, foreign }), writeRedactions(tx, inRooms), writeRooms(tx, inRooms, { counts: memberships.counts, foreign, onTheWayIn }),
    writeState(tx, planState(inRooms)), writeMemberships(tx, memberships), writeForgotten(tx, records), writeReceipts(tx, inRooms),
    endOutside(tx, memberships.begins.filter(({ membership, userId }) => membership === 'join' && isHere(userId))), writeMembershipChanges(tx, records, { ended, isHere }),
    known.alongside(records),
  ]);
  await writeRelations(tx, relations, redacted);
  await writePartialRooms(tx, records);
  await purgeTimelines(tx, inRooms);
  return [...memberships.users, ...outside].filter(isHere);
}

async function plannedMemberships(tx: Transaction, records: Records, known: Pick<KnownMemberships, 'foreign' | 'isHere'>): Promise<MembershipPlan> {
  const members = memberChanges(records);
  const imported = memberChanges(records.filter(({ output }) => output.record.stateSlice));
  return planMemberships(records, {
    current: members.length === 0 ? [] : await currentMemberships(tx, members),
    interrupted: imported.length === 0 ? [] : await interruptedMemberships(tx, imported),
    ...known,
  });
}

/** Too many keys are not named: empty lists wake everybody. */
const WAKE_KEYS_MAX = 200;
/** No room has this ID: for what nobody who waits must hear of. */
const NO_ROOM = '';

function whomToWake(records: Records, users: string[]): { rooms: string[]; users: string[] } {
  // A state that came whole is seen with the event that follows it; history is read by whoever pages back to it.
  const rooms = new Set(records.filter(({ output: { record } }) => (record.event?.orderKey ?? -1) >= 0 || record.receipt || record.partial?.ended === true).map(({ output }) => output.record.roomId));
  if (rooms.size > WAKE_KEYS_MAX || users.length > WAKE_KEYS_MAX) return { rooms: [], users: [] };
  return { rooms: rooms.size + users.length === 0 ? [NO_ROOM] : [...rooms], users };
}
