/** Submits inputs and matches outcomes to them; the contract is in `commands.ts`. */
import type { Outcome } from '../../schemas/log/envelope.ts';
import type { InputHeader } from '../../schemas/log/room-input.ts';
import type { Runtime, Timer } from '../runtime/runtime.ts';
import { outcomeCodec, roomInputCodec, userInputCodec } from './codec.ts';
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
}

interface Pending {
  readonly log: InputLogName;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

const DEADLINE_MS = 30_000;
/** How long an outcome may take before the owner's tables are asked for it. */
const LOOK_UP_EVERY_MS = 1000;
const APPEND_TRIES_MAX = 8;

export async function createCommandClient(options: CommandClientOptions): Promise<CommandClient> {
  const client = new Client(options);
  await client.listen();
  return client;
}

class Client implements CommandClient {
  readonly #options: CommandClientOptions;
  readonly #replyTo: string;
  readonly #pending = new Map<string, Set<Pending>>();
  #subscription: Subscription | undefined;

  constructor(options: CommandClientOptions) {
    this.#options = options;
    this.#replyTo = `reply.${options.runtime.instanceId}`;
  }

  async listen(): Promise<void> {
    this.#subscription = await this.#options.driver.listen(this.#replyTo, (value) => {
      const outcome = outcomeCodec.decode(value);
      for (const pending of this.#pending.get(outcome.inputId) ?? []) pending.resolve(outcome);
    });
  }

  submitRoomInput: CommandClient['submitRoomInput'] = (input) => {
    const header = this.#header(input.inputId);
    return this.#submit('room-input', input.roomId, header, () => roomInputCodec.encode({ ...input, ...header }));
  };

  submitUserInput: CommandClient['submitUserInput'] = (input) => {
    const header = this.#header(input.inputId);
    return this.#submit('user-input', input.userId, header, () => userInputCodec.encode({ ...input, ...header }));
  };

  async close(): Promise<void> {
    await this.#subscription?.close();
  }

  #header(inputId: string): Pick<InputHeader, 'inputId' | 'replyTo' | 'deadlineMs'> {
    const { runtime, deadlineMs = DEADLINE_MS } = this.#options;
    return { inputId: inputId === '' ? runtime.random.token(32) : inputId, replyTo: this.#replyTo, deadlineMs: runtime.clock.now() + deadlineMs };
  }

  #submit(log: InputLogName, key: string, header: { inputId: string; deadlineMs: number }, encode: () => Uint8Array): Promise<Outcome> {
    const { clock } = this.#options.runtime;
    const { inputId } = header;
    return new Promise<Outcome>((resolve, reject) => {
      let timer: Timer;
      const pending: Pending = {
        log,
        resolve: (outcome) => (settle(), resolve(outcome)),
        reject: (error) => (settle(), reject(error)),
      };
      const settle = (): void => {
        timer.cancel();
        const waiting = this.#pending.get(inputId);
        waiting?.delete(pending);
        if (waiting?.size === 0) this.#pending.delete(inputId);
      };
      const check = (): void => {
        if (clock.now() > header.deadlineMs) return pending.reject(new OutcomeTimeout('The server was too slow to carry this out; it will not do so any more'));
        timer = clock.timer(LOOK_UP_EVERY_MS, check);
        void this.#lookUp(log, inputId, pending);
      };
      timer = clock.timer(LOOK_UP_EVERY_MS, check);
      const waiting = this.#pending.get(inputId);
      if (waiting === undefined) this.#pending.set(inputId, new Set([pending]));
      else waiting.add(pending);
      void this.#append(log, key, encode(), pending);
    });
  }

  /** The signal may have been lost: asks the owner's tables. */
  async #lookUp(log: InputLogName, inputId: string, pending: Pending): Promise<void> {
    try {
      const outcome = await this.#options.lookup(log, inputId);
      if (outcome !== undefined) pending.resolve(outcome);
    } catch (error) {
      this.#options.runtime.logger.warn({ log, error }, 'an outcome could not be looked up');
    }
  }

  /** A failed append may have arrived all the same: it is repeated under the same input ID, which the owner deduplicates. */
  async #append(log: InputLogName, key: string, record: Uint8Array, pending: Pending): Promise<void> {
    const { driver, partitionMap, runtime } = this.#options;
    const partition = partitionOf(partitionMap, key);
    for (let tries = 1, delayMs = 50; ; tries += 1, delayMs *= 2) {
      try {
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
