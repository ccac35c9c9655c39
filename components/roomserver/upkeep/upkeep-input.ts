import type { RoomInput } from '../../../schemas/log/room-input.ts';

/** Whether the input is about the owner's own tables, and not about what users or other servers want of a room. */
export function isUpkeep({ joinBranches, collectStates, purgeHistory, purgeSlice }: RoomInput): boolean {
  return Boolean(joinBranches ?? collectStates ?? purgeHistory ?? purgeSlice);
}
