/** Applies user-output: account data. Profile changes reach rooms as member events; devices are of no concern here yet. */
import { userOutputCodec } from '../../../pkg/log/codec.ts';
import type { Applier } from '../../../pkg/log/applier.ts';
import type { SqlValue } from '../../../pkg/storage/database.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import { storable } from '../storage/rows.ts';

export function userOutputApplier(): Applier<UserOutput> {
  return {
    decode: (bytes) => userOutputCodec.decode(bytes),
    traceOf: (output) => output.traceId,
    apply: async (tx, records) => {
      const rows = new Map<string, SqlValue[]>();
      const users = new Set<string>();
      for (const { sequence, output } of records) {
        users.add(output.userId);
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
      return { rooms: [], users: [...users] };
    },
  };
}
