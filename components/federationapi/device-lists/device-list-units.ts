/** m.device_list_update and m.signing_key_update (server-server, "Device Management", "End-to-End Encryption"): for every server that shares a room with the user. */
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import { CanonicalJsonError, tolerantJson } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';
import { readJoinedHosts } from '../storage/joined-hosts.ts';
import type { QueuedUnit } from '../storage/unit-queue.ts';

export interface DeviceListDeps {
  readonly serverName: string;
  readonly database: Reader;
  readonly syncQuery: Pick<SyncQuery, 'joinedRoomsOf'>;
}

type Records = readonly SequencedRecord<UserOutput>[];

/** Whether there is anything to tell others of. */
export function tellsOfDevices({ output: { userId, deviceList } }: Records[number], serverName: string): boolean {
  return Boolean(deviceList) && isLocalUser(userId, serverName) && (deviceList!.deviceId !== '' || deviceList!.crossSigning.length > 0);
}

/** The units that follow from the records, for the servers that are in the rooms of their users as these are known now: two queries. */
export async function deviceListUnits({ serverName, database, syncQuery }: DeviceListDeps, records: Records): Promise<QueuedUnit[]> {
  const telling = records.filter((record) => tellsOfDevices(record, serverName));
  if (telling.length === 0) return [];
  const rooms = await syncQuery.joinedRoomsOf([...new Set(telling.map(({ output }) => output.userId))], Number.MAX_SAFE_INTEGER);
  const roomIds = [...new Set([...rooms.values()].flat())];
  const hosts = roomIds.length === 0 ? new Map<string, ReadonlyMap<string, number>>() : await readJoinedHosts(database, roomIds);
  return telling.flatMap((record) => {
    const destinations = new Set((rooms.get(record.output.userId) ?? []).flatMap((roomId) => [...(hosts.get(roomId)?.keys() ?? [])]));
    const json = unitText(record);
    if (json === undefined) return [];
    return [...destinations].map((destination) => ({ destination, originPartition: record.partition, originSequence: record.sequence, number: 0, json, subject: subjectOf(record) }));
  });
}

/** Who misses an update of a device's list sees so by the next one, and asks for all of the user's devices and keys. */
function subjectOf({ output: { userId, deviceList } }: Records[number]): string {
  return deviceList!.deviceId === '' ? '' : `devices of ${userId}`;
}

/** Canonical JSON, which is what is signed; undefined for what cannot be signed (half a surrogate pair in a device's name): the servers that want it ask for the user's devices. */
function unitText(record: Records[number]): string | undefined {
  try {
    return tolerantJson(unitOf(record));
  } catch (error) {
    if (error instanceof CanonicalJsonError) return undefined;
    throw error;
  }
}

/** `stream_id` is the sequence number of the record. */
function unitOf({ sequence, output: { userId, deviceList } }: Records[number]): object {
  const { deviceId, deleted, displayName, keys, crossSigning, previous } = deviceList!;
  if (deviceId === '') return { edu_type: 'm.signing_key_update', content: { user_id: userId, ...parse(crossSigning) } };
  const content = {
    user_id: userId, device_id: deviceId, stream_id: sequence, prev_id: previous > 0 ? [previous] : [],
    ...(deleted ? { deleted } : { ...(displayName !== '' && { device_display_name: displayName }), ...(keys.length > 0 && { keys: parse(keys) }) }),
  };
  return { edu_type: 'm.device_list_update', content };
}

function parse(bytes: Uint8Array): object {
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as object;
}
