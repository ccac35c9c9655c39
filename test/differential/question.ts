/** What both sides are asked about a room, and what they answer: plain JSON. Events are named by their place in `events`. */
import type { Pdu } from '../../pkg/matrix/events/pdu.ts';

export interface AskedEvent {
  readonly id: string;
  readonly pdu: Pdu;
  /** Whether it was rejected on receipt. */
  readonly rejected: boolean;
}

export interface Question {
  /** ID of the room version. */
  readonly version: string;
  readonly roomId: string;
  readonly events: readonly AskedEvent[];
  /** Events to judge by their own auth events. */
  readonly byAuthEvents: readonly number[];
  /** Events to judge in a state, which is the events in it. */
  readonly byState: readonly { readonly event: number; readonly state: readonly number[] }[];
  /** State sets that meet. */
  readonly meetings: readonly (readonly (readonly number[])[])[];
}

/** Why an event is refused; null when it is allowed. */
export type Refusal = string | null;

export interface Answer {
  readonly byAuthEvents: readonly Refusal[];
  readonly byState: readonly Refusal[];
  /** The resolved states, each as its events in ascending order; a sentence when there is none. */
  readonly resolved: readonly (readonly number[] | string)[];
}
