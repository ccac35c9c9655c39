/**
 * After the userapi's database was put back from a backup: what it takes for unclaimed may have been claimed since. Nobody can know which, so all one-time keys count as claimed and all fallback keys as used.
 * Clients hear of it by the counts in their next /sync, and upload new ones.
 */
import { userOutputCodec } from '../../../pkg/log/codec.ts';
import { leapSequences, type LeaptPartition } from '../../../pkg/log/leap.ts';
import { writeOutbox } from '../../../pkg/log/outbox.ts';
import type { Transaction } from '../../../pkg/storage/database.ts';

type Device = { user_id: string; device_id: string; partition: number };

const NOTHING_LEFT = { counts: '{}', unusedFallbacks: '[]' };
/** Records that are written at once. */
const CHUNK = 1000;

export interface RestoredKeys {
  readonly leapt: readonly LeaptPartition[];
  /** Devices whose keys count as claimed. */
  readonly devices: number;
}

/** In one transaction, in which the sequence numbers of user-output leap too: the records that tell of it stand behind the leap. */
export async function forgetRestoredKeys(tx: Transaction, consumer: string, at: Parameters<typeof leapSequences>[2]): Promise<RestoredKeys> {
  const leapt = await leapSequences(tx, consumer, at);
  await tx.run('UPDATE one_time_keys SET claimed = 1 WHERE claimed = 0');
  await tx.run('UPDATE fallback_keys SET used = 1 WHERE used = 0');
  const devices = await tx.query<Device>('SELECT user_id, device_id, partition FROM device_key_counts WHERE counts <> ? OR unused_fallbacks <> ? ORDER BY partition, user_id, device_id', [NOTHING_LEFT.counts, NOTHING_LEFT.unusedFallbacks]);
  for (const { partition, epoch, sequence } of leapt) {
    const told = devices.filter((device) => device.partition === partition);
    for (let begin = 0; begin < told.length; begin += CHUNK) await tellNothingLeft(tx, told.slice(begin, begin + CHUNK), { partition, epoch, sequence: sequence + begin });
    if (told.length > 0) await tx.run('UPDATE positions SET sequence = ? WHERE consumer = ? AND partition = ?', [sequence + told.length, consumer, partition]);
  }
  return { leapt, devices: devices.length };
}

async function tellNothingLeft(tx: Transaction, devices: readonly Device[], { partition, epoch, sequence }: { partition: number; epoch: number; sequence: number }): Promise<void> {
  const { counts, unusedFallbacks } = NOTHING_LEFT;
  await tx.insertMany({
    into: 'device_key_counts', columns: ['user_id', 'device_id', 'counts', 'unused_fallbacks', 'partition', 'sequence'],
    rows: devices.map((device, index) => [device.user_id, device.device_id, counts, unusedFallbacks, partition, sequence + index + 1]),
    onConflict: `ON CONFLICT (user_id, device_id) DO UPDATE SET counts = excluded.counts, unused_fallbacks = excluded.unused_fallbacks, sequence = excluded.sequence`,
  });
  await writeOutbox(tx, 'user-output', devices.map((device, index) => ({
    partition, envelope: { sequence: sequence + index + 1, epoch, record: userOutputCodec.encode({ userId: device.user_id, inputId: '', traceId: '', keyCounts: { deviceId: device.device_id, counts, unusedFallbacks } }) },
  })));
}
