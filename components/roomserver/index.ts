/**
 * The roomserver: the only writer of rooms. It takes commands from `room-input`, makes events of them on the heads of their rooms, and tells what happened on `room-output`.
 * `input/` decides and writes, `typing/` is the soft state, `query/` answers others read-only, `upkeep/` looks after the tables.
 */
import type { CommandClient } from '../../pkg/log/commands.ts';
import { createInputRunner, type InputRunner } from '../../pkg/log/input-runner.ts';
import type { LogDriver } from '../../pkg/log/log.ts';
import type { PartitionMap } from '../../pkg/log/partition-map.ts';
import type { SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { StagedState } from '../../schemas/ports/staged-state.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';
import { createExpeller } from './guests/expel.ts';
import { createRoomProcessor } from './input/processor.ts';
import { roomQuery } from './query/room-query.ts';
import { createCompleter } from './partial/complete-rooms.ts';
import { createUpgrader } from './upgrade/drive.ts';
import { createTyping } from './typing/typing.ts';
import { createUpkeep } from './upkeep/upkeep.ts';

export { roomserverMigrations } from './storage/migrations.ts';
export { createRoomProcessor } from './input/processor.ts';
export { createTyping, TYPING_CHANNEL } from './typing/typing.ts';
export { roomHistoryQuery } from './query/room-history-query.ts';
export { roomQuery } from './query/room-query.ts';
export { roomSnapshot } from './query/snapshot.ts';
export { readPurge } from './upkeep/purge-row.ts';

/** Name of the roomserver in leases, positions and remembered inputs. */
export const ROOMSERVER_CONSUMER = 'roomserver';

export interface RoomserverDeps {
  readonly runtime: Runtime;
  /** With `logMigrations` and `roomserverMigrations` applied. */
  readonly database: Database;
  readonly driver: LogDriver;
  readonly partitionMap: PartitionMap;
  readonly serverName: string;
  readonly signingKey: SigningKey;
  /** This process is the only one on the database; default: on SQLite. */
  readonly exclusive?: boolean;
  /** How far each registered reader of `room-output` is, by partition. */
  readonly outputReaders?: readonly (() => Promise<readonly number[]>)[];
  /** States of rooms that were fetched from other servers; none by default. */
  readonly stagedState?: StagedState | undefined;
  /** Budget of room heads in memory. */
  readonly headBytesMax?: number | undefined;
  /** For what spans partitions (upgrades of rooms); without it nothing carries that through. */
  readonly commands?: Pick<CommandClient, 'submitRoomInput'> | undefined;
  /** Who of the users here is a guest; without it nobody is taken out of rooms that guests may not be in. */
  readonly guests?: Pick<UserQuery, 'guestsAmong'> | undefined;
  /** Forward extremities of a room that are left alone; default 10. */
  readonly extremitiesMax?: number | undefined;
}

const EXTREMITIES_MAX = 10;

export type Roomserver = Omit<InputRunner, 'epochOf'>;

/** The owner of this instance's share of room partitions; nothing runs before `start`. */
export function createRoomserver(deps: RoomserverDeps): Roomserver {
  const { runtime, database, driver, serverName, signingKey } = deps;
  const typing = createTyping({ clock: runtime.clock, driver });
  const runner = createInputRunner({
    consumer: ROOMSERVER_CONSUMER, inputLog: 'room-input', outputLog: 'room-output',
    processor: createRoomProcessor({ database, serverName, signingKey, typing, stagedState: deps.stagedState, headBytesMax: deps.headBytesMax, metrics: runtime.metrics, onUpgrade: () => upgrader?.nudge(), onPartial: () => completer.nudge(), onBarred: () => { expeller?.nudge(); }, onBranched: (partition, room) => { upkeep.joinSoon(partition, room); } }),
    database, driver, runtime, partitions: deps.partitionMap.partitions, exclusive: deps.exclusive ?? database.dialect === 'sqlite', outputReaders: deps.outputReaders,
  });
  const upgrader = deps.commands && createUpgrader({ database, runtime, commands: deps.commands, owned: () => runner.owned() });
  const expeller = deps.commands && deps.guests && createExpeller({ database, runtime, serverName, commands: deps.commands, members: roomQuery(database), guests: deps.guests, owned: () => runner.owned() });
  const completer = createCompleter({ database, driver, runtime, owned: () => runner.owned() });
  const upkeep = createUpkeep({ database, driver, runtime, owned: () => runner.owned(), extremitiesMax: deps.extremitiesMax ?? EXTREMITIES_MAX });
  return {
    async start() {
      await runner.start();
      upkeep.start();
      completer.start();
      upgrader?.start();
      expeller?.start();
    },
    async stop() {
      await completer.stop();
      await upgrader?.stop();
      await expeller?.stop();
      await upkeep.stop();
      await runner.stop();
    },
    health: () => runner.health(),
    owned: () => runner.owned(),
  };
}
