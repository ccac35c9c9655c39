/** The toy owner: counters in memory, loaded from and committed to its table. */
import type { Processor } from '../../../../pkg/log/processor.ts';
import type { Database } from '../../../../pkg/storage/database.ts';
import { decodeJson, encodeJson, type CounterInput, type CounterOutput } from './records.ts';

interface Counter {
  value: number;
  gate: boolean;
}

export interface CounterEffects {
  readonly name: string;
  readonly value: number;
  readonly gate: boolean;
}

const WAIT_MS_MAX = 60_000;

export function createCounterProcessor(database: Database): Processor<CounterInput, CounterEffects> {
  const partitions = new Map<number, Map<string, Counter>>();

  function of(partition: number): Map<string, Counter> {
    const counters = partitions.get(partition) ?? new Map<string, Counter>();
    partitions.set(partition, counters);
    return counters;
  }

  return {
    decode: (record) => decodeJson<CounterInput>(record),
    // What opens a gate must not queue behind those who wait for it.
    keyOf: (input) => (input.kind === 'open' ? `open ${input.key}` : input.key),
    async load(inputs) {
      const missing = inputs.filter(({ input, partition }) => !of(partition).has(input.key));
      if (missing.length === 0) return;
      const rows = await database.queryIn<{ name: string; value: number; gate: number }>(
        'SELECT name, value, gate FROM counters WHERE name IN (??)', [], [...new Set(missing.map(({ input }) => input.key))]);
      for (const { input, partition } of missing) {
        const row = rows.find(({ name }) => name === input.key);
        of(partition).set(input.key, { value: row?.value ?? 0, gate: row?.gate === 1 });
      }
    },
    decide(input, place) {
      const counter = of(place.partition).get(input.key)!;
      if (input.kind === 'crash') throw new Error('the processor has a bug');
      if (input.kind === 'refuse') return { kind: 'rejected', outcome: { status: 403, errcode: 'M_FORBIDDEN', error: 'no' } };
      if (input.kind === 'wait' && !counter.gate) return { kind: 'parked', reason: 'the gate is closed', untilMs: place.nowMs + WAIT_MS_MAX };
      counter.value += input.by;
      if (input.kind === 'open') counter.gate = true;
      const output: CounterOutput = { inputId: input.inputId, key: input.key, by: input.by, value: counter.value };
      return {
        kind: 'accepted',
        effects: { name: input.key, ...counter },
        outputs: [encodeJson(output)],
        result: { value: counter.value },
        ...(input.kind === 'open' ? { unpark: [input.key] } : {}),
      };
    },
    async commit(tx, accepted) {
      const last = new Map(accepted.map(({ effects }) => [effects.name, effects]));
      await tx.insertMany({
        into: 'counters', columns: ['name', 'value', 'gate'],
        rows: [...last.values()].map(({ name, value, gate }) => [name, value, gate ? 1 : 0]),
        onConflict: 'ON CONFLICT (name) DO UPDATE SET value = excluded.value, gate = excluded.gate',
      });
    },
    forget: (partition) => void partitions.delete(partition),
  };
}
