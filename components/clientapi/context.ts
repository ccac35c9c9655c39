/** What the handlers of the clientapi work with. */
import type { CommandClient } from '../../pkg/log/commands.ts';
import type { AppliedPositions } from '../../pkg/log/applied.ts';
import type { PartitionMap } from '../../pkg/log/partition-map.ts';
import type { SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Settings } from '../../schemas/config/settings.ts';
import type { RoomQuery } from '../../schemas/ports/room-query.ts';
import type { SyncQuery } from '../../schemas/ports/sync-query.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';
import type { Passwords } from './auth/password.ts';
import type { Uia } from './auth/uia.ts';
import type { ProfilePropagation } from './profile/propagate.ts';
import type { RequestLimits } from './checks/request-limits.ts';

export type ClientapiSettings = Pick<Settings, 'registration' | 'registrationToken' | 'defaultRoomVersion' | 'publicBaseUrl' | 'rateLimits'>;

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
}

export interface Context extends ClientapiDeps {
  readonly passwords: Passwords;
  readonly uia: Uia;
  readonly limits: RequestLimits;
  readonly propagation: ProfilePropagation;
}
