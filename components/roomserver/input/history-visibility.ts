import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { StateLookup } from '../../../pkg/matrix/auth/power-levels.ts';

/** From the one that shows least to the one that shows most. */
const VISIBILITIES = ['joined', 'invited', 'shared', 'world_readable'];

/** What a room without (a valid) history visibility has. */
export const DEFAULT_VISIBILITY = 'shared';

/**
 * The history visibility that decides who may see the event (spec: client-server, "Room History Visibility"): that of the state at it. A change of the visibility may be seen by
 * whom either the old or the new one lets see it. `before`: the state before it.
 */
export function visibilityAt(before: StateLookup, event: Pdu): string {
  const old = visibilityIn(before('m.room.history_visibility', '')?.content);
  if (event.type !== 'm.room.history_visibility' || event.state_key !== '') return old;
  const after = visibilityIn(event.content);
  return VISIBILITIES.indexOf(after) > VISIBILITIES.indexOf(old) ? after : old;
}

/** What the content of m.room.history_visibility says. */
export function visibilityIn(content: Readonly<Record<string, unknown>> | undefined): string {
  const visibility = content?.history_visibility;
  return typeof visibility === 'string' && VISIBILITIES.includes(visibility) ? visibility : DEFAULT_VISIBILITY;
}
