/** The output records of this folder; `query/snapshot.ts` makes the same ones again from the tables. */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { OutsideMembership } from '../../../schemas/log/room-output.ts';
import type { NewState, OutsideRow } from '../input/effects.ts';
import { changeOf, type OutputHeader } from '../input/outputs.ts';

export function encodeOutside(header: OutputHeader, row: OutsideRow): Uint8Array {
  return roomOutputCodec.encode({ ...header, outsideMembership: outsideMembership({ ...row, pdu: row.bytes }) });
}

export function outsideMembership({ userId, membership, eventId, pdu, strippedState }: OutsideMembership): OutsideMembership {
  return { userId, membership, eventId, pdu, strippedState };
}

/** `pdus`: of the state's entries, in their order. */
export function encodeSlice(header: OutputHeader, slice: { readonly reset: boolean; readonly state: NewState; readonly pdus: readonly Uint8Array[] }): Uint8Array {
  return roomOutputCodec.encode({ ...header, stateSlice: { reset: slice.reset, changes: slice.state.steps.map(changeOf), pdus: [...slice.pdus] } });
}
