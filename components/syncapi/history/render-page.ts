/** Texts of events outside of /sync, with their room's ID. */
import { renderEvent, type ClientEvent } from '../events/client-event.ts';
import { renderTimelineRow } from '../events/render-row.ts';
import { visibleReplaced } from '../events/replaced.ts';
import { loadBundles } from '../relations/load-bundles.ts';
import { slotOf, type SeenRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { erasedAmong } from '../visibility/erased.ts';
import type { IgnoredUsers } from '../visibility/ignored-users.ts';
import type { MembershipInterval } from '../visibility/visibility.ts';

export interface PageReader {
  readonly userId: string;
  readonly deviceId: string;
  /** All that the user ever was in the rooms of the page, in order. */
  readonly intervals: readonly MembershipInterval[];
  /** Read where it is needed, when it is absent. */
  readonly ignored?: IgnoredUsers;
}

type RenderDeps = Pick<ReadDeps, 'runtime' | 'database' | 'roomHistoryQuery' | 'events'>;

/** The events of these rows of one room, in their order. */
export async function renderPage(deps: RenderDeps, { userId, deviceId, intervals, ignored }: PageReader, rows: readonly SeenRow[]): Promise<string[]> {
  const replaced = await visibleReplaced(deps.database, rows, { userId, past: deps.roomHistoryQuery, intervals: () => intervals });
  const events = await deps.events.load([...rows.map((row) => row.event_id), ...replaced]);
  const nowMs = deps.runtime.clock.now();
  const bundles = await loadBundles(deps, rows, { userId, deviceId, nowMs, withRoomId: true, intervals: () => intervals, ...(ignored && { ignored }) });
  const erased = erasedAmong(rows, userId, intervals);
  return rows.flatMap((row) => {
    const event = events.get(row.event_id);
    return event === undefined ? [] : [renderTimelineRow(row, event, { events, userId, deviceId, intervals, nowMs, withRoomId: true, bundles, erased })];
  });
}

/** State events as texts, those of them that are wanted. */
export async function renderStateEvents(deps: Pick<ReadDeps, 'runtime' | 'events'>, eventIds: readonly string[], isWanted: (event: ClientEvent) => boolean = () => true): Promise<string[]> {
  const events = await deps.events.load(eventIds);
  const nowMs = deps.runtime.clock.now();
  const wanted = eventIds.flatMap((eventId) => events.get(eventId) ?? []).filter(isWanted);
  return wanted.map((event) => renderEvent(event, { nowMs, redactedBecause: event.redactedBy === null ? undefined : events.get(event.redactedBy) }, true));
}

/** Member events of the senders of these rows, as they were at `sequence`. */
export async function memberIdsOf(deps: Pick<ReadDeps, 'database'>, rows: readonly SeenRow[], sequence: number): Promise<string[]> {
  const slots = [...new Set(rows.map((row) => slotOf(row.room_id, 'm.room.member', row.sender)))];
  if (slots.length === 0) return [];
  const found = await deps.database.queryIn<{ event_id: string }>(
    'SELECT event_id FROM state_intervals WHERE from_sequence <= ? AND to_sequence > ? AND slot IN (??)',
    [sequence, sequence],
    slots,
  );
  return found.map((row) => row.event_id);
}

/** Sequence at which the state was as it was right after the event. Of history from before this server took part nothing older is known than the state with which it came. */
export function stateSequenceOf(row: SeenRow): number {
  return row.order_key > 0 ? row.sequence : row.history_at || row.sequence;
}
