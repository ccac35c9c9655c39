/** The userapi: owner of accounts, devices, access tokens, profiles, account data and filters. Consumes user-input, produces user-output. */
import { createInputRunner } from '../../pkg/log/input-runner.ts';
import type { LogDriver } from '../../pkg/log/log.ts';
import type { PartitionMap } from '../../pkg/log/partition-map.ts';
import type { Rounds } from '../../pkg/runtime/rounds.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Database } from '../../pkg/storage/database.ts';
import { createDeactivator, type DeactivatorDeps } from './deactivate/drive.ts';
import { createProfileSpreader, type ProfileSpreaderDeps } from './profile/spread.ts';
import { createUserProcessor } from './input/processor.ts';
import { createPresence } from './presence/presence.ts';
import { createUnclaimedDropper, type UnclaimedDeps } from './to-device/drop-unclaimed.ts';

export { forgetRestoredKeys } from './keys/forget-restored-keys.ts';
export { userapiMigrations } from './storage/migrations.ts';
export { userQuery } from './query/user-query.ts';
export { userSnapshot } from './query/snapshot.ts';
export { createUserProcessor } from './input/processor.ts';

/** Name in leases, positions and remembered inputs. */
export const USERAPI_CONSUMER = 'userapi';

export interface UserapiDeps {
  readonly runtime: Runtime;
  /** Migrated with `logMigrations` and `userapiMigrations`. */
  readonly database: Database;
  readonly driver: LogDriver;
  readonly partitionMap: PartitionMap;
  /** No other process can own partitions of this database; default: on SQLite. */
  readonly exclusive?: boolean;
  /** For deactivated users, who leave their rooms, and for changed profiles, which rooms are told of; without it neither is done. */
  readonly rooms?: (Pick<DeactivatorDeps, 'serverName' | 'commands' | 'syncQuery' | 'roomQuery'> & Pick<ProfileSpreaderDeps, 'syncQuery'>) | undefined;
  /** Users are told of each other's presence; absent: they are not. */
  readonly presence?: { readonly serverName: string } | undefined;
  /** Bounds the messages of devices that do not come back; without it, and without a number, nothing does. */
  readonly unclaimed?: Pick<UnclaimedDeps, 'commands'> & { readonly messagesMax: number | undefined };
  /** How far each consumer of user-output is, by partition: the outbox is kept until all have passed. */
  readonly outputReaders?: readonly (() => Promise<readonly number[]>)[];
}

export interface Userapi {
  start(): Promise<void>;
  /** Takes no new inputs, finishes what waits, gives the partitions back. */
  stop(): Promise<void>;
  /** One sentence when inputs cannot be processed now; undefined when well. */
  health(): string | undefined;
}

export function createUserapi(deps: UserapiDeps): Userapi {
  const { runtime, database, driver, partitionMap } = deps;
  const runner = createInputRunner({
    consumer: USERAPI_CONSUMER,
    inputLog: 'user-input',
    outputLog: 'user-output',
    processor: createUserProcessor({ database, onDeactivated: () => { deactivator?.nudge(); }, onProfileChanged: () => { spreader?.nudge(); }, onPresence: (userId, wanted) => presence?.set(userId, wanted) }),
    database,
    driver,
    runtime,
    partitions: partitionMap.partitions,
    exclusive: deps.exclusive ?? database.dialect === 'sqlite',
    ...(deps.outputReaders === undefined ? {} : { outputReaders: deps.outputReaders }),
  });
  const deactivator = deps.rooms && createDeactivator({ ...deps.rooms, database, runtime, owned: () => runner.owned() });
  const spreader = deps.rooms && createProfileSpreader({ ...deps.rooms, database, runtime, owned: () => runner.owned() });
  const dropper = unclaimedDropper(deps, () => runner.owned());
  const presence = deps.presence && createPresence({ ...deps, ...deps.presence, epochOf: (partition) => runner.epochOf(partition) });
  return {
    async start() {
      await presence?.start();
      await runner.start();
      deactivator?.start();
      spreader?.start();
      dropper?.start();
    },
    async stop() {
      await deactivator?.stop();
      await spreader?.stop();
      await dropper?.stop();
      await presence?.stop();
      await runner.stop();
    },
    health: () => runner.health(),
  };
}

function unclaimedDropper({ unclaimed, database, runtime }: UserapiDeps, owned: UnclaimedDeps['owned']): Rounds | undefined {
  const messagesMax = unclaimed?.messagesMax;
  return unclaimed === undefined || messagesMax === undefined ? undefined : createUnclaimedDropper({ commands: unclaimed.commands, messagesMax, database, runtime, owned });
}
