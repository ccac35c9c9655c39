/** What no input may hold, whatever it asks for. */
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import { isUpkeep } from '../upkeep/upkeep-input.ts';
import { refused } from './refused.ts';

const KINDS = ['createRoom', 'sendEvent', 'setReceipt', 'setTyping', 'receivePdu', 'receiveInvite', 'importState', 'answer', 'setAlias', 'deleteAlias', 'upgradeRoom', 'finishUpgrade', 'forgetRoom', 'fetchHistory', 'setRoomVisibility', 'refreshMember', 'completeRoom'] as const;

/**
 * What an input is ordered by, and what queues behind it when it waits: commands of a room; what one server sends of a room; what was fetched for one need, its answer last. So a slow
 * server holds up neither the room nor other servers.
 */
export function keyOf({ roomId, receivePdu, importState, answer, completeRoom }: RoomInput): string {
  const needId = receivePdu?.needId || importState?.needId || answer?.needId;
  if (needId) return parkingKey(roomId, 'need', needId);
  if (completeRoom) return parkingKey(roomId, 'complete');
  return receivePdu ? parkingKey(roomId, 'from', receivePdu.origin) : roomId;
}

/** A queue of a room's inputs that is not the room's own. JSON, because no separator is safe in Matrix identifiers, and NUL is not in a database. */
export function parkingKey(roomId: string, ...parts: readonly string[]): string {
  return JSON.stringify([roomId, ...parts]);
}

/** Throws `PoisonRecord` when the bytes are no input, or one of a kind that this version does not know. */
export function decodeInput(record: Uint8Array): RoomInput {
  const input = roomInputCodec.decode(record);
  if (input.roomId === '') throw new PoisonRecord('a room input without a room');
  if (KINDS.every((kind) => !input[kind]) && !isUpkeep(input)) throw new PoisonRecord('a room input of an unknown kind');
  if ((input.sendEvent && !input.sendEvent.event) || input.originServerTs < 0) throw new PoisonRecord('a room input without its body');
  return input;
}

/**
 * Identifiers that no database column and no canonical JSON can hold: with NUL or half a surrogate pair. They come from URLs of clients.
 */
export function textProblem(input: RoomInput): RejectedOutcome | undefined {
  for (const text of textsOf(input)) {
    if (text !== null && text !== undefined && (text.includes('\0') || !text.isWellFormed())) {
      return refused(400, 'M_INVALID_PARAM', 'An identifier of the request holds a character that is not allowed');
    }
  }
  return undefined;
}

function textsOf(input: RoomInput): (string | null | undefined)[] {
  const { sendEvent, setReceipt, setTyping, createRoom, setAlias, deleteAlias } = input;
  if (sendEvent) return [input.roomId, sendEvent.sender, sendEvent.deviceId, sendEvent.txnId, sendEvent.event.type, sendEvent.event.stateKey, sendEvent.event.redacts];
  if (setReceipt) return [input.roomId, setReceipt.userId, setReceipt.receiptType, setReceipt.eventId, setReceipt.threadId];
  if (createRoom) return [input.roomId, createRoom.sender, createRoom.roomVersion, createRoom.alias, ...createRoom.events.flatMap((draft) => [draft.type, draft.stateKey, draft.redacts])];
  if (setAlias) return [input.roomId, setAlias.roomId, setAlias.userId, setAlias.movedFrom];
  if (deleteAlias) return [input.roomId, deleteAlias.roomId];
  if (input.upgradeRoom) return [input.roomId, input.upgradeRoom.sender, input.upgradeRoom.newRoomId, input.upgradeRoom.newRoom?.roomVersion];
  // What other servers say was checked by its writer.
  return [input.roomId, setTyping?.userId, input.forgetRoom?.userId, input.setRoomVisibility?.network, input.refreshMember?.userId];
}
