import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import { NO_EFFECTS, type Deciding, type RoomDecision } from '../input/decision.ts';

/** PURE. Keeps the answer for the input that waits for it, and lets that go on. An answer that nobody waits for any more, or a second one, changes nothing. */
export function decideAnswer({ picture: { remote: facts }, input }: Deciding, { needId }: Answer): RoomDecision {
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const need = facts.needs.get(needId);
  if (need === undefined || need === null) return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} };
  const isFirst = need.answer === undefined;
  return {
    kind: 'accepted',
    effects: isFirst ? { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], needs: { answered: { needId, answer: roomInputCodec.encode(input) } } } : NO_EFFECTS,
    outputs: [], result: {}, unpark: [need.parkedKey],
  };
}
