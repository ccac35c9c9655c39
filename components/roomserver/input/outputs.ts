/** The roomserver's output records; `query/snapshot.ts` makes the same ones again from the tables. */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { ReceiptSet, RoomEvent, StateChange } from '../../../schemas/log/room-output.ts';
import type { NewEvent, PublishedRow, ReceiptRow, StateEntry, StateStep } from './effects.ts';
import { currentStateOf } from './room-head.ts';

/** What every record of one input says. */
export interface OutputHeader {
  readonly roomId: string;
  readonly roomVersion: string;
  readonly inputId: string;
  readonly traceId: string;
}

/** The record of an accepted event. Throws `RangeError` for others: nobody is told of them. */
export function encodeEvent(header: OutputHeader, event: NewEvent): Uint8Array {
  if (event.sequence === null) throw new RangeError(`${event.eventId} is not told`);
  const body: RoomEvent = {
    eventId: event.eventId, pdu: event.bytes, orderKey: event.orderKey ?? 0, stateDelta: (currentStateOf(event)?.steps ?? []).map(changeOf),
    historyVisibility: event.historyVisibility, deviceId: event.deviceId, txnId: event.txnId,
    softFailedAccepted: event.kind === 'redeemed', stateBeforeDiffers: event.stateBeforeDiffers, redacts: event.redacts ?? '', relayOf: event.relayOf,
    ...(event.redactedBy !== undefined && { redactedBy: event.redactedBy }), ...(event.historyAt !== undefined && { historyAt: event.historyAt }),
  };
  return roomOutputCodec.encode({ ...header, event: body });
}

/** A change of the current state as its readers are told it. */
export function changeOf({ type, stateKey, entry, replaces }: StateStep): StateChange {
  const change = { type, stateKey, eventId: entry?.eventId ?? '', replaces: replaces?.eventId ?? '' };
  return type === 'm.room.member' ? { ...change, membership: membershipIn(entry), replacedMembership: membershipIn(replaces) } : change;
}

function membershipIn(entry: StateEntry | undefined): string {
  return entry === undefined ? '' : String(entry.pdu.content.membership);
}

export function encodeReceipt(header: OutputHeader, receipt: ReceiptRow): Uint8Array {
  return roomOutputCodec.encode({ ...header, receipt: receiptSet(receipt) });
}

export function receiptSet({ userId, receiptType, eventId, threadId, ts }: Pick<ReceiptRow, 'userId' | 'receiptType' | 'eventId' | 'threadId' | 'ts'>): ReceiptSet {
  return { userId, receiptType, eventId, ts, ...(threadId !== '' && { threadId }) };
}

/** In which lists of the room directory the room stands. */
export function encodePublished(header: OutputHeader, { networks }: Pick<PublishedRow, 'networks'>): Uint8Array {
  return roomOutputCodec.encode({ ...header, published: { networks: [...networks] } });
}
