import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { stateEntry, type RoomHead } from './room-head.ts';

/** From the one that shows least to the one that shows most. */
const VISIBILITIES = ['joined', 'invited', 'shared', 'world_readable'];

/** What a room without (a valid) history visibility has. */
export const DEFAULT_VISIBILITY = 'shared';

/**
 * The history visibility that decides who may see the event (spec: client-server, "Room History Visibility"): that of the state at it. A change of the visibility may be seen by
 * whom either the old or the new one lets see it.
 */
export function visibilityAt(head: RoomHead, event: Pdu): string {
  const before = visibilityIn(stateEntry(head, 'm.room.history_visibility', '')?.pdu.content);
  if (event.type !== 'm.room.history_visibility' || event.state_key !== '') return before;
  const after = visibilityIn(event.content);
  return VISIBILITIES.indexOf(after) > VISIBILITIES.indexOf(before) ? after : before;
}

function visibilityIn(content: Readonly<Record<string, unknown>> | undefined): string {
  const visibility = content?.history_visibility;
  return typeof visibility === 'string' && VISIBILITIES.includes(visibility) ? visibility : DEFAULT_VISIBILITY;
}
