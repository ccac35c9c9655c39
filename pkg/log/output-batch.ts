/**
 * The next records of partitions of an output log, collected for one transaction: delivered ones in sequence, what is missing between them from the producer's outbox. While a
 * partition has more to catch up than one page, what is delivered is let pass: the outbox has that too, and a batch stays small however far behind it is.
 */
import type { OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Applier, SequencedRecord } from './applier.ts';
import { envelopeCodec } from './codec.ts';
import type { DeadLetter } from './dead-letters.ts';
import { PoisonRecord, type Pack } from './log.ts';
import type { OutboxReader } from './outbox-reader.ts';
import type { Position } from './positions.ts';

/** A partition's place, as the tables have it. */
export interface ReadingPartition {
  readonly partition: number;
  readonly epoch: number;
  position: number;
  /** Newest applied sequence. */
  sequence: number;
  commits: number;
  /** The outbox may hold more than was applied. */
  behind: boolean;
}

export interface OutputBatch<Output> {
  readonly records: SequencedRecord<Output>[];
  readonly deadLetters: DeadLetter[];
  readonly positions: Position[];
}

export interface CollectContext<Output> {
  /** Consumer name, for the log. */
  readonly name: string;
  readonly applier: Applier<Output>;
  readonly runtime: Runtime;
  readonly transport: string;
  readonly outbox: OutboxReader;
  /** See `OutputConsumerOptions.snapshot`. */
  readonly snapshot: ((partition: number, after: number, limit: number) => Promise<OutputEnvelope[]>) | undefined;
}

/**
 * Adds a partition's next records to the batch: those of `packs`, and up to a few pages of `pageRecords` of what is missing. Throws when records are missing that the outbox
 * does not have.
 */
export async function collectRecords<Output>(
  context: CollectContext<Output>,
  batch: OutputBatch<Output>,
  state: ReadingPartition,
  delivered: { readonly packs: readonly Pack[]; readonly pageRecords: number },
): Promise<void> {
  const { partition, epoch, commits } = state;
  let { sequence, position } = state;
  const take = (envelope: OutputEnvelope): void => {
    sequence = envelope.sequence;
    decode(context, batch, partition, envelope);
  };
  const catchUp = async (): Promise<void> => {
    const { envelopes, reaches, more } = await readMissed(context, partition, sequence, delivered.pageRecords);
    envelopes.forEach(take);
    sequence = Math.max(sequence, reaches);
    state.behind = more;
  };
  if (state.behind) await catchUp();
  for (const pack of delivered.packs) {
    for (const envelope of state.behind ? [] : envelopesOf(context, partition, pack)) {
      if (envelope.sequence > sequence + 1) await catchUp();
      if (state.behind) break;
      if (envelope.sequence > sequence + 1) throw new Error(`records ${sequence + 1} to ${envelope.sequence - 1} of partition ${partition} are missing`);
      if (envelope.sequence === sequence + 1) take(envelope);
    }
    position = Math.max(position, pack.offset + 1);
  }
  if (sequence === state.sequence && position === state.position) return;
  batch.positions.push({ partition, epoch, commits, transport: context.transport, position, sequence, relayed: 0 });
}

/** What is no envelope was put into the broker by somebody else: the log itself is in the outbox, so it can be left out. */
function envelopesOf<Output>({ name, runtime }: CollectContext<Output>, partition: number, pack: Pack): OutputEnvelope[] {
  return pack.records.flatMap((record) => {
    try {
      return [envelopeCodec.decode(record)];
    } catch (error) {
      runtime.logger.warn({ consumer: name, partition, offset: pack.offset, error }, 'the broker holds something that is no record of this log; it is left out');
      return [];
    }
  });
}

function decode<Output>({ name, applier, runtime }: CollectContext<Output>, batch: OutputBatch<Output>, partition: number, envelope: OutputEnvelope): void {
  try {
    batch.records.push({ partition, sequence: envelope.sequence, output: applier.decode(envelope.record) });
  } catch (error) {
    if (!(error instanceof PoisonRecord)) throw error;
    runtime.logger.error({ consumer: name, partition, sequence: envelope.sequence, error }, 'a record went to the dead letters');
    batch.deadLetters.push({ partition, position: envelope.sequence, reason: error.message, record: envelope.record });
  }
}

interface Missed {
  readonly envelopes: OutputEnvelope[];
  /** Up to here nothing else is to come. */
  readonly reaches: number;
  /** There may be more after these. */
  readonly more: boolean;
}

/** What comes after `after`, from the outbox or, where it was trimmed, from a snapshot. */
async function readMissed<Output>({ outbox, snapshot }: CollectContext<Output>, partition: number, after: number, limit: number): Promise<Missed> {
  const { envelopes, trimmedTo } = await outbox.read(partition, after, limit);
  if (trimmedTo <= after) return { envelopes, reaches: after, more: envelopes.length >= limit };
  if (snapshot === undefined) throw new Error(`records after ${after} of partition ${partition} are no longer kept: the read model must be rebuilt`);
  const remade = (await snapshot(partition, after, limit)).filter((envelope) => envelope.sequence <= trimmedTo);
  return { envelopes: remade, reaches: remade.length < limit ? trimmedTo : after, more: true };
}
