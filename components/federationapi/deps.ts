import type { BackoffBounds } from '../../pkg/federation/backoff.ts';
import type { RetiredKey } from '../../pkg/federation/server-keys.ts';
import type { FederationTransport } from '../../pkg/federation/transport.ts';
import type { RateLimiter } from '../../pkg/http/rate-limit.ts';
import type { CommandClient } from '../../pkg/log/commands.ts';
import type { LogDriver } from '../../pkg/log/log.ts';
import type { OutboxReader } from '../../pkg/log/outbox-reader.ts';
import type { PartitionMap } from '../../pkg/log/partition-map.ts';
import type { SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { DeviceKeysGuard } from '../../schemas/config/settings.ts';
import type { OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { RoomHistoryQuery, RoomQuery } from '../../schemas/ports/room-query.ts';
import type { SyncQuery } from '../../schemas/ports/sync-query.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';
import type { CatchUpLimits } from './sender/catch-up.ts';

export interface FederationapiDeps {
  readonly runtime: Runtime;
  /** Migrated with `logMigrations` and `federationapiMigrations`. */
  readonly database: Database;
  readonly driver: LogDriver;
  readonly partitionMap: PartitionMap;
  /** This process is the only one on these databases. */
  readonly exclusive: boolean;
  readonly serverName: string;
  readonly signingKey: SigningKey;
  /** What this server has signed with before. */
  readonly oldSigningKeys?: readonly RetiredKey[] | undefined;
  /** Of this program, for those who ask. */
  readonly version: string;
  /** To other servers without a signature: for requests for keys, which need none. */
  readonly transport: FederationTransport;
  /** The same with X-Matrix headers of this server: for everything else. */
  readonly signedTransport: FederationTransport;
  readonly commands: CommandClient;
  /** How often other servers may do what; absent: as often as they like. */
  readonly limits?: Pick<RateLimiter, 'take'>;
  readonly userQuery: UserQuery;
  readonly roomQuery: RoomQuery;
  readonly roomHistoryQuery: RoomHistoryQuery;
  readonly syncQuery: Pick<SyncQuery, 'publicRooms' | 'joinedCounts' | 'joinedRoomsOf' | 'pendingInvites' | 'standing'>;
  readonly roomOutbox: OutboxReader;
  readonly userOutbox: OutboxReader;
  /** Records of room-output that the outbox no longer keeps, made again from the roomserver's tables. */
  readonly roomSnapshot: (partition: number, after: number, limit: number) => Promise<OutputEnvelope[]>;
  /** Users see each other's presence in rooms of at most so many members; absent: nowhere. */
  readonly presence?: { readonly roomMembersMax: number } | undefined;
  readonly settings: {
    readonly trustedKeyServers: readonly string[];
    /** They are asked before the servers themselves. */
    readonly trustedKeyServersFirst?: boolean;
    /** Patterns of server names whose requests are refused. */
    readonly deniedServers: readonly string[];
    /** Other servers learn only devices of users with whom they share a room, unless it is off. */
    readonly deviceKeysGuard?: DeviceKeysGuard | undefined;
    /** Patterns of the only ones that are answered; none: all are. */
    readonly allowedServers?: readonly string[];
    /** How many invites by other servers may wait for one user; absent: any number. */
    readonly pendingInvitesMax?: number;
    /** What /.well-known/matrix/server says; empty: nothing. */
    readonly wellKnownServer: string;
    /** How long a destination that fails is left alone; the rest, or all of it, is `BACKOFF_DEFAULT`. */
    readonly retry?: Partial<BackoffBounds>;
    /** When events are no longer kept for one that fails; `CATCH_UP_DEFAULT` by default. */
    readonly catchUp?: CatchUpLimits;
  };
}
