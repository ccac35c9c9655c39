/** PURE. What no accepted event follows: the ends of a room's graph, which the next event will follow (spec: server-server-api, "PDUs", "Soft failure"). */
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { GraphAt } from './overlay.ts';
import { lookForEvent } from './room-graph.ts';

/** Events in a row that were refused, and how many in all, beyond which nobody looks: what stands behind them stays an end, and is joined with the others. */
const REFUSED_MAX = { steps: 20, events: 200 };

/**
 * The ends of the room with the event accepted: the event, and those that it does not follow. Events that were softly failed or rejected are no ends, so whoever follows one follows what that
 * one follows; otherwise these would stay ends for ever. An event that comes after others which follow it is none. Incomplete when something was found lacking.
 */
export function extremitiesAfter(at: GraphAt, eventId: string, pdu: Pdu): readonly string[] {
  const { head, graph } = at;
  const followed = new Set(prevEventIds(pdu));
  let refused = refusedAmong(at, followed);
  for (let step = 0; refused.length > 0 && step < REFUSED_MAX.steps && followed.size < REFUSED_MAX.events; step += 1) {
    const behind = refused.flatMap(prevEventIds).filter((before) => !followed.has(before));
    for (const before of behind) followed.add(before);
    refused = refusedAmong(at, behind);
  }
  const left = head.extremities.filter((extremity) => !followed.has(extremity));
  return graph.followed.has(eventId) ? left : [...left, eventId];
}

/** Those that have their place in the room and were not accepted. One that is an end was. */
function refusedAmong({ head, graph }: GraphAt, eventIds: Iterable<string>): Pdu[] {
  const ends = new Set(head.extremities);
  return [...eventIds].flatMap((eventId) => {
    const event = ends.has(eventId) ? undefined : lookForEvent(graph, eventId);
    return event && event.roomId === head.roomId && event.stateId !== null && (event.rejected || event.softFailed) ? [event.pdu] : [];
  });
}
