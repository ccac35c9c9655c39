/** PURE. The verdict on an input of upkeep. */
import { rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { ROOM_NOT_FOUND } from '../input/refused.ts';
import { decideJoinBranches } from './join-branches.ts';
import type { UpkeepFacts } from './facts.ts';

export function decideUpkeep(deciding: Deciding, facts: UpkeepFacts): RoomDecision {
  const { input, picture, place } = deciding;
  if (picture.remote.arrived.has(input.roomId)) return { kind: 'parked', reason: 'this server has just come into the room', untilMs: place.nowMs + 1 };
  const head = picture.heads.get(input.roomId);
  if (head === undefined) return rejected(ROOM_NOT_FOUND);
  const members = facts.members.get(input.roomId);
  if (members === undefined) return { kind: 'lacking' };
  return decideJoinBranches(deciding, head, { join: input.joinBranches!, members });
}
