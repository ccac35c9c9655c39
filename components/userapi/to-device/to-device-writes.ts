/** What inputs about messages to devices change: messages come, and go when they are acknowledged, or with their device. */
import type { InputPlace } from '../../../pkg/log/processor.ts';
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';

export interface DeviceMessage {
  readonly userId: string;
  readonly deviceId: string;
  /** Place in the list of events. */
  readonly event: number;
}

export type ToDeviceWrite =
  /** `sequence`: of the output record that tells of them. `events`: JSON texts as clients get them. A device has one of them at most. */
  | { readonly kind: 'to-device'; readonly sequence: number; readonly events: readonly Uint8Array[]; readonly messages: readonly DeviceMessage[] }
  /** Of the user's device, up to this sequence number. */
  | { readonly kind: 'to-device-gone'; readonly deviceId: string; readonly sequence: number };

export interface PlacedToDevice {
  readonly userId: string;
  readonly place: Pick<InputPlace, 'partition'>;
  readonly write: ToDeviceWrite;
}

export function isToDeviceWrite(write: { readonly kind: string }): write is ToDeviceWrite {
  return write.kind === 'to-device' || write.kind === 'to-device-gone';
}

/** Sequence numbers in one statement about bodies that several devices share. */
const SHARED_AT_ONCE = 32;
const DELETE_SHARED = `DELETE FROM to_device_shared WHERE partition = ? AND sequence IN (${Array(SHARED_AT_ONCE).fill('?').join(', ')})
  AND NOT EXISTS (SELECT 1 FROM to_device d WHERE d.partition = to_device_shared.partition AND d.sequence = to_device_shared.sequence AND d.shared = to_device_shared.shared)`;

/** What comes first and what goes then: a sequence number says of each message whether it came before. */
export async function writeToDevice(tx: Transaction, placed: readonly PlacedToDevice[]): Promise<void> {
  if (placed.length === 0) return;
  await writeMessages(tx, placed);
  const gone = new Map<string, { readonly userId: string; readonly partition: number; readonly deviceId: string; sequence: number }>();
  for (const { userId, place: { partition }, write } of placed) {
    if (write.kind !== 'to-device-gone') continue;
    const key = `${userId}\0${write.deviceId}`;
    gone.set(key, { userId, partition, deviceId: write.deviceId, sequence: Math.max(write.sequence, gone.get(key)?.sequence ?? 0) });
  }
  for (const one of gone.values()) await deleteMessages(tx, one);
}

async function writeMessages(tx: Transaction, placed: readonly PlacedToDevice[]): Promise<void> {
  const rows: SqlValue[][] = [];
  const shared: SqlValue[][] = [];
  for (const { place: { partition }, write } of placed) {
    if (write.kind !== 'to-device') continue;
    const { sequence, events, messages } = write;
    const readers = new Map<number, number>();
    for (const { event } of messages) readers.set(event, (readers.get(event) ?? 0) + 1);
    for (const { userId, deviceId, event } of messages) {
      const isShared = (readers.get(event) ?? 0) > 1;
      rows.push([userId, deviceId, sequence, partition, isShared ? null : events[event]!, isShared ? event : null]);
    }
    for (const [event, count] of readers) if (count > 1) shared.push([partition, sequence, event, events[event]!]);
  }
  if (shared.length > 0) await tx.insertMany({ into: 'to_device_shared', columns: ['partition', 'sequence', 'shared', 'event'], rows: shared });
  if (rows.length > 0) await tx.insertMany({ into: 'to_device', columns: ['user_id', 'device_id', 'sequence', 'partition', 'event', 'shared'], rows });
}

async function deleteMessages(tx: Transaction, { userId, partition, deviceId, sequence }: { userId: string; partition: number; deviceId: string; sequence: number }): Promise<void> {
  const those = [userId, deviceId, sequence];
  const rows = await tx.query<{ sequence: number }>('SELECT sequence FROM to_device WHERE user_id = ? AND device_id = ? AND sequence <= ? AND shared IS NOT NULL', those);
  await tx.run('DELETE FROM to_device WHERE user_id = ? AND device_id = ? AND sequence <= ?', those);
  for (let at = 0; at < rows.length; at += SHARED_AT_ONCE) {
    const some = rows.slice(at, at + SHARED_AT_ONCE).map((row) => row.sequence);
    await tx.run(DELETE_SHARED, [partition, ...some, ...Array<number>(SHARED_AT_ONCE - some.length).fill(some[0]!)]);
  }
}
