/** Writes the effects of a batch: what follows on each other is folded first, so that every row is written once. */
import type { InsertMany, SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { InputPlace } from '../../../pkg/log/processor.ts';
import type { UserEffects, UserWrite } from './effects.ts';
import { isLifecycleWrite, writeLifecycles, type PlacedWrite } from './lifecycle-writes.ts';

type Row = readonly SqlValue[];

/** Rows by primary key; of several writes to one row the last one stands. */
interface Fold {
  readonly accounts: Map<string, Row>;
  readonly devices: Map<string, Row>;
  /** null: the device's token goes and none comes. */
  readonly tokens: Map<string, { userId: string; deviceId: string; row: Row | null }>;
  readonly profiles: Map<string, Row>;
  readonly accountData: Map<string, Row>;
  readonly filters: Map<string, Row>;
  /** In order. */
  readonly lifecycles: PlacedWrite[];
}

export interface PlacedEffects {
  readonly place: InputPlace;
  readonly effects: UserEffects;
}

/** One statement per table and per replaced token, whatever the size of the batch. */
export async function commitUserEffects(tx: Transaction, accepted: readonly PlacedEffects[]): Promise<void> {
  const fold: Fold = { accounts: new Map(), devices: new Map(), tokens: new Map(), profiles: new Map(), accountData: new Map(), filters: new Map(), lifecycles: [] };
  for (const { place, effects } of accepted) {
    for (const write of effects.writes) foldOne(fold, { place, effects }, write);
  }
  await writeFold(tx, fold);
}

function foldOne(fold: Fold, { place, effects }: PlacedEffects, write: UserWrite): void {
  const { userId, ts } = effects;
  if (isLifecycleWrite(write)) return void fold.lifecycles.push({ userId, ts, place, write });
  switch (write.kind) {
    case 'account':
      fold.accounts.set(userId, [userId, write.passwordHash, write.accountKind, 0, ts, write.isAdmin ? 1 : 0]);
      return;
    case 'device':
      fold.devices.set(key(userId, write.deviceId), [userId, write.deviceId, write.displayName, 0, ts, place.partition, write.sequence]);
      return;
    case 'device-removed':
      fold.devices.set(key(userId, write.deviceId), [userId, write.deviceId, '', 1, ts, place.partition, write.sequence]);
      return;
    case 'token': {
      const row = write.tokenHash === null ? null : [write.tokenHash, userId, write.deviceId, ts];
      fold.tokens.set(key(userId, write.deviceId), { userId, deviceId: write.deviceId, row });
      return;
    }
    case 'profile':
      fold.profiles.set(key(userId, write.field), [userId, write.field, write.value, place.partition, write.sequence]);
      return;
    case 'account-data':
      fold.accountData.set(key(userId, write.roomId, write.type), [userId, write.roomId, write.type, write.content, place.partition, write.sequence]);
      return;
    case 'filter':
      fold.filters.set(key(userId, write.filterId), [userId, write.filterId, write.definition, ts]);
      return;
  }
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
      partition = excluded.partition, sequence = excluded.sequence`,
  });
  await writeTokens(tx, fold.tokens);
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
  await writeLifecycles(tx, fold.lifecycles);
}

/** The old token goes first: a device has one at most. */
async function writeTokens(tx: Transaction, tokens: Fold['tokens']): Promise<void> {
  for (const { userId, deviceId } of tokens.values()) await tx.run('DELETE FROM access_tokens WHERE user_id = ? AND device_id = ?', [userId, deviceId]);
  const fresh = new Map([...tokens].flatMap(([name, { row }]) => (row === null ? [] : [[name, row] as const])));
  await insert(tx, fresh, { into: 'access_tokens', columns: ['token_hash', 'user_id', 'device_id', 'created_at'] });
}

async function insert(tx: Transaction, rows: ReadonlyMap<string, Row>, where: Omit<InsertMany, 'rows'>): Promise<void> {
  if (rows.size > 0) await tx.insertMany({ ...where, rows: [...rows.values()] });
}
