/** What is known of the rooms of an answer as a whole: whether there is anything new in them, how many are in them, and what of their news no timeline can show. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { gatherIn } from '../../../pkg/storage/gather-in.ts';
import { slotOf, type RoomRow } from '../storage/rows.ts';
import type { RoomView } from '../sync/scope.ts';

export type RoomFacts = Pick<RoomRow, 'room_id' | 'last_sequence' | 'joined_count' | 'invited_count'> & Readonly<Record<'hidden_sequence' | 'purged_sequence' | 'members_sequence' | 'reset_sequence', number>>;

/** A room with what is known of it. */
export interface KnownView extends RoomView {
  /** Of the newest record about the room. */
  readonly lastSequence: number;
  readonly joinedCount: number;
  readonly invitedCount: number;
  /** The state may have changed, since what the client has, by what is in no timeline. */
  readonly hidden: boolean;
  /** Where the members last changed. */
  readonly membersSequence: number;
  /** Events that the client does not have were purged. */
  readonly purged: boolean;
  /** Where the state last began anew, up to `upper`: what changed just before, while this server was out of the room, is in no timeline. 0: never. */
  readonly resetSequence: number;
}

const FACTS = { sql: 'SELECT room_id, last_sequence, joined_count, invited_count, hidden_sequence, purged_sequence, members_sequence, reset_sequence FROM rooms WHERE room_id IN (??)', by: 'room_id' };

/** In one query, those of the rooms about which there is something to say: the user has entered or left them, all of them is wanted, or something has happened there. */
export async function movedRooms(reader: Reader, views: readonly RoomView[]): Promise<KnownView[]> {
  const candidates = views.filter((view) => isWhole(view) || view.upper > view.lower);
  if (candidates.length === 0) return [];
  const rows = await gatherIn<RoomFacts>(reader, FACTS, candidates.map((view) => view.roomId));
  const facts = new Map(rows.map((row) => [row.room_id, row]));
  const earlier = await earlierResets(reader, candidates.filter((view) => (facts.get(view.roomId)?.reset_sequence ?? 0) > view.upper));
  return candidates.map((view) => known(view, facts.get(view.roomId), earlier.get(view.roomId))).filter((view) => isWhole(view) || view.lastSequence > view.lower);
}

/** For rooms that began anew after their views' ends (others have come back into them): where they had done so before. With each such state the create event comes again. */
async function earlierResets(reader: Reader, views: readonly RoomView[]): Promise<Map<string, number>> {
  if (views.length === 0) return new Map();
  const uppers = new Map(views.map(({ roomId, upper }) => [roomId, upper]));
  const slots = views.map(({ roomId }) => slotOf(roomId, 'm.room.create', ''));
  const rows = await reader.queryIn<{ room_id: string; from_sequence: number }>('SELECT room_id, from_sequence FROM state_intervals WHERE slot IN (??) ORDER BY from_sequence', [], slots);
  return new Map(rows.flatMap((row) => (row.from_sequence <= (uppers.get(row.room_id) ?? 0) ? [[row.room_id, row.from_sequence] as const] : [])));
}

function isWhole({ entered, stateAfter }: RoomView): boolean {
  return entered || stateAfter === 0;
}

function known(view: RoomView, facts: RoomFacts | undefined, earlierReset: number | undefined): KnownView {
  // Who has nothing of a room misses nothing.
  const misses = (sequence: number | undefined): boolean => view.lower > 0 && (sequence ?? 0) > view.lower;
  return {
    ...view,
    lastSequence: facts?.last_sequence ?? 0,
    joinedCount: facts?.joined_count ?? 0,
    invitedCount: facts?.invited_count ?? 0,
    membersSequence: facts?.members_sequence ?? 0,
    hidden: misses(facts?.hidden_sequence),
    purged: misses(facts?.purged_sequence),
    resetSequence: earlierReset ?? facts?.reset_sequence ?? 0,
  };
}
