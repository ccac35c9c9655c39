/** `replay`: the history of a room (or several) from its create event on, every signature checked, until the read model has its last event; on each log and database. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { writeHistory, readLines } from '../replay/history-file.ts';
import { makeHistory, type Shape } from '../replay/make-history.ts';
import type { ReplayReport, ReplaySettings } from '../replay/replay-here.ts';
import { runReplay, type RunningReplay } from '../replay/run-replay.ts';
import { cpuSeconds } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { median, rounded } from '../statistics.ts';

export interface ReplayOptions {
  /** A file of PDUs; undefined: a history is made. */
  readonly file: string | undefined;
  readonly events: number;
  readonly shape: Shape;
  readonly rooms: number;
  readonly roomVersion: string;
  readonly partitions: readonly number[];
  readonly instances: readonly number[];
  readonly runs: number;
  /** Bind all processes of the server to one core. */
  readonly oneCore: boolean;
  readonly isWanted: (mode: string) => boolean;
}

export interface ReplayResult {
  readonly mode: string;
  readonly partitions: number;
  readonly instances: number;
  readonly events: number;
  readonly perSecond: number;
  readonly cpuMsPerEvent: number;
  /** The last thousand events against the first. */
  readonly lastToFirst: number;
  /** All files of the databases against the JSON of the events; on PostgreSQL with what an empty database has, without the write-ahead log. */
  readonly bytesToJson: number;
  readonly peakMb: number;
}

export const replayColumns: readonly Column<ReplayResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'partitions', text: (row) => String(row.partitions) },
  { title: 'instances', text: (row) => String(row.instances) },
  { title: 'events', text: (row) => String(row.events) },
  { title: 'events/s', text: (row) => String(row.perSecond) },
  { title: 'CPU ms/event', text: (row) => row.cpuMsPerEvent.toFixed(3) },
  { title: 'last/first 1000', text: (row) => row.lastToFirst.toFixed(2) },
  { title: 'bytes/JSON', text: (row) => row.bytesToJson.toFixed(2) },
  { title: 'peak MB', text: (row) => String(Math.round(row.peakMb)) },
];

export async function replayWorkload(options: ReplayOptions): Promise<ReplayResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-replay-'));
  try {
    const file = options.file ?? makeFile(folder, options);
    const results: ReplayResult[] = [];
    for (const mode of modes()) {
      if (!options.isWanted(mode.name)) continue;
      if (mode.missing !== undefined) {
        console.log(`NOT MEASURED: ${mode.name}: ${mode.missing} is not here`);
        continue;
      }
      for (const partitions of options.partitions) {
        for (const instances of mode.log.kind === 'embedded' ? [1] : options.instances) {
          console.log(`${mode.name}, ${partitions} partitions, ${instances} instances …`);
          results.push(await measure(mode, { ...options, file, partitions, instances }));
        }
      }
    }
    return results;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeFile(folder: string, { events, shape, rooms, roomVersion: versionId }: ReplayOptions): string {
  const version = roomVersion(versionId);
  if (version === undefined) throw new Error(`there is no room version ${versionId}`);
  const file = join(folder, 'history.ndjson');
  writeHistory(file, Array.from({ length: rooms }, (_, index) => makeHistory({ version, events: Math.ceil(events / rooms), shape, seed: index + 1 })));
  console.log(`made ${readLines(file).length} signed events of the shape "${shape}" in ${rooms === 1 ? 'a room' : `${rooms} rooms`} of version ${versionId}`);
  return file;
}

interface ReplayMode {
  readonly name: string;
  readonly log: ReplaySettings['log'];
  readonly postgres: string | undefined;
  readonly missing: string | undefined;
}

function modes(): ReplayMode[] {
  const { MYELIN_TEST_POSTGRES_URL: postgres, MYELIN_TEST_NATS_URL: nats, MYELIN_TEST_KAFKA_BROKERS: kafka } = process.env;
  const missing = (what: string, address: string | undefined): string | undefined => (postgres === undefined ? 'PostgreSQL' : address === undefined ? what : undefined);
  return [
    { name: 'embedded+SQLite', log: { kind: 'embedded' }, postgres: undefined, missing: undefined },
    { name: 'embedded+PostgreSQL', log: { kind: 'embedded' }, postgres, missing: missing('', '') },
    { name: 'NATS+PostgreSQL', log: { kind: 'nats', servers: (nats ?? '').replace('nats://', '') }, postgres, missing: missing('NATS', nats) },
    { name: 'Kafka+PostgreSQL', log: { kind: 'kafka', brokers: kafka ?? '' }, postgres, missing: missing('Kafka', kafka) },
  ];
}

type Measuring = Omit<ReplayOptions, 'partitions' | 'instances'> & { readonly file: string; readonly partitions: number; readonly instances: number };

async function measure(mode: ReplayMode, options: Measuring): Promise<ReplayResult> {
  const jsonBytes = statSync(options.file).size;
  const reports: (ReplayReport & { readonly othersCpuSeconds: number; readonly bytes: number })[] = [];
  for (let run = 0; run < options.runs; run += 1) reports.push(await runOnce(mode, options));
  const of = (value: (report: (typeof reports)[number]) => number): number => median(reports.map(value));
  return {
    mode: options.oneCore ? `${mode.name}, one core` : mode.name, partitions: options.partitions, instances: options.instances, events: reports[0]!.events,
    perSecond: Math.round(of(({ events, seconds }) => events / seconds)), cpuMsPerEvent: rounded(of((one) => ((one.cpuSeconds + one.othersCpuSeconds) * 1000) / one.events), 3),
    lastToFirst: rounded(of(({ firstMs, lastMs }) => lastMs / firstMs)), bytesToJson: rounded(of(({ bytes }) => bytes / jsonBytes)), peakMb: of(({ peakMb }) => peakMb),
  };
}

/** A fresh database, as many instances as wanted, one of which is fed. */
async function runOnce(mode: ReplayMode, { file, roomVersion: versionId, partitions, instances, oneCore }: Measuring): Promise<ReplayReport & { othersCpuSeconds: number; bytes: number }> {
  // Read when the servers are there, whose addresses it takes from the environment.
  const { makePlace } = await import('../../test/e2e/modes.ts');
  const place = await makePlace(mode.postgres);
  const url = place.env['MYELIN_DATABASE'];
  const settings: ReplaySettings = {
    log: mode.log, database: url === undefined ? { kind: 'sqlite' } : { kind: 'postgres', url }, dataDir: place.folder, logPrefix: place.env['MYELIN_LOG_PREFIX']!, partitions, file, roomVersion: versionId,
  };
  const command = oneCore ? ONE_CORE : [];
  const others: RunningReplay[] = [];
  try {
    for (let index = 1; index < instances; index += 1) others.push(runReplay({ ...settings, file: undefined }, command));
    for (const { begun } of others) await begun;
    const report = await runReplay(settings, command).report;
    if (report === undefined) throw new Error('the replay ended without a result');
    const othersCpuSeconds = others.reduce((sum, { child }) => sum + cpuOf(child), 0);
    return { ...report, othersCpuSeconds, bytes: url === undefined ? bytesIn(place.folder) : await bytesOfDatabase(url) };
  } finally {
    await Promise.all(others.map(({ child }) => stop(child)));
    await place.remove();
  }
}

/** Binds the server to one core. */
const ONE_CORE = ['taskset', '-c', '0'];

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

function cpuOf({ pid }: ChildProcess): number {
  return pid === undefined ? 0 : cpuSeconds(pid);
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

async function bytesOfDatabase(url: string): Promise<number> {
  const { Client } = (await import('pg')).default;
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('CHECKPOINT');
  const { rows } = await client.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
  await client.end();
  return Number(rows[0]!.bytes);
}
