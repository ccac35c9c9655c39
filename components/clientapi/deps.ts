/** What the clientapi is given. */
import type { FederationTransport } from '../../pkg/federation/transport.ts';
import type { CommandClient } from '../../pkg/log/commands.ts';
import type { LogDriver } from '../../pkg/log/log.ts';
import type { AppliedPositions } from '../../pkg/log/applied.ts';
import type { PartitionMap } from '../../pkg/log/partition-map.ts';
import type { SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Settings, Terms } from '../../schemas/config/settings.ts';
import type { RoomQuery } from '../../schemas/ports/room-query.ts';
import type { SyncQuery } from '../../schemas/ports/sync-query.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';
import type { RequestLimits } from './checks/request-limits.ts';

export type ClientapiSettings = Pick<Settings, 'registration' | 'registrationToken' | 'defaultRoomVersion' | 'publicBaseUrl' | 'rateLimits'> & Partial<Pick<Settings, 'sessions' | 'forgetOnLeave' | 'serverNotices' | 'registrationSharedSecret' | 'discovery' | 'guests' | 'inviteIdentityServers' | 'deviceKeysGuard' | 'encryptedRooms'>> & {
  /** What users have to accept; undefined: nothing. */
  readonly terms?: Terms | undefined;
};

export interface ClientapiDeps {
  readonly runtime: Runtime;
  readonly limits: RequestLimits;
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly commands: CommandClient;
  readonly userQuery: UserQuery;
  readonly roomQuery: RoomQuery;
  readonly syncQuery: SyncQuery;
  readonly appliedPositions: AppliedPositions;
  readonly partitionMap: PartitionMap;
  readonly settings: ClientapiSettings;
  /** Who is told that users do something; absent: nobody. */
  readonly presenceDriver?: Pick<LogDriver, 'signal'> | undefined;
  /** To other servers, for what needs their answer now; none are asked without. */
  readonly signedTransport?: FederationTransport;
}
