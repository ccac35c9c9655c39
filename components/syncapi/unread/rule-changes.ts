import type { Applier } from '../../../pkg/log/applier.ts';
import type { Transaction } from '../../../pkg/storage/database.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import { IGNORED_USERS, PUSH_RULES } from './pictures.ts';

type Records = Parameters<Applier<UserOutput>['apply']>[1];

/** Marks users whose rules have changed, so that whoever counts for their rooms sees it. */
export async function writeRuleChanges(tx: Transaction, records: Records): Promise<void> {
  const users = new Map<string, readonly [userId: string, partition: number, sequence: number]>();
  const versions = new Map<number, number>();
  for (const { partition, sequence, output: { userId, accountData } } of records) {
    if (!accountData || accountData.roomId !== '' || (accountData.type !== PUSH_RULES && accountData.type !== IGNORED_USERS)) continue;
    users.set(userId, [userId, partition, sequence]);
    versions.set(partition, sequence);
  }
  if (users.size === 0) return;
  const newer = 'DO UPDATE SET sequence = excluded.sequence';
  await tx.insertMany({ into: 'rule_changes', columns: ['user_id', 'partition_number', 'sequence'], rows: [...users.values()], onConflict: `ON CONFLICT (user_id) ${newer}` });
  await tx.insertMany({ into: 'rule_versions', columns: ['partition_number', 'sequence'], rows: [...versions], onConflict: `ON CONFLICT (partition_number) ${newer}` });
}
