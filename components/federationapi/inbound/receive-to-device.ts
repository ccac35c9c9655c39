/**
 * Messages that users of another server send to devices here (server-server, "Send-to-device messaging"). They are appended durably before the transaction is answered, so none is lost; and by
 * names made of the origin and the message's ID, so that one that is sent again is carried out once. What is wrong in them is passed over.
 */
import { createHash } from 'node:crypto';
import { isJsonObject } from '../../../pkg/http/json.ts';
import { userInputCodec } from '../../../pkg/log/codec.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import { partitionOf, type PartitionMap } from '../../../pkg/log/partition-map.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { batchMessages, type DeviceMessage } from '../../../pkg/matrix/to-device/batch-messages.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';

export interface ToDeviceDeps {
  readonly runtime: Pick<Runtime, 'clock'>;
  readonly driver: Pick<LogDriver, 'append'>;
  readonly partitionMap: PartitionMap;
  readonly serverName: string;
}

/** Takes the units of a transaction that are such messages. Rejects with `LogUnavailable`: then the transaction must not be answered. */
export type ToDeviceReceiver = (origin: string, units: readonly unknown[], traceId: string) => Promise<void>;

const NAME_BYTES_MAX = 255;
/** As of those that users here send. */
const CONTENT_BYTES_MAX = 65_536;

export function createToDeviceReceiver({ runtime: { clock }, driver, partitionMap, serverName }: ToDeviceDeps): ToDeviceReceiver {
  return async (origin, units, traceId) => {
    const records = new Map<number, Uint8Array[]>();
    for (const unit of units) {
      const read = readUnit(unit, origin);
      if (read === undefined) continue;
      const { sender, type, name } = read;
      for (const { partition, number, userId, targets, contents } of batchMessages(messagesFor(serverName, read.messages), (id) => partitionOf(partitionMap, id))) {
        const record = userInputCodec.encode({ inputId: `${name}.${partition}.${number}`, replyTo: '', deadlineMs: 0, traceId, ts: clock.now(), userId, sendToDevice: { sender, type, targets, contents } });
        records.set(partition, [...(records.get(partition) ?? []), record]);
      }
    }
    for (const [partition, ofPartition] of records) await driver.append('user-input', partition, ofPartition, { durable: true });
  };
}

interface Unit {
  readonly sender: string;
  readonly type: string;
  /** Of the inputs that it becomes. */
  readonly name: string;
  readonly messages: Readonly<Record<string, unknown>>;
}

function readUnit(unit: unknown, origin: string): Unit | undefined {
  if (!isJsonObject(unit) || unit['edu_type'] !== 'm.direct_to_device' || !isJsonObject(unit['content'])) return undefined;
  const { sender, type, message_id: messageId, messages } = unit['content'];
  if (!isUserId(sender) || !isLocalUser(sender, origin) || !isName(type) || !isName(messageId) || messageId === '' || !isJsonObject(messages)) return undefined;
  return { sender, type, messages, name: `to-device:${createHash('sha256').update(JSON.stringify([origin, messageId])).digest('base64url')}` };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && Buffer.byteLength(value) <= NAME_BYTES_MAX;
}

function messagesFor(serverName: string, messages: Unit['messages']): DeviceMessage[] {
  return Object.entries(messages).flatMap(([userId, devices]) => {
    if (!isUserId(userId) || !isLocalUser(userId, serverName) || !isJsonObject(devices)) return [];
    return Object.entries(devices).flatMap(([deviceId, content]): DeviceMessage[] => {
      const json = isJsonObject(content) && isName(deviceId) ? JSON.stringify(content) : undefined;
      return json === undefined || Buffer.byteLength(json) > CONTENT_BYTES_MAX ? [] : [{ userId, deviceId, content: json }];
    });
  });
}
