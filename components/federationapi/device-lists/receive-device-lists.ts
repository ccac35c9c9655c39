/**
 * Changes of devices and cross-signing keys of users of another server (server-server, "Device Management"). They are appended durably before the transaction is answered. Only of users who
 * share a room with somebody here: nobody has to know of the others.
 */
import { createHash } from 'node:crypto';
import { isJsonObject } from '../../../pkg/http/json.ts';
import { userInputCodec } from '../../../pkg/log/codec.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import { partitionOf, type PartitionMap } from '../../../pkg/log/partition-map.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';

export interface DeviceListReceiverDeps {
  readonly runtime: Pick<Runtime, 'clock'>;
  readonly driver: Pick<LogDriver, 'append'>;
  readonly partitionMap: PartitionMap;
  readonly syncQuery: Pick<SyncQuery, 'joinedRoomsOf'>;
}

/** Takes the units of a transaction that are such changes. Rejects with `LogUnavailable`: then the transaction must not be answered. */
export type DeviceListReceiver = (origin: string, units: readonly unknown[], transaction: { readonly txnId: string; readonly traceId: string }) => Promise<void>;

const KINDS: Readonly<Record<string, string>> = { 'm.device_list_update': 'device', 'm.signing_key_update': 'signing' };
const CONTENT_BYTES_MAX = 64 * 1024;

export function createDeviceListReceiver({ runtime: { clock }, driver, partitionMap, syncQuery }: DeviceListReceiverDeps): DeviceListReceiver {
  return async (origin, units, { txnId, traceId }) => {
    const changes = units.flatMap((unit) => changeIn(unit, origin));
    if (changes.length === 0) return;
    const rooms = await syncQuery.joinedRoomsOf([...new Set(changes.map(({ userId }) => userId))], Number.MAX_SAFE_INTEGER);
    const records = new Map<number, Uint8Array[]>();
    for (const { userId, kind, content } of changes.filter((change) => rooms.has(change.userId))) {
      const inputId = `device-list:${createHash('sha256').update(JSON.stringify([origin, txnId, kind, content])).digest('base64url')}`;
      const record = userInputCodec.encode({ inputId, replyTo: '', deadlineMs: 0, traceId, ts: clock.now(), userId, remoteKeys: { kind, content: Buffer.from(content) } });
      const partition = partitionOf(partitionMap, userId);
      records.set(partition, [...(records.get(partition) ?? []), record]);
    }
    for (const [partition, ofPartition] of records) await driver.append('user-input', partition, ofPartition, { durable: true });
  };
}

function changeIn(unit: unknown, origin: string): { userId: string; kind: string; content: string }[] {
  if (!isJsonObject(unit) || typeof unit['edu_type'] !== 'string' || !isJsonObject(unit['content']) || !Object.hasOwn(KINDS, unit['edu_type'])) return [];
  const { user_id: userId } = unit['content'];
  if (!isUserId(userId) || !isLocalUser(userId, origin)) return [];
  const content = JSON.stringify(unit['content']);
  return Buffer.byteLength(content) > CONTENT_BYTES_MAX ? [] : [{ userId, kind: KINDS[unit['edu_type']]!, content }];
}
