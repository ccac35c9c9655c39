/**
 * PURE. What waits while the members of a room are not known yet. All of the state but them is known, so that commands of users here who are in the room are decided as ever; what hangs on
 * somebody whose membership is not known waits, and so do events of other servers: decided with half of the state, they might be refused for good, or let in.
 */
import type { SendEvent } from '../../../schemas/log/room-input.ts';
import { rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { refused, ROOM_NOT_FOUND } from '../input/refused.ts';
import { stateEntry, type RoomHead } from '../input/room-head.ts';
import { isServerIn } from '../remote/facts.ts';
import { inputKey } from '../remote/needs.ts';
import { ABANDONED } from './partial-row.ts';

/** How often it is looked whether the members are there. */
const LOOK_EVERY_MS = 500;
const REASON = 'the members of the room are not known yet';

/** Whoever asks for help with a membership can ask another server (MSC3895 names the error). */
const UNABLE = refused(404, 'M_NOT_FOUND', 'This server has not yet heard who is in the room');
const LATER = refused(503, 'M_UNKNOWN', 'This server has not yet heard who is in the room; try again in a while');

/** undefined: it need not wait. The head's room lacks its members. */
export function waitForMembers(deciding: Deciding, head: RoomHead): RoomDecision | undefined {
  const { receivePdu, sendEvent, receiveInvite, upgradeRoom } = deciding.input;
  if (receivePdu) return waitToReceive(deciding, head, receivePdu.relay);
  if (head.partial === ABANDONED) return undefined;
  if (sendEvent) return isKnown(head, sendEvent) ? undefined : waitToSend(deciding, head);
  if (upgradeRoom) return rejected(LATER);
  return receiveInvite ? waitOn(deciding, inputKey(deciding.input)) : undefined;
}

function waitToReceive(deciding: Deciding, { partial }: RoomHead, relay: boolean): RoomDecision {
  if (relay) return rejected(UNABLE);
  if (partial === ABANDONED) return rejected(ROOM_NOT_FOUND);
  return { kind: 'parked', reason: REASON, untilMs: deciding.place.nowMs + LOOK_EVERY_MS };
}

/** Whether the sender's membership, and that of whom it is about, are known. */
function isKnown(head: RoomHead, { sender, event }: SendEvent): boolean {
  const users = event.type === 'm.room.member' && typeof event.stateKey === 'string' ? [sender, event.stateKey] : [sender];
  return users.every((userId) => stateEntry(head, 'm.room.member', userId) !== undefined);
}

/** Where nobody here is in the room any more, another server is asked. */
function waitToSend(deciding: Deciding, head: RoomHead): RoomDecision | undefined {
  const { picture: { remote: facts }, input, signer } = deciding;
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  if (!facts.rooms.has(input.roomId) || isServerIn(facts, head, signer.serverName)) return waitOn(deciding, inputKey(input));
  return undefined;
}

/** Until the caller's own time is over. */
function waitOn({ input, place }: Deciding, key: string): RoomDecision {
  if (input.deadlineMs > 0 && place.nowMs >= input.deadlineMs) return rejected(LATER);
  const lookAtMs = place.nowMs + LOOK_EVERY_MS;
  return { kind: 'parked', reason: REASON, untilMs: input.deadlineMs > 0 ? Math.min(lookAtMs, input.deadlineMs) : lookAtMs, key };
}
