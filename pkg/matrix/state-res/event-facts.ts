/** What resolutions ask of an event again and again while branches are open; kept as long as the event is in memory. */
import { authEventIds, type Pdu } from '../events/pdu.ts';
import { slotOfEvent, type Slot } from './slot.ts';

export interface EventFacts {
  readonly slot: Slot;
  readonly auth: readonly string[];
  /** Whether it might take away somebody's ability to do something. */
  readonly isPower: boolean;
}

const facts = new WeakMap<Pdu, EventFacts>();

export function factsOf(event: Pdu): EventFacts {
  const known = facts.get(event);
  if (known !== undefined) return known;
  const auth = authEventIds(event);
  const found = { slot: slotOfEvent(event), auth: new Set(auth).size === auth.length ? auth : [...new Set(auth)], isPower: isPowerEvent(event) };
  facts.set(event, found);
  return found;
}

/** Levels and rules with a state key are not the room's; the spec does not except them, but servers do. */
function isPowerEvent(event: Pdu): boolean {
  if (event.type === 'm.room.power_levels' || event.type === 'm.room.join_rules') return event.state_key === '';
  if (event.type !== 'm.room.member' || event.sender === event.state_key) return false;
  return event.content.membership === 'leave' || event.content.membership === 'ban';
}
