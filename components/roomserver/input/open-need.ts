/** PURE. Waiting for another server: the need, its record, and the input's place in a queue. */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { Need } from '../../../schemas/log/room-output.ts';
import { headerOf, type Deciding, type RoomDecision } from './decision.ts';
import type { NeedRow } from './effects.ts';

export interface NeedWish {
  readonly needId: string;
  readonly kind: NeedRow['kind'];
  /** What is asked for: one of the kinds of `Need`. */
  readonly body: Omit<Need, 'needId' | 'deadlineMs'>;
  /** What the input waits under, and for how long at most. */
  readonly key: string;
  readonly msMax: number;
  readonly reason: string;
  readonly roomVersion: string;
  /** The event that it is about. */
  readonly eventId: string;
  /** That event, where it was built here and another server has to sign it. */
  readonly event?: Uint8Array;
}

/** Opens a need of this input and parks it. */
export function openNeed({ input, place }: Deciding, { needId, kind, key, reason, eventId, event, ...wish }: NeedWish): RoomDecision {
  const deadlineMs = place.nowMs + wish.msMax;
  const opened: NeedRow = { needId, kind, inputId: input.inputId, parkedKey: key, eventId, event: event ?? null, deadlineMs };
  return {
    kind: 'parked', reason, untilMs: deadlineMs, key,
    effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], needs: { opened: [opened] } },
    outputs: [roomOutputCodec.encode({ ...headerOf(input, wish.roomVersion), need: { needId, deadlineMs, ...wish.body } })],
  };
}
