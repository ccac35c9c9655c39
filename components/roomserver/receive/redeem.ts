/**
 * PURE. Softly failed events that an accepted one brings into the room's current state: it was sent by a server that had accepted them, and the resolution of the states let them stand (spec: server-server,
 * "Soft failure": they take part in the state resolution like all others). Clients see them from then on, as they see the state that they make; they come after the event that has brought them.
 */
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { NewEvent, RoomRow } from '../input/effects.ts';
import { currentStateOf } from '../input/room-head.ts';
import { isShown } from '../input/shown.ts';
import type { GraphAt } from './overlay.ts';

/** Told with one event, at most; others stay as they are: the state is told in any case. */
const REDEEMED_MAX = 100;

/** `event`: accepted, as it was placed; `room`: its room's row then. */
export function redeem({ head, graph }: GraphAt, event: NewEvent, room: RoomRow): { readonly events: readonly NewEvent[]; readonly room: RoomRow } {
  const entries = (currentStateOf(event)?.steps ?? []).flatMap(({ entry }) => (entry === undefined || entry.eventId === event.eventId ? [] : [entry.eventId]));
  const found = [...new Set(entries)].flatMap((eventId) => graph.events.get(eventId) ?? []);
  const failed = found.filter(({ softFailed, orderKey, stateId, pdu }) => softFailed && orderKey === null && stateId !== null && isShown(pdu)).slice(0, REDEEMED_MAX);
  const events = failed.map(({ eventId, pdu, stateId }, index): NewEvent => ({
    eventId, pdu, bytes: Buffer.from(eventText(pdu, head.version)), kind: 'redeemed', verdict: 'accepted', orderKey: room.orderKey + 1 + index, sequence: event.sequence! + 1 + index, stateId, states: [],
    historyVisibility: event.historyVisibility, deviceId: '', txnId: '', redacts: undefined, stateBeforeDiffers: true, relayOf: '',
  }));
  return { events, room: { ...room, orderKey: room.orderKey + events.length } };
}
