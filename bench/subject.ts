/** A homeserver that is measured by what every homeserver has: the Matrix API, over TLS for other servers, and processes. Myelin in its modes, and Synapse on PostgreSQL. */
import { randomBytes } from 'node:crypto';
import type { Authority } from '../test/kit/certificates.ts';
import { createDatabase, dropDatabase } from '../test/kit/servers/postgres.ts';
import * as synapse from '../test/kit/servers/synapse.ts';
import type { Mode } from '../test/e2e/modes.ts';
import { bySharedSecret, type CrowdPlace } from './crowd.ts';
import type { Program } from '../test/e2e/program.ts';
import { neighbourhood, type Peer, type PeerOptions } from '../test/e2e/peers.ts';
import { cpuSeconds, forgetPeak, residentMb, treeCpuSeconds } from './process-usage.ts';

export interface Subject {
  readonly name: string;
  readonly isMyelin: boolean;
  /** A new server without any data; nothing is limited, and registration is open. */
  start(options?: Pick<PeerOptions, 'appservices'>): Promise<RunningSubject>;
}

/** A mode, or another homeserver as if it were one: that one takes no settings and says how users come in. */
export type ServerMode = Mode & Partial<Pick<CrowdPlace, 'entrance'>> & { readonly database?: DatabaseProcess };

export interface RunningSubject extends Meter {
  readonly name: string;
  readonly baseUrl: string;
  /** `localhost:port`: other servers find it there, with a certificate of the authority. */
  readonly serverName: string;
  readonly authority: Authority;
  readonly peer: Peer;
  stop(): Promise<void>;
}

/** What a server's processes take. */
export interface Meter {
  /** From the operating system's accounts. */
  usage(): Usage;
  /** Peaks of memory are counted from now on. */
  forgetPeak(): void;
}

interface Usage {
  /** Of the server's processes since they began. */
  readonly cpuSeconds: number;
  /** Of PostgreSQL, of all its databases, so nothing else may use it meanwhile; 0 where the database is in the server's process, NaN where the benchmark has not started it. */
  readonly databaseCpuSeconds: number;
  /** Resident memory of the server's processes. */
  readonly residentMb: number;
  readonly peakMb: number;
}

/** Whose CPU is the database's: a process with its children, or nobody's beside the server; undefined: it cannot be said. */
type DatabaseProcess = number | 'none' | undefined;

/** `pids`: the processes that run now. */
export function meterOf(pids: () => readonly number[], database?: DatabaseProcess): Meter {
  const sum = (of: (pid: number) => number): number => pids().reduce((total, pid) => total + of(pid), 0);
  return {
    usage: () => ({
      cpuSeconds: sum(cpuSeconds), databaseCpuSeconds: database === undefined ? Number.NaN : database === 'none' ? 0 : treeCpuSeconds(database),
      residentMb: sum((pid) => residentMb(pid).now), peakMb: sum((pid) => residentMb(pid).peak),
    }),
    forgetPeak: () => pids().forEach(forgetPeak),
  };
}

export interface CpuCost {
  readonly cpuMsPerEvent: number;
  readonly withDatabaseCpuMsPerEvent: number;
}

/** What `work` has cost, for each of `events` events, and the peak of memory meanwhile. Figures that cannot be had are NaN. */
export async function costOf(meter: Meter, work: () => Promise<{ events: number }>): Promise<CpuCost & { peakMb: number }> {
  meter.forgetPeak();
  const cost = await cpuCostOf(meter, work);
  return { ...cost, peakMb: meter.usage().peakMb };
}

/** The same without memory: its peak is counted from where it was. */
export async function cpuCostOf(meter: Meter, work: () => Promise<{ events: number }>): Promise<CpuCost> {
  const before = meter.usage();
  const { events } = await work();
  const after = meter.usage();
  return {
    cpuMsPerEvent: ((after.cpuSeconds - before.cpuSeconds) * 1000) / events,
    withDatabaseCpuMsPerEvent: ((after.cpuSeconds + after.databaseCpuSeconds - before.cpuSeconds - before.databaseCpuSeconds) * 1000) / events,
  };
}

export function myelin(mode: Mode, postgresPid: number | undefined): Subject {
  return { name: mode.name, isMyelin: true, start: ({ appservices = [] } = {}) => start(mode.name, databaseOf(mode, postgresPid), (place) => place.start('Myelin', { mode, appservices, ownTls: true })) };
}

export function databaseOf({ name }: Mode, postgresPid: number | undefined): DatabaseProcess {
  return name.includes('PostgreSQL') ? postgresPid : 'none';
}

/** On a database of its own. */
export function synapseOnPostgres(postgresUrl: string, postgresPid: number | undefined): Subject {
  const name = `Synapse ${synapse.synapseVersion()}+PostgreSQL`;
  return {
    name, isMyelin: false,
    async start({ appservices = [] } = {}) {
      const postgres = await createDatabase(postgresUrl, `synapse_${randomBytes(6).toString('hex')}`);
      const running = await start(name, postgresPid, (place) => place.start('Synapse', { appservices, postgres }));
      return {
        ...running,
        async stop() {
          await running.stop();
          await dropDatabase(postgres);
        },
      };
    },
  };
}

/** For workloads that start modes. */
export function asMode(subject: Subject, postgresPid: number | undefined): ServerMode {
  return {
    name: subject.name, missing: undefined, isOneProcess: true, database: postgresPid, entrance: bySharedSecret(synapse.SHARED_SECRET),
    async start() {
      const { peer, baseUrl, stop } = await subject.start();
      const program = {
        baseUrl,
        get pid() {
          return peer.pids[0]!;
        },
      } as Program;
      return { baseUrl, folder: peer.folder, programs: [program], killEverything: () => Promise.reject(new Error('nobody asks for that')), stop };
    },
  };
}

async function start(name: string, database: DatabaseProcess, startIn: (place: ReturnType<typeof neighbourhood>) => Promise<Peer>): Promise<RunningSubject> {
  const place = neighbourhood();
  const peer = await startIn(place);
  return { name, baseUrl: peer.baseUrl, serverName: peer.serverName, authority: place.authority, peer, ...meterOf(() => peer.pids, database), stop: () => place.stop() };
}
