/** Runs an owner's real processor on one input at a time, without log and leases; the rest as the input runner does it. For tests of those who submit commands. */
import { rejectedOutcome } from '../../pkg/log/input-batch.ts';
import { partitionOf, type PartitionMap } from '../../pkg/log/partition-map.ts';
import type { Decision, InputPlace, Processor } from '../../pkg/log/processor.ts';
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
    let place: InputPlace = { partition, epoch: 1, nextSequence: (sequences.get(partition) ?? 0) + 1, nowMs: options.now() };
    await processor.load([{ input, partition }]);
    let decision = await decide(input, place);
    if (decision.kind === 'parked') {
      // What it waits for does not come: nobody else is there.
      await carryOut(place, decision.effects, decision.outputs ?? []);
      place = { ...place, nextSequence: (sequences.get(partition) ?? 0) + 1, nowMs: decision.untilMs, isAgain: true };
      await processor.load([{ input, partition }]);
      decision = await decide(input, place);
    }
    if (decision.kind === 'parked') return rejectedOutcome(input.inputId, partition, { status: 504, errcode: 'M_UNKNOWN', error: decision.reason });
    if (decision.kind === 'rejected') {
      await carryOut(place, decision.effects, []);
      return rejectedOutcome(input.inputId, partition, decision.outcome);
    }
    const sequence = await carryOut(place, decision.effects, decision.outputs);
    const outcome: Outcome = {
      inputId: input.inputId, partition, sequence: decision.outputs.length > 0 ? sequence : 0, result: Buffer.from(JSON.stringify(decision.result)),
      errcode: '', error: '', status: 200, errorFields: new Uint8Array(0),
    };
    remembered.set(input.inputId, outcome);
    return outcome;
  }

  async function decide(input: Input, place: InputPlace): Promise<Exclude<Decision<Effects>, { kind: 'lacking' }>> {
    for (;;) {
      const decision = processor.decide(input, place);
      if (decision.kind !== 'lacking') return decision;
      if (processor.loadMore === undefined) throw new Error('a decision lacks rows that nobody loads');
      await processor.loadMore(input);
    }
  }

  /** The sequence number of the last output. */
  async function carryOut(place: InputPlace, effects: Effects | undefined, records: readonly Uint8Array[]): Promise<number> {
    const { partition, nextSequence } = place;
    const accepted = effects === undefined ? [] : [{ place, effects }];
    if (accepted.length > 0) {
      await database.transaction((tx) => processor.commit(tx, accepted));
      processor.committed?.(accepted);
    }
    records.forEach((record, index) => outputs.push({ partition, sequence: nextSequence + index, record }));
    const sequence = nextSequence - 1 + records.length;
    sequences.set(partition, sequence);
    return sequence;
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
