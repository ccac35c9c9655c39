import type { RoomInput } from '../../../schemas/log/room-input.ts';

/** What is to be appended, and to where. */
export interface UpkeepWork {
  readonly partition: number;
  readonly roomId: string;
  /** Says what was found: the same again is the same input. */
  readonly name: readonly (string | number)[];
  readonly kind: Pick<RoomInput, 'joinBranches' | 'collectStates' | 'purgeSlice'>;
}
