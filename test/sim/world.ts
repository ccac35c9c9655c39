/**
 * A world under virtual time: one homeserver (`server.ts`) or several that federate over a faulty network. Everything random comes from the seed: one seed, one trace.
 */
import { createHash, type Hash } from 'node:crypto';
import { drawFaults, NO_FAULTS, type FaultRates } from './faults.ts';
import { Scheduler } from './scheduler.ts';
import { Seeded } from './seeded.ts';
import { SimServer, type SimServerOptions } from './server.ts';

export const SIM_SERVER_NAME = 'sim.test';
const START_MS = 1_700_000_000_000;

export interface WorldOptions {
  /** Takes every line of the trace. */
  readonly print?: (line: string) => void;
  /** Its homeservers; by default one that knows of no other. */
  readonly servers?: readonly SimServerOptions[];
}

export class World {
  readonly random: Seeded;
  readonly scheduler: Scheduler;
  readonly rates: FaultRates;
  readonly violations: string[] = [];
  readonly counts = { crashes: 0, requests: 0, unanswered: 0 };
  readonly servers: readonly SimServer[];
  readonly print: ((line: string) => void) | undefined;
  healed = false;
  readonly #hash: Hash = createHash('sha256');

  constructor(seed: number, options: WorldOptions = {}) {
    this.random = new Seeded(seed);
    this.print = options.print;
    this.rates = drawFaults(this.random);
    this.scheduler = new Scheduler(START_MS, (at, label) => this.note(at, label));
    this.servers = (options.servers ?? [{ name: SIM_SERVER_NAME, keySeed: 7 }]).map((server) => new SimServer(this, server));
  }

  note(at: number, label: string): void {
    const line = `${(at - START_MS).toFixed(3)} ${label}`;
    this.#hash.update(line);
    this.print?.(line);
  }

  traceHash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  async open(): Promise<void> {
    for (const server of this.servers) await server.open();
  }

  async close(): Promise<void> {
    for (const server of this.servers) await server.close();
  }

  /** Ends all faults; what is dead comes back, what is paused wakes by itself. */
  heal(): void {
    this.healed = true;
  }

  faults(): FaultRates {
    return this.healed ? NO_FAULTS : this.rates;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.scheduler.after(ms, 'client sleeps', resolve));
  }
}
