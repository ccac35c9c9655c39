/** PURE. Waiting for another server: the need, its record, and the input's place in the queue. */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { Need } from '../../../schemas/log/room-output.ts';
import { headerOf, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { NeedRow } from '../input/effects.ts';

export interface Asking {
  /** The number of the need among those of its input, from 1. */
  readonly number: number;
  readonly roomVersion: string;
  readonly kind: NeedRow['kind'];
  readonly eventId: string;
  /** An event that was built here and waits for another server's signature. */
  readonly event?: Uint8Array;
  readonly waitMs: number;
  /** What the input waits under. */
  readonly key: string;
  readonly reason: string;
  /** What is asked for: one of the kinds of `Need`. */
  readonly body: Partial<Need>;
}

/** Parks the input until the need is answered, or its time is over. */
export function askFor({ input, place }: Deciding, asking: Asking): RoomDecision {
  const { kind, eventId, key, reason } = asking;
  // Two servers may have sent the event, and what was asked in vain is asked again when it comes again.
  const needId = `${input.inputId}#${asking.number}.${place.nowMs}.${input.receivePdu?.origin ?? ''}`;
  const deadlineMs = place.nowMs + asking.waitMs;
  const need: NeedRow = { needId, kind, inputId: input.inputId, parkedKey: key, eventId, event: asking.event ?? null, deadlineMs };
  return {
    kind: 'parked', reason, key, untilMs: deadlineMs,
    effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], needs: { opened: [need] } },
    outputs: [roomOutputCodec.encode({ ...headerOf(input, asking.roomVersion), need: { needId, deadlineMs, ...asking.body } })],
  };
}
