/** The log of the simulated world: in memory, shared by all processes, and as unreliable as the contract in `pkg/log/log.ts` lets a driver be, and a little more. */
import { LogUnavailable, type AppendOptions, type LogDriver, type Pack } from '../../pkg/log/log.ts';
import type { FaultRates } from './faults.ts';
import type { SimProcess } from './process.ts';
import type { Scheduler } from './scheduler.ts';
import type { Seeded } from './seeded.ts';

interface Subscriber {
  readonly process: SimProcess;
  wake: (() => void) | undefined;
  closed: boolean;
}

interface Listener {
  readonly process: SimProcess;
  readonly receive: (value: Uint8Array) => void;
  closed: boolean;
}

export class FaultyLog {
  readonly #partitions = new Map<string, { packs: Pack[]; subscribers: Set<Subscriber> }>();
  readonly #channels = new Map<string, Set<Listener>>();
  readonly #scheduler: Scheduler;
  readonly #random: Seeded;
  readonly #faults: () => FaultRates;

  constructor(options: { scheduler: Scheduler; random: Seeded; faults: () => FaultRates }) {
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.#faults = options.faults;
  }

  /** The driver as one process sees it. */
  driver(process: SimProcess): LogDriver {
    return {
      name: 'simulated',
      transportId: 'simulated',
      append: (log, partition, records, options) => this.#append(process, `${log}/${partition}`, { records, options }),
      subscribe: async (log, partition, from, deliver) => {
        await process.step('subscribe');
        return this.#subscribe(process, { key: `${log}/${partition}`, from, deliver });
      },
      head: async (log, partition) => process.step('head').then(() => this.#partition(`${log}/${partition}`).packs.length),
      signal: (channel, value) => this.#signal(channel, value),
      listen: async (channel, receive) => {
        const listener: Listener = { process, receive, closed: false };
        this.#channels.set(channel, (this.#channels.get(channel) ?? new Set()).add(listener));
        return { close: async () => void (listener.closed = true) };
      },
      health: () => undefined,
      close: async () => undefined,
    };
  }

  #partition(key: string) {
    const known = this.#partitions.get(key) ?? { packs: [], subscribers: new Set<Subscriber>() };
    this.#partitions.set(key, known);
    return known;
  }

  async #append(process: SimProcess, key: string, { records, options }: { records: readonly Uint8Array[]; options: AppendOptions | undefined }): Promise<void> {
    const rates = this.#faults();
    const random = this.#random;
    await process.step(`append ${key}`);
    if (random.chance(rates.appendRefused)) throw new LogUnavailable('simulated: refused');
    if (random.chance(rates.appendLostUnacked)) throw new LogUnavailable('simulated: lost');
    // Not where its writer relies on it: nobody would say it again.
    if (random.chance(rates.appendLostAcked) && options?.durable !== true) return;
    this.#store(key, records);
    if (random.chance(rates.appendDuplicated)) this.#scheduler.after(random.between(0, 3000), `late duplicate ${key}`, () => this.#store(key, records));
    if (random.chance(rates.appendStoredUnacked)) throw new LogUnavailable('simulated: the acknowledgement was lost');
    await process.step(`appended ${key}`);
  }

  #store(key: string, records: readonly Uint8Array[]): void {
    const partition = this.#partition(key);
    partition.packs.push({ offset: partition.packs.length, records });
    for (const subscriber of partition.subscribers) subscriber.wake?.();
  }

  async #subscribe(process: SimProcess, options: { key: string; from: number; deliver: (packs: readonly Pack[]) => Promise<void> }) {
    const partition = this.#partition(options.key);
    const subscriber: Subscriber = { process, wake: undefined, closed: false };
    partition.subscribers.add(subscriber);
    void this.#deliver(partition.packs, subscriber, options);
    return {
      close: async () => {
        subscriber.closed = true;
        partition.subscribers.delete(subscriber);
      },
    };
  }

  async #deliver(packs: readonly Pack[], subscriber: Subscriber, options: { key: string; from: number; deliver: (packs: readonly Pack[]) => Promise<void> }): Promise<void> {
    let next = options.from;
    while (!subscriber.closed && subscriber.process.alive) {
      if (next >= packs.length) {
        await new Promise<void>((resolve) => void (subscriber.wake = resolve));
        continue;
      }
      await subscriber.process.step(`deliver ${options.key}`);
      if (subscriber.closed) return;
      const count = this.#random.whole(1, 20);
      await options.deliver(packs.slice(next, next + count));
      next = Math.min(packs.length, next + count);
      if (this.#random.chance(this.#faults().redelivered)) next = Math.max(0, next - this.#random.whole(1, 10));
    }
  }

  #signal(channel: string, value: Uint8Array): void {
    for (const listener of this.#channels.get(channel) ?? []) {
      if (this.#random.chance(this.#faults().signalLost)) continue;
      void listener.process.step(`signal ${channel}`).then(() => listener.closed || listener.receive(value));
    }
  }
}

