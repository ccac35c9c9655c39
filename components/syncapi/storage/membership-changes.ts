/** Where the memberships of users here last changed: what a process remembers of somebody's memberships is still true while these places are what they were. */
import type { Reader, SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import { gatherIn } from '../../../pkg/storage/gather-in.ts';
import { changesOf, type Records } from '../consumers/decoded.ts';
import { storable } from './rows.ts';

type PlaceRow = { user_id: string; partition_number: number; sequence: number };

const PLACES = { sql: 'SELECT user_id, partition_number, sequence FROM membership_changes WHERE user_id IN (??) ORDER BY user_id, partition_number', by: 'user_id' };

/** While it is the same text, so are the user's rows in `memberships`. Asked for before these are read, it is never newer than they. */
export async function membershipVersion(reader: Reader, userId: string): Promise<string> {
  const rows = await gatherIn<PlaceRow>(reader, PLACES, [userId]);
  return rows.map((row) => `${row.partition_number}:${row.sequence}`).join(' ');
}

/** Notes for which of the users here the records change something in `memberships`; `ended`: users whose intervals ended because the first record begins its room's state anew. */
export async function writeMembershipChanges(tx: Transaction, records: Records, known: { readonly ended: readonly string[]; readonly isHere: (userId: string) => boolean }): Promise<void> {
  const rows = new Map<string, SqlValue[]>();
  for (const [index, { partition, sequence, output }] of records.entries()) {
    const { forgotten } = output.record;
    const members = changesOf(output).filter(({ type }) => type === 'm.room.member').map(({ stateKey }) => stateKey);
    const users = [...members, ...(forgotten ? [forgotten.userId] : []), ...(index === 0 ? known.ended : [])];
    for (const userId of users) if (known.isHere(userId)) rows.set(`${partition} ${storable(userId)}`, [storable(userId), partition, sequence]);
  }
  if (rows.size === 0) return;
  await tx.insertMany({
    into: 'membership_changes', columns: ['user_id', 'partition_number', 'sequence'], rows: [...rows.values()],
    onConflict: 'ON CONFLICT (user_id, partition_number) DO UPDATE SET sequence = excluded.sequence',
  });
}
