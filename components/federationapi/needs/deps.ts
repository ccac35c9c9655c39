import type { FederationTransport } from '../../../pkg/federation/transport.ts';
import type { CommandClient } from '../../../pkg/log/commands.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import type { PartitionMap } from '../../../pkg/log/partition-map.ts';
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { KeyRing } from '../fetch/key-ring.ts';
import type { DroppedPdu } from '../../../pkg/federation/verify-event.ts';
import type { NeedTools } from './job.ts';
import type { Pauses } from './pauses.ts';

export interface NeedRunnerDeps {
  readonly runtime: Runtime;
  readonly database: Database;
  readonly driver: LogDriver;
  readonly commands: Pick<CommandClient, 'submitRoomInput'>;
  readonly partitionMap: PartitionMap;
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly signedTransport: FederationTransport;
  readonly roomQuery: NeedTools['roomQuery'];
  readonly roomHistoryQuery: NeedTools['roomHistoryQuery'];
  readonly keyRing: Pick<KeyRing, 'keys' | 'mayRecover'>;
  /** Checks 1 to 3 of the events of other servers, in their order (`verify/`). */
  readonly verify: (events: { values: readonly unknown[]; version: RoomVersion; roomId: string }) => Promise<readonly (IntactEvent | DroppedPdu)[]>;
  /** Servers that are not asked. */
  readonly isDenied: (serverName: string) => boolean;
  /** The partitions of room-output that this process owns now. */
  readonly partitions: () => readonly number[];
  /** Its own by default. */
  readonly pauses?: Pauses;
}
