/** Runs an owner's real processor on one input at a time, without log and leases; the rest as the input runner does it. For tests of those who submit commands. */
import assert from 'node:assert/strict';
import { rejectedOutcome } from '../../pkg/log/input-batch.ts';
import { partitionOf, type PartitionMap } from '../../pkg/log/partition-map.ts';
import type { InputPlace, Processor } from '../../pkg/log/processor.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { Outcome } from '../../schemas/log/envelope.ts';
import type { InputHeader } from '../../schemas/log/room-input.ts';

export interface DirectOwner<Input> {
  submit(input: Omit<Input, 'replyTo' | 'deadlineMs'>): Promise<Outcome>;
  /** Inputs that reached the processor, repeated ones left out. */
  readonly inputs: readonly Input[];
  readonly outputs: readonly { readonly partition: number; readonly sequence: number; readonly record: Uint8Array }[];
}

export interface DirectOwnerOptions<Input extends InputHeader, Effects> {
  readonly processor: Processor<Input, Effects>;
  readonly database: Database;
  readonly partitionMap: PartitionMap;
  readonly encode: (input: Input) => Uint8Array;
  readonly now: () => number;
}

export function createDirectOwner<Input extends InputHeader, Effects>(options: DirectOwnerOptions<Input, Effects>): DirectOwner<Input> {
  const { processor, database, partitionMap } = options;
  const sequences = new Map<number, number>();
  const remembered = new Map<string, Outcome>();
  const inputs: Input[] = [];
  const outputs: { partition: number; sequence: number; record: Uint8Array }[] = [];
  let numbers = 0;
  let last: Promise<unknown> = Promise.resolve();

  async function process(input: Input): Promise<Outcome> {
    const known = remembered.get(input.inputId);
    if (known !== undefined) return known;
    inputs.push(input);
    const partition = partitionOf(partitionMap, processor.keyOf(input));
    const place: InputPlace = { partition, epoch: 1, nextSequence: (sequences.get(partition) ?? 0) + 1, nowMs: options.now() };
    await processor.load([{ input, partition }]);
    const decision = processor.decide(input, place);
    assert.notEqual(decision.kind, 'parked');
    if (decision.kind === 'rejected') return rejectedOutcome(input.inputId, partition, decision.outcome);
    if (decision.kind !== 'accepted') throw new Error('parked');
    const accepted = [{ place, effects: decision.effects }];
    await database.transaction((tx) => processor.commit(tx, accepted));
    processor.committed?.(accepted);
    decision.outputs.forEach((record, index) => outputs.push({ partition, sequence: place.nextSequence + index, record }));
    const sequence = place.nextSequence - 1 + decision.outputs.length;
    sequences.set(partition, sequence);
    const none = new Uint8Array(0);
    const outcome: Outcome = {
      inputId: input.inputId, partition, sequence: decision.outputs.length > 0 ? sequence : 0, result: Buffer.from(JSON.stringify(decision.result)),
      errcode: '', error: '', status: 200, errorFields: none,
    };
    remembered.set(input.inputId, outcome);
    return outcome;
  }

  return {
    inputs,
    outputs,
    submit(input) {
      numbers += 1;
      const whole = { ...input, inputId: input.inputId === '' ? `random-${numbers}` : input.inputId, replyTo: '', deadlineMs: 0 } as unknown as Input;
      // As over a real log: only what survives encoding arrives.
      const outcome = last.then(() => process(processor.decode(options.encode(whole))));
      last = outcome.catch(() => undefined);
      return outcome;
    },
  };
}
