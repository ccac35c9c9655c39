/**
 * What a component gives the input runner (`input-runner.ts`): how to load, decide and commit its inputs. The runner owns everything that
 * is the same for all: leases, order, batches, remembered and parked inputs, positions, sequence numbers, the outbox, dead letters.
 */
import type { Transaction } from '../storage/database.ts';
import type { InputHeader } from '../../schemas/log/room-input.ts';

/** Where an input stands: its partition, the lease epoch, and the sequence number that its first output record will have. */
export interface InputPlace {
  readonly partition: number;
  readonly epoch: number;
  readonly nextSequence: number;
  /** Wall-clock ms at which the batch is decided. */
  readonly nowMs: number;
  /** It was parked before. */
  readonly isAgain?: boolean;
}

export interface RejectedOutcome {
  readonly status: number;
  readonly errcode: string;
  readonly error: string;
  readonly fields?: Record<string, unknown>;
}

/**
 * - `accepted`: `effects` will be committed, `outputs` get the sequence numbers from `place.nextSequence` on, and the outcome is remembered under the input ID.
 * - `rejected`: nothing is written but its `effects`; the same input may be tried again.
 * - `parked`: the input waits in `parked_inputs` and later inputs of its key queue behind it, until an accepted input names the key in `unpark`, or until its time is over: then it is
 *   decided again, and rejected when it would wait on. What it has done so far (`effects`, `outputs`) is committed with it.
 * - `lacking`: rows are needed that `load` could not foresee; the runner calls `loadMore` and has the input decided again at once.
 */
export type Decision<Effects> =
  | {
      readonly kind: 'accepted';
      readonly effects: Effects;
      /** Encoded records of the component's output log, without envelope. */
      readonly outputs: readonly Uint8Array[];
      /** Body of the client's answer. */
      readonly result: Record<string, unknown>;
      /** Keys whose parked inputs may go on after this one. */
      readonly unpark?: readonly string[];
    }
  | {
      readonly kind: 'rejected';
      readonly outcome: RejectedOutcome;
      /** What has to be cleared away; committed, and not remembered. */
      readonly effects?: Effects;
    }
  | {
      readonly kind: 'parked';
      readonly reason: string;
      readonly untilMs: number;
      /** What it waits under, when not under the key of its input: only inputs of that key queue behind it. */
      readonly key?: string;
      readonly effects?: Effects;
      readonly outputs?: readonly Uint8Array[];
    }
  | { readonly kind: 'lacking' };

export interface PlacedInput<Input> {
  readonly input: Input;
  readonly partition: number;
}

export interface Processor<Input extends InputHeader, Effects> {
  /** Throws `PoisonRecord`. */
  decode(record: Uint8Array): Input;
  /** The key whose order matters: room ID or user ID. */
  keyOf(input: Input): string;
  /** What shares one turn in a batch, when that is more than a key. */
  shareOf?(input: Input): string;
  /** One batched read of what `decide` will need for these inputs, into the processor's memory. */
  load(inputs: readonly PlacedInput<Input>[]): Promise<void>;
  /**
   * The verdict, from loaded values only. May advance the processor's in-memory picture (later inputs of the batch stand on it): if the commit then
   * fails, `forget` follows. A thrown `PoisonRecord` sends the input to the dead letters; anything else is a bug and does so too, with an error in the log.
   */
  decide(input: Input, place: InputPlace): Decision<Effects>;
  /** Reads what the last `decide` found lacking. Needed by processors whose decisions can be `lacking`. */
  loadMore?(input: Input): Promise<void>;
  /** Whether carrying the input out once more changes nothing, because what it has changed tells: its outcome is not remembered. Only where nobody waits for it. */
  knowsRepeated?(input: Input): boolean;
  /** Of an input that was parked, and is not decided: its twin has been accepted meanwhile. What it has left behind goes with these effects. */
  repeated?(input: Input): Effects;
  /** Writes the component's own rows for all inputs of the batch that have effects, in order. */
  commit(tx: Transaction, accepted: readonly { readonly place: InputPlace; readonly effects: Effects }[]): Promise<void>;
  /** Drops what is remembered in memory of a partition: its lease was lost, or a commit failed or is unknown. */
  forget(partition: number): void;
  /** After a commit: soft effects that need no table (typing). Optional. */
  committed?(accepted: readonly { readonly place: InputPlace; readonly effects: Effects }[]): void;
}
