/** The numbers that every consumer of a log shows. */
import type { Runtime } from '../runtime/runtime.ts';
import { noMetrics } from '../telemetry/metrics.ts';

/** What became of inputs in one batch. */
export interface Tally {
  accepted: number;
  rejected: number;
  /** Accepted before, answered again. */
  repeated: number;
  /** Dropped because their deadline had passed. */
  late: number;
  parked: number;
  dead: number;
}

export function emptyTally(): Tally {
  return { accepted: 0, rejected: 0, repeated: 0, late: 0, parked: 0, dead: 0 };
}

export interface InputMetrics {
  batch(tally: Tally, seconds: number): void;
}

export function inputMetrics(runtime: Runtime, consumer: string): InputMetrics {
  const metrics = runtime.metrics ?? noMetrics();
  const inputs = metrics.counter({ name: 'inputs_total', help: 'Inputs processed, by what became of them', labels: ['consumer', 'verdict'] });
  const deadLetters = metrics.counter({ name: 'dead_letters_total', help: 'Records that could not be processed and were put aside: look at the table dead_letters', labels: ['consumer'] });
  const seconds = metrics.histogram({ name: 'input_batch_seconds', help: 'Time from taking a batch of inputs to its commit', labels: ['consumer'] });
  return {
    batch(tally, took) {
      for (const [verdict, count] of Object.entries(tally)) if (count > 0) inputs.add({ consumer, verdict }, count as number);
      if (tally.dead > 0) deadLetters.add({ consumer }, tally.dead);
      seconds.observe(took, { consumer });
    },
  };
}

export interface OutputMetrics {
  applied(records: number, deadLetters: number, seconds: number): void;
  /** Records that the producer has made and this instance's partitions have not applied. */
  lag(records: number): void;
}

export function outputMetrics(runtime: Runtime, consumer: string): OutputMetrics {
  const metrics = runtime.metrics ?? noMetrics();
  const applied = metrics.counter({ name: 'records_applied_total', help: 'Output records applied to a read model', labels: ['consumer'] });
  const dead = metrics.counter({ name: 'dead_letters_total', help: 'Records that could not be processed and were put aside: look at the table dead_letters', labels: ['consumer'] });
  const seconds = metrics.histogram({ name: 'apply_batch_seconds', help: 'Time from taking a batch of output records to its commit', labels: ['consumer'] });
  const lag = metrics.gauge({ name: 'consumer_lag_records', help: 'Records that the producer has made and the partitions owned here have not applied', labels: ['consumer'] });
  return {
    applied(records, deadLetters, took) {
      applied.add({ consumer }, records);
      if (deadLetters > 0) dead.add({ consumer }, deadLetters);
      seconds.observe(took, { consumer });
    },
    lag: (records) => lag.set(records, { consumer }),
  };
}
