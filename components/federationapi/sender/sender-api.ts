/** What the sender needs, and what it does for the others. */
import type { BackoffBounds } from '../../../pkg/federation/backoff.ts';
import type { FederationTransport } from '../../../pkg/federation/transport.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { RoomHistoryQuery, RoomQuery } from '../../../schemas/ports/room-query.ts';
import type { CatchUpLimits } from './catch-up.ts';
import type { EphemeralUnit } from './ephemeral.ts';

export interface SenderDeps {
  readonly runtime: Runtime;
  readonly database: Database;
  readonly driver: Pick<LogDriver, 'signal' | 'listen'>;
  readonly partitions: number;
  readonly exclusive: boolean;
  readonly serverName: string;
  /** Signs. */
  readonly transport: FederationTransport;
  /** Signs nothing. */
  readonly unsigned: FederationTransport;
  readonly roomQuery: Pick<RoomQuery, 'eventsById' | 'roomTip'>;
  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'visibleToServer'>;
  readonly isDenied: (serverName: string) => boolean;
  readonly retry: BackoffBounds;
  /** When a destination that fails is no longer kept the events for; `CATCH_UP_DEFAULT` by default. */
  readonly catchUp?: CatchUpLimits | undefined;
}

export interface Sender {
  start(): Promise<void>;
  /** Waits a little for what is under way, ends the rest, and gives the destinations back. */
  stop(): Promise<void>;
  /** One sentence when this instance cannot work; destinations that fail are no reason. */
  health(): string | undefined;
  /** Events were committed for these destinations. */
  queued(destinations: ReadonlySet<string>): void;
  /** Sends what need not arrive. `everywhere`: every instance is given it, and this one takes what is for its own destinations. */
  ephemeral(units: readonly EphemeralUnit[], everywhere: boolean): void;
  /** The server has asked us something: it lives, so its pause ends. Cheap: call it for every request. */
  contacted(serverName: string): void;
  /** Forgets that the server has failed, in the tables and wherever it is sent to: it is tried now. False: it has not failed. Rejects with `StorageError`. */
  reset(serverName: string): Promise<boolean>;
}
