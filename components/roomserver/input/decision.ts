/** What the deciders share: what they are given and what they answer. */
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import type { Decision, InputPlace, RejectedOutcome } from '../../../pkg/log/processor.ts';
import type { RoomEffects } from './effects.ts';
import type { Signer } from './make-event.ts';
import type { OutputHeader } from './outputs.ts';
import type { Picture } from './picture.ts';

export interface Deciding {
  readonly picture: Picture;
  readonly signer: Signer;
  readonly input: RoomInput;
  readonly place: InputPlace;
}

export type RoomDecision = Decision<RoomEffects>;

/** Of an input that is accepted and changes nothing. */
export const NO_EFFECTS: RoomEffects = { inputId: '', roomId: '', events: [], redactions: [] };

export function rejected(outcome: RejectedOutcome): RoomDecision {
  return { kind: 'rejected', outcome };
}

export function headerOf(input: RoomInput, roomVersion: string): OutputHeader {
  return { roomId: input.roomId, roomVersion, inputId: input.inputId, traceId: input.traceId };
}
