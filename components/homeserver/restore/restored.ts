/** What has to follow when databases were put back from a backup: numbers that have been given out since are passed over, and keys that may have been claimed since are given to nobody. */
import { isOlderThanReaders, leapReaders, leapSequences, newestApplied, type LogOwner, type LogReaderAt } from '../../../pkg/log/leap.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import { FEDERATIONAPI_CONSUMER } from '../../federationapi/index.ts';
import { ROOMSERVER_CONSUMER } from '../../roomserver/index.ts';
import { SYNCAPI_CONSUMER } from '../../syncapi/index.ts';
import { forgetRestoredKeys, USERAPI_CONSUMER } from '../../userapi/index.ts';
import type { Databases } from '../wire.ts';

/** The databases must be migrated. Resolves with how many devices have to upload new keys. Doing it once more does no harm but that they have to do so again. */
export async function passOverRestored(databases: Databases, nowMs: number): Promise<number> {
  const readers = readersOf(databases);
  const rooms = ownersOf(databases).rooms;
  const ofRooms = { nowMs, applied: await newestApplied('room-output', readers) };
  await leapReaders('room-output', readers, await rooms.database.transaction((tx) => leapSequences(tx, rooms.consumer, ofRooms)));
  const ofUsers = { nowMs, applied: await newestApplied('user-output', readers) };
  const { leapt, devices } = await databases.userapi.transaction((tx) => forgetRestoredKeys(tx, USERAPI_CONSUMER, ofUsers));
  await leapReaders('user-output', readers, leapt);
  return devices;
}

/** Does so before the server starts when the tables prove that an owner's database is older than one of its readers'. */
export async function passOverIfRestored(databases: Databases, { clock, logger }: Pick<Runtime, 'clock' | 'logger'>): Promise<void> {
  const { rooms, users } = ownersOf(databases);
  const readers = readersOf(databases);
  const isOld = (await isOlderThanReaders(rooms, readers)) || (await isOlderThanReaders(users, readers));
  if (!isOld) return;
  const devices = await passOverRestored(databases, clock.now());
  logger.warn({ devices }, 'a database is older than what others have read of it: it was put back from a backup. Unclaimed one-time keys were dropped; drop the tables of the syncapi if they are not of the same backup');
}

function ownersOf(databases: Databases): { readonly rooms: LogOwner; readonly users: LogOwner } {
  return {
    rooms: { consumer: ROOMSERVER_CONSUMER, log: 'room-output', database: databases.roomserver },
    users: { consumer: USERAPI_CONSUMER, log: 'user-output', database: databases.userapi },
  };
}

function readersOf(databases: Databases): LogReaderAt[] {
  return [{ consumer: SYNCAPI_CONSUMER, database: databases.syncapi }, { consumer: FEDERATIONAPI_CONSUMER, database: databases.federationapi }];
}
