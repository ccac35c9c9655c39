import type { SetTyping } from '../../../schemas/log/room-input.ts';
import { rejected, type Deciding, type RoomDecision } from './decision.ts';
import { forbidden } from './refused.ts';
import { membershipOf, type RoomHead } from './room-head.ts';

/** PURE. Only who is joined may be seen typing. Nothing is stored: the effect is soft. */
export function decideTyping({ input }: Deciding, head: RoomHead, set: SetTyping): RoomDecision {
  if (membershipOf(head, set.userId) !== 'join') return rejected(forbidden(`${set.userId} is not joined to the room`));
  return {
    kind: 'accepted',
    effects: {
      inputId: input.inputId, roomId: input.roomId, events: [], redactions: [],
      typing: { roomId: input.roomId, userId: set.userId, typing: set.typing, timeoutMs: set.timeoutMs },
    },
    outputs: [],
    result: {},
  };
}
