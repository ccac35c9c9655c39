/** The roomserver's output records; `query/snapshot.ts` makes the same ones again from the tables. */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { ReceiptSet, RoomEvent } from '../../../schemas/log/room-output.ts';
import type { NewEvent, ReceiptRow } from './effects.ts';

/** What every record of one input says. */
export interface OutputHeader {
  readonly roomId: string;
  readonly roomVersion: string;
  readonly inputId: string;
  readonly traceId: string;
}

export function encodeEvent(header: OutputHeader, event: NewEvent): Uint8Array {
  const body: RoomEvent = {
    eventId: event.eventId, pdu: event.bytes, orderKey: event.orderKey,
    stateDelta: event.step === undefined ? [] : [{ type: event.step.type, stateKey: event.step.stateKey, eventId: event.eventId, replaces: event.step.replaces ?? '' }],
    historyVisibility: event.historyVisibility, deviceId: event.deviceId, txnId: event.txnId,
    softFailedAccepted: false, stateBeforeDiffers: false, redacts: event.redacts ?? '',
  };
  return roomOutputCodec.encode({ ...header, event: body });
}

export function encodeReceipt(header: OutputHeader, receipt: ReceiptRow): Uint8Array {
  return roomOutputCodec.encode({ ...header, receipt: receiptSet(receipt) });
}

export function receiptSet({ userId, receiptType, eventId, threadId, ts }: Pick<ReceiptRow, 'userId' | 'receiptType' | 'eventId' | 'threadId' | 'ts'>): ReceiptSet {
  return { userId, receiptType, eventId, ts, ...(threadId !== '' && { threadId }) };
}
