/** What inputs of upkeep stand on; read as decisions find it lacking. */
import type { Database } from '../../../pkg/storage/database.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { loadState } from '../input/load-state.ts';
import type { Picture } from '../input/picture.ts';
import { powerfulUsers } from '../input/restricted-join.ts';
import { readSomeJoined } from '../storage/read-events.ts';

export interface UpkeepFacts {
  /** By room: some local members. */
  readonly members: Map<string, readonly string[]>;
}

export function createUpkeepFacts(): UpkeepFacts {
  return { members: new Map() };
}

/** Ordinary members that are looked at. */
const MEMBERS_MAX = 20;

export async function loadUpkeep({ database, serverName }: { database: Database; serverName: string }, facts: UpkeepFacts, { picture, input }: { picture: Picture; input: RoomInput }): Promise<void> {
  const head = picture.heads.get(input.roomId);
  if (!input.joinBranches || head === undefined) return;
  const members = await readSomeJoined(database, input.roomId, `:${serverName}`, MEMBERS_MAX);
  await loadState(database, [...powerfulUsers(head, serverName), ...members].map((stateKey) => ({ head, type: 'm.room.member', stateKey })));
  facts.members.set(input.roomId, members);
}
