/**
 * The process that a replay runs in: a homeserver, fed with a history until its read model has the last event. Begins where an earlier one was killed, or, with a history to warm up with, on an empty
 * database. Settings come as JSON in the first argument; what it found goes out as one line of JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from '../../schemas/config/settings.ts';
import { feed, type LastEvents } from './feed.ts';
import { readKeys, readLines } from './history-file.ts';
import { startServerHere, type ServerHere } from './server-here.ts';
import { untilRead } from './until-read.ts';

export interface ReplaySettings extends Pick<Settings, 'log' | 'database' | 'dataDir' | 'logPrefix' | 'partitions'> {
  /** undefined: this instance works and feeds nothing, until it is told to end. */
  readonly file: string | undefined;
  /** Another history, of other rooms, that is replayed before anything is measured. */
  readonly warmFile?: string | undefined;
  readonly roomVersion: string;
  /** There are events of other rooms in the database before anything is replayed. */
  readonly isFilled?: boolean;
  /** Says on its output how many events have been read. */
  readonly tellsProgress?: boolean;
}

export interface ReplayReport {
  readonly events: number;
  /** Events of the history that were there before, by a replay that was killed. */
  readonly skipped: number;
  readonly accepted: number;
  readonly seconds: number;
  /** Of this process and its threads. */
  readonly cpuSeconds: number;
  /** How long the first and the last thousand events took, in ms. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly peakMb: number;
}

const LOOK_EVERY_MS = 5;
const STRETCH = 1000;

const settings = JSON.parse(process.argv[2]!) as ReplaySettings;
const server = await startServerHere(settings);
if (settings.file === undefined) {
  console.log('ready');
  process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
} else {
  await warmUp(settings.warmFile);
  console.log('begun');
  console.log(JSON.stringify(await replay(settings.file)));
  await server.stop();
  process.exit(0);
}

/** Until all who read have read it: what they had left to do would be measured. */
async function warmUp(file: string | undefined): Promise<void> {
  if (file === undefined) return;
  if (settings.isFilled !== true && (await knownEvents(server)) > 0) throw new Error('only a replay on an empty database can warm up: what is there may be of a replay that was killed');
  await untilRead(server, await feedFrom(file, readLines(file)), ['syncapi', 'federationapi']);
}

function feedFrom(file: string, lines: readonly string[]): Promise<LastEvents> {
  const keys = readKeys(file);
  return feed(server, { lines, keys, roomVersion: keys?.roomVersion ?? settings.roomVersion, partitions: settings.partitions });
}

async function replay(file: string): Promise<ReplayReport> {
  const lines = readLines(file);
  const rooms = [...new Set(lines.flatMap((line) => (JSON.parse(line) as { room_id?: string }).room_id ?? []))];
  const [skipped, acceptedBefore] = settings.warmFile === undefined && settings.isFilled !== true ? [await knownEvents(server), 0] : [0, await acceptedEvents(server)];
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const progress: { atMs: number; events: number }[] = [{ atMs: 0, events: 0 }];
  let over = false;
  const watching = watch(server, rooms, () => over, (events) => {
    if (settings.tellsProgress === true && events - skipped > progress.at(-1)!.events) console.log(`read ${events - skipped}`);
    progress.push({ atMs: performance.now() - startedAt, events: events - skipped });
  });
  const last = await feedFrom(file, lines.slice(skipped));
  await untilRead(server, last);
  const seconds = (performance.now() - startedAt) / 1000;
  over = true;
  await watching;
  const { user, system } = process.cpuUsage(cpuBefore);
  const accepted = (await acceptedEvents(server)) - acceptedBefore;
  progress.push({ atMs: seconds * 1000, events: lines.length - skipped });
  return {
    events: lines.length, skipped, accepted, seconds, cpuSeconds: (user + system) / 1e6, peakMb: process.resourceUsage().maxRSS / 1024,
    firstMs: timeAt(progress, STRETCH), lastMs: seconds * 1000 - timeAt(progress, lines.length - skipped - STRETCH),
  };
}

/** Inputs of a partition are carried out in order: what is known is the beginning of the file. */
function knownEvents({ databases }: ServerHere): Promise<number> {
  return count({ databases }, 'state_id IS NOT NULL');
}

function acceptedEvents({ databases }: ServerHere): Promise<number> {
  return count({ databases }, 'rejected = 0 AND soft_failed = 0 AND state_id IS NOT NULL');
}

async function count({ databases }: Pick<ServerHere, 'databases'>, where: string): Promise<number> {
  const [row] = await databases.roomserver.query<{ n: number }>(`SELECT COUNT(*) AS n FROM events WHERE ${where}`);
  return row!.n;
}

/** How far the read model is in these rooms, again and again. */
async function watch({ databases }: ServerHere, rooms: readonly string[], isOver: () => boolean, note: (events: number) => void): Promise<void> {
  while (!isOver()) {
    const rows = await databases.syncapi.queryIn<{ last: number }>('SELECT last_order_key AS last FROM rooms WHERE room_id IN (??)', [], rooms);
    note(rows.reduce((sum, { last }) => sum + last, 0));
    await sleep(LOOK_EVERY_MS);
  }
}

/** When so many events were read, between the two looks before and after. */
function timeAt(progress: readonly { atMs: number; events: number }[], events: number): number {
  const after = progress.findIndex((point) => point.events >= events);
  const [one, other] = [progress[Math.max(0, after - 1)]!, progress[after] ?? progress.at(-1)!];
  return other.events === one.events ? other.atMs : one.atMs + ((other.atMs - one.atMs) * (events - one.events)) / (other.events - one.events);
}
