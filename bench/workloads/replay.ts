/** `replay`: the history of a room (or several) from its create event on, every signature checked, until the read model has its last event; on each log and database. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { writeHistory, readLines } from '../replay/history-file.ts';
import { makeHistory, type Shape } from '../replay/make-history.ts';
import type { ReplayReport, ReplaySettings } from '../replay/replay-here.ts';
import { runReplay, type RunningReplay } from '../replay/run-replay.ts';
import type { FilledWith } from '../../test/e2e/modes.ts';
import { cpuSeconds } from '../process-usage.ts';
import { table, type Column } from '../report/table.ts';
import { median, rounded } from '../statistics.ts';
import type { Figures, Measured, Row } from '../workload.ts';

export interface ReplayOptions {
  /** A file of PDUs; undefined: a history is made. */
  readonly file: string | undefined;
  readonly events: number;
  /** Of a made history that is replayed before by the processes that are measured warm; 0: none are. */
  readonly warmEvents: number;
  readonly shape: Shape;
  readonly rooms: number;
  readonly roomVersion: string;
  readonly partitions: readonly number[];
  readonly instances: readonly number[];
  readonly runs: number;
  /** Bind all processes of the server to one core. */
  readonly oneCore: boolean;
  readonly isWanted: (mode: string) => boolean;
  /** What is in the databases before. */
  readonly filled: FilledWith | undefined;
}

/** Histories of the warm-up begin with this seed, those that are measured with 1; in databases that are filled with histories, which begin with 1, with another. */
const WARM_SEED = 1_000_000;
const BESIDE_FILLED_SEED = 2_000_000;
const ROOMS_AN_INSTANCE = 8;

/** Figures of a run. */
interface ReplayFigures extends Figures {
  readonly partitions: number;
  readonly instances: number;
  readonly events: number;
  /** Replayed by the same processes before the clock started. */
  readonly warmEvents: number;
  readonly perSecond: number;
  readonly cpuMsPerEvent: number;
  /** The last thousand events against the first. */
  readonly lastToFirst: number;
  /** All files of the databases against the JSON of the events, those of the warm-up too; on PostgreSQL with what an empty database has, without the write-ahead log. Of databases that were filled before: by how much they grew. */
  readonly bytesToJson: number;
  readonly peakMb: number;
}

interface ReplayRow extends Row {
  readonly runs: readonly ReplayFigures[];
}

const spread = (name: keyof ReplayFigures, digits: number) => ({ runs }: ReplayRow): string => {
  const values = runs.map((run) => run[name]!);
  const [min, max] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
  return min === max ? min! : `${median(values).toFixed(digits)} (${min}-${max})`;
};

const COLUMNS: readonly Column<ReplayRow>[] = [
  { title: 'mode', text: ({ mode }) => mode },
  { title: 'process', text: ({ runs: [first] }) => (first!.warmEvents === 0 ? 'cold' : 'warm') },
  { title: 'partitions', text: ({ runs: [first] }) => String(first!.partitions) },
  { title: 'instances', text: ({ runs: [first] }) => String(first!.instances) },
  { title: 'events', text: ({ runs: [first] }) => String(first!.events) },
  { title: 'events/s', text: spread('perSecond', 0) },
  { title: 'CPU ms/event', text: spread('cpuMsPerEvent', 3) },
  { title: 'last/first 1000', text: ({ runs }) => median(runs.map(({ lastToFirst }) => lastToFirst)).toFixed(2) },
  { title: 'bytes/JSON', text: ({ runs }) => median(runs.map(({ bytesToJson }) => bytesToJson)).toFixed(2) },
  { title: 'peak MB', text: ({ runs }) => median(runs.map(({ peakMb }) => peakMb)).toFixed(0) },
];

/** Two rows for each case: by processes that have just started and, with `warmEvents`, by such as have replayed another history. */
export async function replayWorkload(options: ReplayOptions): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-replay-'));
  try {
    const file = options.file ?? makeFile(join(folder, 'history.ndjson'), { ...options, ...(options.filled !== undefined && { firstSeed: BESIDE_FILLED_SEED }) });
    const rows: ReplayRow[] = [];
    for (const mode of modes()) {
      if (!options.isWanted(mode.name)) continue;
      if (mode.missing !== undefined) {
        console.log(`NOT MEASURED: ${mode.name}: ${mode.missing} is not here`);
        continue;
      }
      for (const partitions of options.partitions) {
        for (const instances of mode.log.kind === 'embedded' ? [1] : options.instances) {
          console.log(`${mode.name}, ${partitions} partitions, ${instances} instances …`);
          const measuring = { ...options, file, partitions, instances };
          rows.push(await measure(mode, { ...measuring, warmFile: undefined }));
          if (options.warmEvents > 0) rows.push(await measure(mode, { ...measuring, warmFile: warmFile(folder, options, instances) }));
        }
      }
    }
    return { rows, table: table(COLUMNS, rows) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Wish extends Pick<ReplayOptions, 'events' | 'shape' | 'rooms' | 'roomVersion'> {
  readonly firstSeed?: number;
}

function makeFile(file: string, { events, shape, rooms, roomVersion: versionId, firstSeed = 1 }: Wish): string {
  const version = roomVersion(versionId);
  if (version === undefined) throw new Error(`there is no room version ${versionId}`);
  writeHistory(file, Array.from({ length: rooms }, (_, index) => makeHistory({ version, events: Math.ceil(events / rooms), shape, seed: firstSeed + index })));
  console.log(`made ${readLines(file).length} signed events of the shape "${shape}" in ${rooms === 1 ? 'a room' : `${rooms} rooms`} of version ${versionId}`);
  return file;
}

/** A history of other rooms than those that are measured, of the same shape. Several instances get so many rooms that each has some. */
function warmFile(folder: string, { warmEvents, rooms, ...wish }: ReplayOptions, instances: number): string {
  const file = join(folder, `warm-${instances}.ndjson`);
  if (existsSync(file)) return file;
  return makeFile(file, { ...wish, events: warmEvents, rooms: Math.max(rooms, instances === 1 ? 1 : ROOMS_AN_INSTANCE * instances), firstSeed: WARM_SEED });
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

type Measuring = Omit<ReplayOptions, 'partitions' | 'instances'> & { readonly file: string; readonly warmFile: string | undefined; readonly partitions: number; readonly instances: number };

async function measure(mode: ReplayMode, options: Measuring): Promise<ReplayRow> {
  const { partitions, instances, warmFile: before } = options;
  const warmEvents = before === undefined ? 0 : readLines(before).length;
  const jsonBytes = statSync(options.file).size + (before === undefined ? 0 : statSync(before).size);
  const runs: ReplayFigures[] = [];
  for (let run = 0; run < options.runs; run += 1) {
    const { events, seconds, cpuSeconds: ownCpu, othersCpuSeconds, firstMs, lastMs, bytes, peakMb } = await runOnce(mode, options);
    runs.push({
      partitions, instances, events, warmEvents, perSecond: Math.round(events / seconds), cpuMsPerEvent: rounded(((ownCpu + othersCpuSeconds) * 1000) / events, 3),
      lastToFirst: rounded(lastMs / firstMs), bytesToJson: rounded(bytes / jsonBytes), peakMb,
    });
  }
  return { mode: options.oneCore ? `${mode.name}, one core` : mode.name, what: `${instances} x ${partitions}${warmEvents > 0 ? ', warm' : ''}`, runs };
}

/** A new database, as many instances as wanted, one of which is fed. CPU of the others counts from the moment on at which the warm-up is over. */
async function runOnce(mode: ReplayMode, { file, warmFile: before, roomVersion: versionId, partitions, instances, oneCore, filled }: Measuring): Promise<ReplayReport & { othersCpuSeconds: number; bytes: number }> {
  // Read when the servers are there, whose addresses it takes from the environment.
  const { makePlace } = await import('../../test/e2e/modes.ts');
  const place = await makePlace(mode.postgres, filled);
  const url = place.env['MYELIN_DATABASE'];
  const settings: ReplaySettings = {
    log: mode.log, database: url === undefined ? { kind: 'sqlite' } : { kind: 'postgres', url }, dataDir: place.folder, logPrefix: place.env['MYELIN_LOG_PREFIX']!, partitions, file, warmFile: before,
    roomVersion: versionId, isFilled: filled !== undefined,
  };
  const bytes = (): number | Promise<number> => (url === undefined ? bytesIn(place.folder) : bytesOfDatabase(url));
  const bytesBefore = filled === undefined ? 0 : await bytes();
  const command = oneCore ? ONE_CORE : [];
  const others: RunningReplay[] = [];
  try {
    for (let index = 1; index < instances; index += 1) others.push(runReplay({ ...settings, file: undefined, warmFile: undefined }, command));
    for (const { begun } of others) await begun;
    const replay = runReplay(settings, command);
    await replay.begun;
    const othersCpuBefore = others.reduce((sum, { child }) => sum + cpuOf(child), 0);
    const report = await replay.report;
    if (report === undefined) throw new Error('the replay ended without a result');
    const othersCpuSeconds = others.reduce((sum, { child }) => sum + cpuOf(child), -othersCpuBefore);
    return { ...report, othersCpuSeconds, bytes: (await bytes()) - bytesBefore };
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
