/** Load on the counters with input IDs that are the same in each run, so that a repeated run repeats the commands. */
import type { CounterClient } from './client.ts';
import { valueOf } from './client.ts';

export interface LoadSettings {
  readonly workers: number;
  readonly inputs: number;
  readonly keys: number;
  /** Keeps the keys and input IDs of several loads apart. */
  readonly mark?: string;
}

export const loadKey = ({ keys, mark = '' }: LoadSettings, worker: number, input: number): string => `${mark}key${(worker * 7 + input) % keys}`;

/** Each worker submits its commands one after the other; `say` gets a line for each outcome: input ID and value. */
export async function runLoad(client: CounterClient, settings: LoadSettings, say: (line: string) => void): Promise<void> {
  await Promise.all(Array.from({ length: settings.workers }, async (_, worker) => {
    for (let input = 0; input < settings.inputs; input += 1) {
      const inputId = `${settings.mark ?? ''}w${worker}.${input}`;
      const outcome = await client.submit({ inputId, kind: 'add', key: loadKey(settings, worker, input), by: 1 });
      if (outcome.errcode !== '') throw new Error(`${inputId}: ${outcome.errcode} ${outcome.error}`);
      say(`${inputId} ${valueOf(outcome)}`);
    }
  }));
}
