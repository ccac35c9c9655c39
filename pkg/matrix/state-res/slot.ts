/** A place in a room's state: type and state key as one string, to be the key of a map. */
import type { Pdu } from '../events/pdu.ts';

/** Make one with `slotOf`; NUL stands between type and state key. */
export type Slot = string;

/** Of state without a key, which is looked for all the time: made once. */
const WITHOUT_KEY: ReadonlyMap<string, Slot> = new Map(['m.room.create', 'm.room.power_levels', 'm.room.join_rules', 'm.room.history_visibility'].map((type) => [type, `${type}\0`]));

export const CREATE_SLOT: Slot = slotOf('m.room.create', '');
export const POWER_LEVELS_SLOT: Slot = slotOf('m.room.power_levels', '');
export const JOIN_RULES_SLOT: Slot = slotOf('m.room.join_rules', '');

export function slotOf(type: string, stateKey: string): Slot {
  return (stateKey === '' ? WITHOUT_KEY.get(type) : undefined) ?? `${type}\0${stateKey}`;
}

/** The slot of a state event. */
export function slotOfEvent(event: Pdu): Slot {
  return slotOf(event.type, event.state_key ?? '');
}
