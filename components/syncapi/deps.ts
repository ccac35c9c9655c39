/** What the syncapi is given. */
import type { AppliedPositions } from '../../pkg/log/applied.ts';
import type { LogDriver } from '../../pkg/log/log.ts';
import type { OutboxReader } from '../../pkg/log/outbox-reader.ts';
import type { PartitionMap } from '../../pkg/log/partition-map.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { Applied, OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { RoomHistoryQuery, RoomQuery } from '../../schemas/ports/room-query.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';
import type { HistoryDeps } from './history/fetch-history.ts';
import type { NearestDeps } from './history/nearest-event.ts';
import type { ReadDeps } from './sync/deps.ts';

/** Records that an outbox no longer keeps, made again from the producer's tables. */
type Snapshot = (partition: number, after: number, limit: number) => Promise<OutputEnvelope[]>;

export interface SyncapiDeps extends NearestDeps, Pick<ReadDeps, 'limits' | 'serverName'> {
  readonly runtime: Runtime;
  /** Migrated. */
  readonly database: Database;
  readonly driver: LogDriver;
  readonly partitionMap: PartitionMap;
  /** This process is the only one on these databases. */
  readonly exclusive: boolean;
  readonly roomQuery: Pick<RoomQuery, 'eventsById' | 'isPublished' | 'someServers' | 'currentStates'>;
  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'membershipsAt' | 'historyEnd' | 'timestampToEvent'>;
  readonly commands: HistoryDeps['commands'] & ReadDeps['commands'];
  readonly userQuery: Pick<UserQuery, 'requesterByToken' | 'appservices' | 'tokenUse' | 'filter' | 'accountData' | 'userExists' | 'presenceStatus' | 'toDevice' | 'signedUsers'>;
  readonly roomOutbox: OutboxReader;
  readonly userOutbox: OutboxReader;
  readonly roomSnapshot?: Snapshot;
  readonly userSnapshot?: Snapshot;
  readonly appliedPositions: Pick<AppliedPositions, 'vector' | 'refresh' | 'onApplied' | 'waitFor'>;
  /** Told of every advance that this process makes. */
  readonly onApplied?: (applied: Applied) => void;
  readonly eventCacheBytes?: number;
  /** Users are told of each other's presence in rooms of at most so many members; absent: they are not. */
  readonly presence?: { readonly roomMembersMax: number } | undefined;
}
