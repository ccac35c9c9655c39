/** The toy reader: sums up what it is told and notes everything that does not add up. */
import type { Applier } from '../../../../pkg/log/applier.ts';
import { decodeJson, type CounterOutput } from './records.ts';

export function createCounterApplier(): Applier<CounterOutput> {
  return {
    decode: (record) => decodeJson<CounterOutput>(record),
    async apply(tx, records) {
      const keys = [...new Set(records.map(({ output }) => output.key))];
      const rows = await tx.queryIn<{ name: string; total: number }>('SELECT name, total FROM sums WHERE name IN (??)', [], keys);
      const totals = new Map(rows.map(({ name, total }) => [name, total]));
      for (const { output, partition, sequence } of records) {
        const total = (totals.get(output.key) ?? 0) + output.by;
        totals.set(output.key, total);
        if (total !== output.value) await tx.run('INSERT INTO violations (text) VALUES (?)', [`${partition}/${sequence} ${output.key}: ${total}, not ${output.value}`]);
      }
      await tx.insertMany({
        into: 'sums', columns: ['name', 'total'], rows: [...totals],
        onConflict: 'ON CONFLICT (name) DO UPDATE SET total = excluded.total',
      });
      return { rooms: keys, users: [] };
    },
  };
}
