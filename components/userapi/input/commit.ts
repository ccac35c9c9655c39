/** Writes the effects of a batch: what follows on each other is folded first, so that every row is written once. */
import type { InsertMany, SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { InputPlace } from '../../../pkg/log/processor.ts';
import { isBackupWrite, writeBackups, type PlacedBackupWrite } from '../key-backup/backup-writes.ts';
import { isKeyWrite, writeKeys, type PlacedKeyWrite } from '../keys/key-writes.ts';
import type { UserEffects, UserWrite } from './effects.ts';
import { isLifecycleWrite, writeLifecycles, type PlacedWrite } from './lifecycle-writes.ts';
import { isNoteWrite, writeNotes, type PlacedNote } from './note-writes.ts';
import { isToDeviceWrite, writeToDevice, type PlacedToDevice } from '../to-device/to-device-writes.ts';
import { isSessionWrite, writeSessions, type PlacedSessionWrite } from './session-writes.ts';

type Row = readonly SqlValue[];

/** Rows by primary key; of several writes to one row the last one stands. */
interface Fold {
  readonly accounts: Map<string, Row>;
  readonly devices: Map<string, Row>;
  readonly dehydrated: Map<string, Row>;
  readonly profiles: Map<string, Row>;
  readonly accountData: Map<string, Row>;
  readonly filters: Map<string, Row>;
  readonly noticeRooms: Map<string, Row>;
  /** In order. */
  readonly lifecycles: PlacedWrite[];
  /** In order. */
  readonly sessions: PlacedSessionWrite[];
  /** In order. */
  readonly notes: PlacedNote[];
  readonly toDevice: PlacedToDevice[];
  /** In order. */
  readonly keys: PlacedKeyWrite[];
  readonly backups: PlacedBackupWrite[];
}

export interface PlacedEffects {
  readonly place: InputPlace;
  readonly effects: UserEffects;
}

/** One statement per table and per device whose tokens change, whatever the size of the batch. */
export async function commitUserEffects(tx: Transaction, accepted: readonly PlacedEffects[]): Promise<void> {
  const fold: Fold = { accounts: new Map(), devices: new Map(), dehydrated: new Map(), profiles: new Map(), accountData: new Map(), filters: new Map(), noticeRooms: new Map(), lifecycles: [], sessions: [], notes: [], toDevice: [], keys: [], backups: [] };
  for (const { place, effects } of accepted) {
    for (const write of effects.writes) foldOne(fold, { place, effects }, write);
  }
  await writeFold(tx, fold);
}

function foldOne(fold: Fold, { place, effects }: PlacedEffects, write: UserWrite): void {
  const { userId, ts } = effects;
  if (isLifecycleWrite(write)) return void fold.lifecycles.push({ userId, ts, place, write });
  if (isSessionWrite(write)) return void fold.sessions.push({ userId, ts, place, write });
  if (isNoteWrite(write)) return void fold.notes.push({ userId, ts, place, write });
  if (isToDeviceWrite(write)) return void fold.toDevice.push({ userId, place, write });
  if (isBackupWrite(write)) return void fold.backups.push({ userId, write });
  if (isKeyWrite(write)) return void fold.keys.push({ userId, place, write });
  if (isDeviceWrite(write)) return foldDevice(fold, { place, effects }, write);
  switch (write.kind) {
    case 'account':
      fold.accounts.set(userId, [userId, write.passwordHash, write.accountKind, 0, ts, write.isAdmin ? 1 : 0]);
      return;
    case 'profile':
      fold.profiles.set(key(userId, write.field), [userId, write.field, write.value, place.partition, write.sequence]);
      return;
    case 'account-data':
      fold.accountData.set(key(userId, write.roomId, write.type), [userId, write.roomId, write.type, write.content, place.partition, write.sequence]);
      return;
    case 'filter':
      fold.filters.set(key(userId, write.filterId), [userId, write.filterId, write.definition, ts]);
      return;
    case 'notice-room':
      fold.noticeRooms.set(userId, [userId, write.roomId]);
      return;
  }
}

type DeviceWrite = Extract<UserWrite, { kind: 'device' | 'device-removed' | 'dehydrated' }>;

function isDeviceWrite(write: UserWrite): write is DeviceWrite {
  return write.kind === 'device' || write.kind === 'device-removed' || write.kind === 'dehydrated';
}

function foldDevice(fold: Fold, { place, effects: { userId, ts } }: PlacedEffects, write: DeviceWrite): void {
  const name = key(userId, write.deviceId);
  if (write.kind === 'dehydrated') return void fold.dehydrated.set(name, [write.data, userId, write.deviceId]);
  const isRemoved = write.kind === 'device-removed';
  fold.devices.set(name, [userId, write.deviceId, isRemoved ? '' : write.displayName, isRemoved ? 1 : 0, ts, place.partition, write.sequence]);
  if (isRemoved) fold.toDevice.push({ userId, place, write: { kind: 'to-device-gone', deviceId: write.deviceId, sequence: write.sequence } });
}

function key(...parts: string[]): string {
  return parts.join('\0');
}

async function writeFold(tx: Transaction, fold: Fold): Promise<void> {
  await insert(tx, fold.accounts, { into: 'accounts', columns: ['user_id', 'password_hash', 'kind', 'deactivated', 'created_at', 'admin'] });
  await insert(tx, fold.devices, {
    into: 'devices',
    columns: ['user_id', 'device_id', 'display_name', 'removed', 'created_at', 'partition', 'sequence'],
    onConflict: `ON CONFLICT (user_id, device_id) DO UPDATE SET display_name = excluded.display_name, removed = excluded.removed,
      created_at = CASE WHEN devices.removed = 1 THEN excluded.created_at ELSE devices.created_at END,
      seen_at = CASE WHEN excluded.removed = 1 THEN 0 ELSE devices.seen_at END, seen_ip = CASE WHEN excluded.removed = 1 THEN '' ELSE devices.seen_ip END, partition = excluded.partition, sequence = excluded.sequence`,
  });
  for (const row of fold.dehydrated.values()) await tx.run('UPDATE devices SET dehydrated = ? WHERE user_id = ? AND device_id = ?', row);
  await writeSessions(tx, fold.sessions);
  await insert(tx, fold.profiles, {
    into: 'profiles',
    columns: ['user_id', 'field', 'value', 'partition', 'sequence'],
    onConflict: 'ON CONFLICT (user_id, field) DO UPDATE SET value = excluded.value, partition = excluded.partition, sequence = excluded.sequence',
  });
  await insert(tx, fold.accountData, {
    into: 'account_data',
    columns: ['user_id', 'room_id', 'type', 'content', 'partition', 'sequence'],
    onConflict: 'ON CONFLICT (user_id, room_id, type) DO UPDATE SET content = excluded.content, partition = excluded.partition, sequence = excluded.sequence',
  });
  await insert(tx, fold.filters, {
    into: 'filters',
    columns: ['user_id', 'filter_id', 'definition', 'created_at'],
    onConflict: 'ON CONFLICT (user_id, filter_id) DO NOTHING',
  });
  await insert(tx, fold.noticeRooms, { into: 'notice_rooms', columns: ['user_id', 'room_id'], onConflict: 'ON CONFLICT (user_id) DO UPDATE SET room_id = excluded.room_id' });
  await writeToDevice(tx, fold.toDevice);
  await writeNotes(tx, fold.notes);
  await writeKeys(tx, fold.keys);
  await writeBackups(tx, fold.backups);
  await writeLifecycles(tx, fold.lifecycles);
}

async function insert(tx: Transaction, rows: ReadonlyMap<string, Row>, where: Omit<InsertMany, 'rows'>): Promise<void> {
  if (rows.size > 0) await tx.insertMany({ ...where, rows: [...rows.values()] });
}
