/** Submits inputs and matches outcomes to them; the contract is in `commands.ts`. */
import type { Outcome } from '../../schemas/log/envelope.ts';
import type { InputHeader } from '../../schemas/log/room-input.ts';
import type { Runtime, Timer } from '../runtime/runtime.ts';
import { outcomesCodec, roomInputCodec, userInputCodec } from './codec.ts';
import { OutcomeTimeout, type CommandClient, type OutcomeLookup } from './commands.ts';
import { LogUnavailable, type InputLogName, type LogDriver, type Subscription } from './log.ts';
import { partitionOf, type PartitionMap } from './partition-map.ts';

export interface CommandClientOptions {
  readonly driver: LogDriver;
  readonly runtime: Runtime;
  readonly partitionMap: PartitionMap;
  readonly lookup: OutcomeLookup;
  /** How long a caller waits and an owner may still begin; ms. */
  readonly deadlineMs?: number;
  readonly pendingMax?: number;
}

interface Pending {
  readonly log: InputLogName;
  /** By the monotonic clock. */
  readonly sinceMs: number;
  readonly deadlineMs: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

const DEADLINE_MS = 30_000;
/** How long after its deadline an outcome is still waited for: the owner may have begun just before it, and the look into its tables comes after. */
const GRACE_MS = 2000;
/** How long an outcome may take before the owner's tables are asked for it. */
const LOOK_UP_EVERY_MS = 1000;
const APPEND_TRIES_MAX = 8;
/** Callers that may wait; beyond that they are told at once to come back later. */
const PENDING_MAX = 10_000;

export function createCommandClient(options: CommandClientOptions): CommandClient {
  return new Client(options);
}

class Client implements CommandClient {
  readonly #options: CommandClientOptions;
  readonly #replyTo: string;
  readonly #pending = new Map<string, Set<Pending>>();
  /** Since the first input: who submits none is not woken by others' outcomes. */
  #subscription: Promise<Subscription> | undefined;
  #isListening = false;
  #waiting = 0;
  #timer: Timer | undefined;
  #lookingUp = false;

  constructor(options: CommandClientOptions) {
    this.#options = options;
    this.#replyTo = `reply.${options.runtime.instanceId}`;
  }

  async #listen(): Promise<void> {
    this.#subscription ??= this.#options.driver.listen(this.#replyTo, (value) => {
      for (const outcome of outcomesCodec.decode(value).outcomes) this.#settle(outcome);
    });
    try {
      await this.#subscription;
      this.#isListening = true;
    } catch (error) {
      this.#subscription = undefined;
      throw error;
    }
  }

  submitRoomInput: CommandClient['submitRoomInput'] = (input, wish = {}) => {
    const header = this.#header(input.inputId, wish.deadlineMs);
    return this.#submit('room-input', input.roomId, header, () => roomInputCodec.encode({ ...input, ...header }));
  };

  submitUserInput: CommandClient['submitUserInput'] = (input, wish = {}) => {
    const header = this.#header(input.inputId, wish.deadlineMs);
    return this.#submit('user-input', input.userId, header, () => userInputCodec.encode({ ...input, ...header }));
  };

  async close(): Promise<void> {
    await (await this.#subscription?.catch(() => undefined))?.close();
  }

  #header(inputId: string, wished?: number): Pick<InputHeader, 'inputId' | 'replyTo' | 'deadlineMs'> {
    const { runtime } = this.#options;
    const deadlineMs = wished ?? this.#options.deadlineMs ?? DEADLINE_MS;
    return { inputId: inputId === '' ? runtime.random.token(32) : inputId, replyTo: this.#replyTo, deadlineMs: runtime.clock.now() + deadlineMs };
  }

  #submit(log: InputLogName, key: string, header: { inputId: string; deadlineMs: number }, encode: () => Uint8Array): Promise<Outcome> {
    const { clock } = this.#options.runtime;
    const { inputId, deadlineMs } = header;
    if (this.#waiting >= (this.#options.pendingMax ?? PENDING_MAX)) return Promise.reject(new LogUnavailable('too many requests wait for their outcomes'));
    return new Promise<Outcome>((resolve, reject) => {
      const settle = (): void => {
        const together = this.#pending.get(inputId);
        if (together?.delete(pending) === true) this.#waiting -= 1;
        if (together?.size === 0) this.#pending.delete(inputId);
      };
      const pending: Pending = {
        log, deadlineMs, sinceMs: clock.monotonic(),
        resolve: (outcome) => (settle(), resolve(outcome)),
        reject: (error) => (settle(), reject(error)),
      };
      this.#pending.set(inputId, (this.#pending.get(inputId) ?? new Set()).add(pending));
      this.#waiting += 1;
      this.#timer ??= clock.timer(LOOK_UP_EVERY_MS, () => this.#check());
      void this.#append(log, key, encode(), pending);
    });
  }

  /** Once a second, as long as somebody waits: one question for all outcomes whose signals may have been lost, and the end of those that come no more. */
  #check(): void {
    const { clock } = this.#options.runtime;
    const now = clock.now();
    const overdue: Record<InputLogName, string[]> = { 'room-input': [], 'user-input': [] };
    for (const [inputId, together] of this.#pending) {
      for (const pending of [...together]) {
        if (now > pending.deadlineMs + GRACE_MS) pending.reject(new OutcomeTimeout('The server was too slow to carry this out; it will not do so any more'));
      }
      const [first] = together;
      if (first !== undefined && clock.monotonic() - first.sinceMs >= LOOK_UP_EVERY_MS) overdue[first.log].push(inputId);
    }
    this.#timer = this.#waiting > 0 ? clock.timer(LOOK_UP_EVERY_MS, () => this.#check()) : undefined;
    if (!this.#lookingUp) void this.#lookUp(overdue);
  }

  /** The signals may have been lost: asks the owners' tables. */
  async #lookUp(overdue: Readonly<Record<InputLogName, readonly string[]>>): Promise<void> {
    this.#lookingUp = true;
    for (const [log, inputIds] of Object.entries(overdue) as [InputLogName, readonly string[]][]) {
      if (inputIds.length === 0) continue;
      try {
        for (const outcome of (await this.#options.lookup(log, inputIds)).values()) this.#settle(outcome);
      } catch (error) {
        this.#options.runtime.logger.warn({ log, inputs: inputIds.length, error }, 'outcomes could not be looked up');
      }
    }
    this.#lookingUp = false;
  }

  #settle(outcome: Outcome): void {
    for (const pending of [...(this.#pending.get(outcome.inputId) ?? [])]) pending.resolve(outcome);
  }

  /** A failed append may have arrived all the same: it is repeated under the same input ID, which the owner deduplicates. */
  async #append(log: InputLogName, key: string, record: Uint8Array, pending: Pending): Promise<void> {
    const { driver, partitionMap, runtime } = this.#options;
    const partition = partitionOf(partitionMap, key);
    for (let tries = 1, delayMs = 50; ; tries += 1, delayMs *= 2) {
      try {
        if (!this.#isListening) await this.#listen();
        await driver.append(log, partition, [record], { durable: false });
        return;
      } catch (error) {
        if (tries >= APPEND_TRIES_MAX || !(error instanceof LogUnavailable)) {
          pending.reject(error instanceof LogUnavailable ? error : new LogUnavailable('the log takes no records', { cause: error }));
          return;
        }
        await runtime.clock.sleep(delayMs);
      }
    }
  }
}
