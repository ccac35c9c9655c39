/** Faults drawn from a seed, and how each is done to running instances. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Seeded } from '../sim/seeded.ts';
import type { Instances } from './instances.ts';

export interface Fault {
  readonly what: string;
  /** Does it and undoes it; resolves with the time (of `performance.now()`) since when recovery counts: what was hit takes connections again, or goes on. */
  strike(): Promise<number>;
}

const KINDS = ['kill', 'stop', 'broker', 'database'] as const;

/** `count` faults; of any four that follow one another from the first on, each is of another kind. */
export function drawFaults(instances: Instances, count: number, seed: number): Fault[] {
  const random = new Seeded(seed);
  const faults: Fault[] = [];
  while (faults.length < count) {
    const kinds = KINDS.map((kind) => ({ kind, place: random.float() })).sort((a, b) => a.place - b.place).map(({ kind }) => kind);
    for (const kind of kinds) {
      if (kind === 'kill') faults.push(killed(random.pick(instances.all), random.between(0, 3000)));
      else if (kind === 'stop') faults.push(stopped(random.pick(instances.all), random.between(1000, 12_000)));
      else faults.push(restarted(kind, instances[kind], random.chance(0.5)));
    }
  }
  return faults.slice(0, count);
}

function killed({ name, program }: Instances['all'][number], awayMs: number): Fault {
  return {
    what: `kill -9 ${name}, away for ${seconds(awayMs)}`,
    strike: async () => {
      await program.kill();
      await sleep(awayMs);
      return program.restart();
    },
  };
}

function stopped({ name, program }: Instances['all'][number], awayMs: number): Fault {
  return {
    what: `SIGSTOP ${name} for ${seconds(awayMs)}`,
    strike: async () => {
      program.signal('SIGSTOP');
      await sleep(awayMs);
      program.signal('SIGCONT');
      return performance.now();
    },
  };
}

function restarted(kind: string, server: Instances['broker'], orderly: boolean): Fault {
  return {
    what: `${orderly ? 'restart' : 'kill -9 and start'} of the ${kind}`,
    strike: async () => {
      if (!orderly) await server.kill();
      await server.restart();
      return performance.now();
    },
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
