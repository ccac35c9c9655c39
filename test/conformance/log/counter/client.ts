/** The toy writer: submits an input again and again under its ID until its outcome comes. */
import { outcomesCodec } from '../../../../pkg/log/codec.ts';
import type { LogDriver } from '../../../../pkg/log/log.ts';
import { partitionOf, type PartitionMap } from '../../../../pkg/log/partition-map.ts';
import type { Runtime } from '../../../../pkg/runtime/runtime.ts';
import type { Outcome } from '../../../../schemas/log/envelope.ts';
import { encodeJson, type CounterInput } from './records.ts';

export type Command = Pick<CounterInput, 'inputId' | 'kind' | 'key' | 'by'>;

export interface CounterClient {
  /** Resolves with the outcome, however often the command has to be repeated. */
  submit(command: Command): Promise<Outcome>;
  close(): Promise<void>;
}

export interface CounterClientOptions {
  readonly driver: LogDriver;
  readonly runtime: Runtime;
  readonly partitionMap: PartitionMap;
  readonly durable?: boolean;
  readonly retryMs?: number;
}

const RETRY_MS = 700;

export async function createCounterClient(options: CounterClientOptions): Promise<CounterClient> {
  const { driver, runtime, partitionMap, durable = true, retryMs = RETRY_MS } = options;
  const replyTo = `reply.${runtime.instanceId}`;
  const waiting = new Map<string, (outcome: Outcome) => void>();
  let closed = false;
  const listener = await driver.listen(replyTo, (value) => {
    for (const outcome of outcomesCodec.decode(value).outcomes) waiting.get(outcome.inputId)?.(outcome);
  });

  async function submit(command: Command): Promise<Outcome> {
    const record = encodeJson({ ...command, replyTo, deadlineMs: 0, traceId: '' } satisfies CounterInput);
    const partition = partitionOf(partitionMap, command.key);
    while (!closed) {
      const outcome = await new Promise<Outcome | undefined>((resolve) => {
        const timer = setTimeout(resolve, retryMs, undefined);
        waiting.set(command.inputId, (arrived) => {
          clearTimeout(timer);
          resolve(arrived);
        });
        driver.append('room-input', partition, [record], { durable }).catch(() => undefined);
      });
      if (outcome) {
        waiting.delete(command.inputId);
        return outcome;
      }
    }
    throw new Error('closed');
  }

  return {
    submit,
    close: async () => {
      closed = true;
      await listener.close();
    },
  };
}

/** Value of the counter that an accepted outcome reports. */
export const valueOf = (outcome: Outcome): number => (JSON.parse(Buffer.from(outcome.result).toString()) as { value: number }).value;
