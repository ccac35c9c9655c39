/** Whose devices are known here and may be no longer: a server tells of changes only while it shares a room with this one. */
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import type { FederationapiDeps } from '../deps.ts';

export interface Departures {
  /** Users of other servers who were in a room and are no longer. */
  note(userIds: readonly string[]): void;
  /** What is known of those that were noted has to be asked for anew. */
  doubt(): Promise<void>;
  /** The next users, one slice after the other: who shares no room with anybody here is forgotten. For what was missed: users here who leave rooms, processes that end in between. */
  sweep(signal: AbortSignal): Promise<void>;
}

export type DepartureDeps = Pick<FederationapiDeps, 'serverName' | 'userQuery' | 'syncQuery' | 'partitionMap'> & {
  /** Partitions of users that this instance sees to. */
  readonly owned: () => readonly number[];
};

const SLICE = 500;
const NOTED_MAX = 10_000;

/** `submit`: an input about what is known of the user. */
export function createDepartures(deps: DepartureDeps, submit: (userId: string, kind: string, content: string) => Promise<void>): Departures {
  const noted = new Set<string>();
  let sweptTo = '';
  return {
    note(userIds) {
      for (const userId of userIds) if (noted.size < NOTED_MAX) noted.add(userId);
    },
    async doubt() {
      if (noted.size === 0) return;
      const users = [...noted];
      noted.clear();
      for (const userId of await deps.userQuery.knownDeviceLists(users)) await submit(userId, 'left', '{}');
    },
    async sweep(signal) {
      const users = await deps.userQuery.knownUsers(sweptTo, SLICE);
      sweptTo = users.length < SLICE ? '' : users.at(-1)!;
      const owned = new Set(deps.owned());
      const mine = users.filter((userId) => !isLocalUser(userId, deps.serverName) && owned.has(partitionOf(deps.partitionMap, userId)));
      const rooms = mine.length === 0 ? new Map<string, string[]>() : await deps.syncQuery.joinedRoomsOf(mine, Number.MAX_SAFE_INTEGER);
      for (const userId of mine) if (!signal.aborted && !rooms.has(userId)) await submit(userId, 'forget', '{}');
    },
  };
}
