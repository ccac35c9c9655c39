/** PURE. The verdict on an input of upkeep. */
import { rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { ROOM_NOT_FOUND } from '../input/refused.ts';
import { decideJoinBranches } from './join-branches.ts';
import type { UpkeepFacts } from './facts.ts';
import { decidePurge, decidePurgeSlice } from './purge.ts';

export function decideUpkeep(deciding: Deciding, facts: UpkeepFacts): RoomDecision {
  const { input, picture, place } = deciding;
  const { roomId, joinBranches, collectStates, purgeHistory, purgeSlice } = input;
  if (picture.remote.arrived.has(roomId)) return { kind: 'parked', reason: 'this server has just come into the room', untilMs: place.nowMs + 1 };
  const head = picture.heads.get(roomId);
  if (head === undefined) return rejected(ROOM_NOT_FOUND);
  if (collectStates) {
    return { kind: 'accepted', effects: { inputId: input.inputId, roomId, events: [], redactions: [], upkeep: { collected: collectStates.stateIds } }, outputs: [], result: {} };
  }
  if (!facts.known.has(input.inputId)) return { kind: 'lacking' };
  if (joinBranches) return decideJoinBranches(deciding, head, { join: joinBranches, members: facts.members.get(roomId)! });
  const purge = facts.purges.get(roomId)!;
  return purgeHistory ? decidePurge(deciding, purge) : decidePurgeSlice(deciding, head, { facts: purge, slice: purgeSlice! });
}
