/** Applies user-output: account data, keys of end-to-end encryption, and the end of accounts. Profile changes reach rooms as member events. */
import { userOutputCodec } from '../../../pkg/log/codec.ts';
import type { Applier } from '../../../pkg/log/applier.ts';
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import { storable } from '../storage/rows.ts';
import { writeKeyChanges } from './write-key-changes.ts';
import { writeRuleChanges } from '../unread/rule-changes.ts';

/** Too many rooms are not named: empty lists wake everybody. */
const WAKE_ROOMS_MAX = 200;

export function userOutputApplier(): Applier<UserOutput> {
  return {
    decode: (bytes) => userOutputCodec.decode(bytes),
    traceOf: (output) => output.traceId,
    apply: async (tx, records) => {
      const rows = new Map<string, SqlValue[]>();
      const users = new Set<string>();
      for (const { sequence, output } of records) {
        users.add(output.userId);
        // One record tells of the messages to many.
        for (const userId of output.toDeviceArrived?.userIds ?? []) users.add(userId);
        if (!output.accountData) continue;
        const { roomId, type, content } = output.accountData;
        const row = [output.userId, storable(roomId), storable(type), Buffer.from(content).toString('utf8'), sequence];
        rows.set(JSON.stringify([output.userId, roomId, type]), row);
      }
      if (rows.size > 0) {
        await tx.insertMany({
          into: 'account_data',
          columns: ['user_id', 'room_id', 'type', 'content', 'sequence'],
          rows: [...rows.values()],
          onConflict: 'ON CONFLICT (user_id, room_id, type) DO UPDATE SET content = excluded.content, sequence = excluded.sequence',
        });
      }
      await endAccounts(tx, records.map(({ output }) => output));
      await writeRuleChanges(tx, records);
      const rooms = await writeKeyChanges(tx, records);
      return rooms.length > WAKE_ROOMS_MAX ? { rooms: [], users: [] } : { rooms, users: [...users] };
    },
  };
}

/** Account data ends with the account. Of nobody comes any after that. */
async function endAccounts(tx: Transaction, outputs: readonly UserOutput[]): Promise<void> {
  const ended = outputs.filter((output) => output.deactivated);
  for (const { userId, deactivated } of ended) {
    await tx.run('DELETE FROM account_data WHERE user_id = ?', [userId]);
    if (deactivated?.erased !== true) continue;
    await tx.insertMany({
      into: 'erased_users', columns: ['user_id', 'room_sequences'], rows: [[userId, JSON.stringify(deactivated.roomSequences)]],
      onConflict: 'ON CONFLICT (user_id) DO UPDATE SET room_sequences = excluded.room_sequences',
    });
  }
}
