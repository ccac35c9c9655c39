/** The few entries of a room's current state that decide about a membership. */
import type { StateLookup } from '../../../pkg/matrix/auth/power-levels.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { pduOf } from './room-access.ts';

export interface StateEntries {
  readonly state: StateLookup;
  readonly eventIds: readonly string[];
}

/** Entries of the current state under these keys, as far as there are any. */
export async function readEntries({ roomQuery }: { roomQuery: Pick<RoomQuery, 'currentState'> }, roomId: string, keys: readonly (readonly [type: string, stateKey: string])[]): Promise<StateEntries> {
  const events = await roomQuery.currentState(roomId, keys);
  const pdus = new Map<string, Pdu>();
  for (const event of events) {
    const pdu = pduOf(event);
    pdus.set(JSON.stringify([pdu.type, pdu.state_key]), pdu);
  }
  return { state: (type, stateKey) => pdus.get(JSON.stringify([type, stateKey])), eventIds: events.map(({ eventId }) => eventId) };
}

/** The user's membership in that state; undefined when there is none. */
export function membershipIn(state: StateLookup, userId: string): string | undefined {
  const membership = state('m.room.member', userId)?.content.membership;
  return typeof membership === 'string' ? membership : undefined;
}
