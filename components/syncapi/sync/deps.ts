/** What answering needs. */
import type { RateLimiter } from '../../../pkg/http/rate-limit.ts';
import type { AppliedPositions } from '../../../pkg/log/applied.ts';
import type { CommandClient } from '../../../pkg/log/commands.ts';
import type { PartitionMap } from '../../../pkg/log/partition-map.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import type { UserQuery } from '../../../schemas/ports/user-query.ts';
import type { EventLoader } from '../events/load-events.ts';
import type { HistoryFetcher } from '../history/fetch-history.ts';
import type { NearestEvent } from '../history/nearest-event.ts';
import type { PastQuery } from '../visibility/membership-before.ts';
import type { Notifier } from '../notifier/notifier.ts';
import type { KnownMemberships } from './known-memberships.ts';
import type { SharedRows } from '../streams/shared-rows.ts';
import type { TypingBoard } from '../notifier/typing-now.ts';
import type { PresenceReader } from '../presence/presence-reader.ts';

export interface ReadDeps {
  readonly serverName: string;
  readonly runtime: Runtime;
  readonly database: Reader;
  readonly partitionMap: PartitionMap;
  readonly userQuery: Pick<UserQuery, 'requesterByToken' | 'appservices' | 'tokenUse' | 'filter' | 'accountData' | 'userExists' | 'presenceStatus' | 'toDevice' | 'signedUsers'>;
  readonly appliedPositions: Pick<AppliedPositions, 'vector' | 'refresh'>;
  readonly roomHistoryQuery: PastQuery;
  readonly roomQuery: Pick<RoomQuery, 'isPublished'>;
  /** What other servers know of a room's past. */
  readonly history: HistoryFetcher;
  readonly nearestEvent: NearestEvent;
  readonly events: EventLoader;
  readonly shared: SharedRows;
  readonly memberships: Pick<KnownMemberships, 'of'>;
  readonly typing: TypingBoard;
  /** Absent: nobody is told of anybody's presence. */
  readonly presence?: PresenceReader | undefined;
  readonly notifier: Notifier;
  readonly commands: Pick<CommandClient, 'submitUserInput'>;
  readonly limits: Pick<RateLimiter, 'take'>;
}
