/**
 * PURE. The beginning and the end of a room's upgrade (spec: client-server, "Room Upgrades", "Server behaviour"), both inputs of the old room. What lies between belongs to other owners:
 * the new room, the aliases. `drive.ts` asks them, one after the other, as often as it takes; the row says that it is to be done.
 */
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { FinishUpgrade, UpgradeRoom } from '../../../schemas/log/room-input.ts';
import { NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { makeEvent } from '../input/make-event.ts';
import { refused, ROOM_NOT_FOUND } from '../input/refused.ts';
import { stateEntry, type RoomHead } from '../input/room-head.ts';
import { inputKey } from '../remote/needs.ts';
import { tombstoneOf } from './restrict.ts';
import type { UpgradeRow } from './upgrade-row.ts';

/** How long the client waits. The upgrade goes on after that, and whoever asks again is told of it. */
const WAIT_MS_MAX = 25_000;

interface Refusal {
  readonly status: number;
  readonly errcode: string;
  readonly error: string;
}

/** 1. Whether the user may send the tombstone. Then the row, and waiting for its result. A room is not replaced twice by one user for the same version: who asks again gets the same room. */
export function decideUpgrade(deciding: Deciding, head: RoomHead | undefined, wish: UpgradeRoom): RoomDecision {
  const { picture: { remote: facts }, input, place } = deciding;
  if (head === undefined || !wish.newRoom) return rejected(ROOM_NOT_FOUND);
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const row = facts.upgrades.get(input.roomId);
  // It is this one, or what this one has waited for.
  if (row !== undefined && (row.inputId === input.inputId || place.isAgain === true)) return row.result === '' ? waitFor(row, place.nowMs) : answerWith(row);
  const made = makeEvent({ ...deciding, head, sender: wish.sender, draft: tombstoneOf(wish.newRoomId), originServerTs: input.originServerTs, deviceId: '', txnId: '', sequence: place.nextSequence });
  if (made.kind === 'refused') return rejected(made.why);
  if (row?.result === '') return waitFor(row, place.nowMs);
  return row !== undefined && isSameWish(row, wish) && isReplacedBy(head, row.newRoomId) ? answerWith(row) : begin(deciding, wish);
}

function begin({ input, place }: Deciding, { sender, newRoomId, newRoom }: UpgradeRoom): RoomDecision {
  const inputId = `${input.inputId}#room`;
  const { traceId, originServerTs } = input;
  const upgrade: UpgradeRow = {
    roomId: input.roomId, inputId: input.inputId, sender, roomVersion: newRoom!.roomVersion, newRoomId, parkedKey: inputKey(input), result: '', createdAtMs: place.nowMs,
    newRoom: roomInputCodec.encode({ inputId, replyTo: '', deadlineMs: 0, traceId, originServerTs, roomId: newRoomId, createRoom: newRoom }),
  };
  return { ...waitFor(upgrade, place.nowMs), effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], upgrade } };
}

function waitFor({ parkedKey, createdAtMs }: UpgradeRow, nowMs: number): Extract<RoomDecision, { kind: 'parked' }> {
  return { kind: 'parked', key: parkedKey, reason: 'the room is being replaced', untilMs: Math.max(createdAtMs + WAIT_MS_MAX, nowMs) };
}

function isSameWish(row: UpgradeRow, { sender, newRoom }: UpgradeRoom): boolean {
  return row.sender === sender && row.roomVersion === newRoom?.roomVersion;
}

function isReplacedBy(head: RoomHead, newRoomId: string): boolean {
  return stateEntry(head, 'm.room.tombstone', '')?.pdu.content['replacement_room'] === newRoomId;
}

function answerWith(row: UpgradeRow): RoomDecision {
  const result = JSON.parse(row.result) as { refusal?: Refusal };
  if (result.refusal !== undefined) return rejected(refused(result.refusal.status, result.refusal.errcode, result.refusal.error));
  return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: result as Record<string, unknown> };
}

/** What came of it, for who waits and who will ask. The second time it changes nothing. */
export function decideFinishUpgrade({ picture: { remote: facts }, input }: Deciding, finish: FinishUpgrade): RoomDecision {
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const row = facts.upgrades.get(input.roomId);
  if (row === undefined || row.inputId !== finish.upgradeId || row.result !== '') return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} };
  const upgrade: UpgradeRow = { ...row, newRoom: new Uint8Array(0), result: finish.resultJson };
  return { kind: 'accepted', effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], upgrade }, outputs: [], result: {}, unpark: [row.parkedKey] };
}
