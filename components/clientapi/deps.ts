/** What the clientapi is given. */
import type { FederationTransport } from '../../pkg/federation/transport.ts';
import type { CommandClient } from '../../pkg/log/commands.ts';
import type { AppliedPositions } from '../../pkg/log/applied.ts';
import type { PartitionMap } from '../../pkg/log/partition-map.ts';
import type { SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Settings } from '../../schemas/config/settings.ts';
import type { RoomQuery } from '../../schemas/ports/room-query.ts';
import type { SyncQuery } from '../../schemas/ports/sync-query.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';

export type ClientapiSettings = Pick<Settings, 'registration' | 'registrationToken' | 'defaultRoomVersion' | 'publicBaseUrl' | 'rateLimits'> & Partial<Pick<Settings, 'registrationSharedSecret'>>;

export interface ClientapiDeps {
  readonly runtime: Runtime;
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly commands: CommandClient;
  readonly userQuery: UserQuery;
  readonly roomQuery: RoomQuery;
  readonly syncQuery: SyncQuery;
  readonly appliedPositions: AppliedPositions;
  readonly partitionMap: PartitionMap;
  readonly settings: ClientapiSettings;
  /** To other servers, for what needs their answer now; none are asked without. */
  readonly signedTransport?: FederationTransport;
}
