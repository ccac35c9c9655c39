/** PURE. A room that begins with its create event: how the history of a room is replayed that this server never joined. */
import { authorize } from '../../../pkg/matrix/auth/authorize.ts';
import { isRoomIdOf } from '../../../pkg/matrix/ids/room-id.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { ReceivePdu } from '../../../schemas/log/room-input.ts';
import { headerOf, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { NewEvent } from '../input/effects.ts';
import { DEFAULT_VISIBILITY } from '../input/history-visibility.ts';
import { encodeEvent } from '../input/outputs.ts';
import { ROOM_NOT_FOUND, refused } from '../input/refused.ts';

/**
 * Its writer has made the checks of receipt 1 to 3, and wants the room here: the federationapi passes on no event of a room that this server is not in. Any other event of a room that is
 * not here finds no room.
 */
export function decideBeginning(deciding: Deciding, { eventId, pdu: bytes }: ReceivePdu): RoomDecision {
  const { input: { inputId, roomId }, place, picture } = deciding;
  const pdu = picture.pdus.get(eventId);
  if (pdu?.type !== 'm.room.create' || pdu.state_key !== '' || pdu.prev_events.length > 0) return rejected(ROOM_NOT_FOUND);
  // Rooms of version 1 need not name it.
  const version = roomVersion(String(pdu.content.room_version ?? '1'));
  if (version === undefined) return rejected(refused(400, 'M_UNSUPPORTED_ROOM_VERSION', 'This server does not support the version of this room'));
  const verdict = authorize({ event: pdu, version, state: () => undefined, roomId });
  if (!verdict.allowed) return rejected(refused(403, 'M_FORBIDDEN', verdict.reason));
  if (!isRoomIdOf(version, roomId)) return rejected(refused(400, 'M_BAD_JSON', 'The room ID is not one of this room version'));
  const event: NewEvent = {
    eventId, pdu, bytes, kind: 'received', verdict: 'accepted', orderKey: 1, sequence: place.nextSequence, stateId: 1,
    states: [{ stateId: 1, prevStateId: 0, depth: 1, isCurrent: true, steps: [{ type: pdu.type, stateKey: '', entry: { eventId, pdu }, replaces: undefined }] }],
    historyVisibility: DEFAULT_VISIBILITY, deviceId: '', txnId: '', redacts: undefined, stateBeforeDiffers: false, relayOf: '',
  };
  return {
    kind: 'accepted', outputs: [encodeEvent(headerOf(deciding.input, version.id), event)], result: { event_id: eventId, verdict: 'accepted' },
    effects: { inputId, roomId, room: roomAfter(event, { version, roomId, partition: place.partition }), events: [event], redactions: [] },
  };
}

function roomAfter({ eventId, pdu }: NewEvent, { version, roomId, partition }: { version: RoomVersion; roomId: string; partition: number }) {
  return {
    roomId, roomVersion: version.id, partition, creator: pdu.sender, createEventId: eventId, orderKey: 1, depth: pdu.depth, stateId: 1, stateDepth: 1, lastStateId: 1, extremities: [eventId],
  };
}
