/** State that changed without its event being in the records: what such events set has to be asked of the room's owner. */
import type { StateChange } from '../../../schemas/log/room-output.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { parsePdu } from '../events/client-event.ts';
import { storable } from '../storage/rows.ts';
import { isOwnChange, pduOf, type DecodedRoomOutput, type Records } from './decoded.ts';
import { membershipOf } from './room-rows.ts';

/** Event IDs whose membership or history visibility the records do not tell. */
export function foreignEvents(records: Records): string[] {
  return records.flatMap(({ output }) =>
    (output.record.event?.stateDelta ?? [])
      .filter((change) => change.eventId !== '' && !isOwnChange(output, change) && (isVisibility(change) || (change.type === 'm.room.member' && !change.membership)))
      .map((change) => change.eventId),
  );
}

/** By event ID, what each of them sets. */
export async function readForeign(roomQuery: Pick<RoomQuery, 'eventsById'>, eventIds: readonly string[]): Promise<Map<string, string>> {
  const events = eventIds.length === 0 ? [] : await roomQuery.eventsById(eventIds);
  return new Map(events.map((event) => {
    const pdu = parsePdu(event.pdu);
    return [event.eventId, pdu.type === 'm.room.member' ? membershipOf(pdu) : visibilityIn(pdu)];
  }));
}

/** The history visibility that the record sets as the room's current one; undefined: none. */
export function visibilitySet(output: DecodedRoomOutput, foreign: ReadonlyMap<string, string>): string | undefined {
  const change = (output.record.event?.stateDelta ?? output.record.stateSlice?.changes ?? []).find(isVisibility);
  if (change === undefined) return undefined;
  const pdu = pduOf(output, change);
  return pdu === undefined ? (foreign.get(change.eventId) ?? DEFAULT_VISIBILITY) : visibilityIn(pdu);
}

/** Of a room that says nothing (valid) about it. */
export const DEFAULT_VISIBILITY = 'shared';

function isVisibility({ type, stateKey }: StateChange): boolean {
  return type === 'm.room.history_visibility' && stateKey === '';
}

function visibilityIn(pdu: Pdu): string {
  const visibility = pdu.content['history_visibility'];
  return typeof visibility === 'string' ? storable(visibility) : DEFAULT_VISIBILITY;
}
