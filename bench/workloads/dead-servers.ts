/**
 * `dead-servers`: what 1,000 servers that are gone cost, beside nothing at all: idle, and with a message a second in a room that all of them are in; gone for days, and in the first
 * minutes after they have gone all at once. Half of them refuse connections, the others take
 * them and say nothing. They are written into the tables as if they had been in the room for long.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { destinationPartition } from '../../components/federationapi/sender/destination.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { SqlValue } from '../../pkg/storage/database.ts';
import { newRoom, register, V3 } from '../../test/e2e/api-client.ts';
import { ok } from '../../test/e2e/federation-rooms.ts';
import { startProgram, type Program } from '../../test/e2e/program.ts';
import { freePort } from '../../test/kit/servers/server-process.ts';
import { cpuSeconds } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { rounded } from '../statistics.ts';
import { Connection } from '../http-client.ts';

/** What has become of the servers, and when it is measured. */
type Phase = 'none' | 'gone for three days' | 'just gone, first tries' | 'just gone, first minute' | 'just gone, third minute';
type State = 'none' | 'gone for three days' | 'just gone';

export interface DeadServersResult {
  readonly servers: Phase;
  readonly messages: 'none' | 'one' | 'one a second';
  readonly seconds: number;
  /** Of one core, in percent. */
  readonly corePercent: number;
  /** How often any of them was tried, a second. */
  readonly triesPerSecond: number;
  /** What a try costs, in ms of a core, beside what the same costs without these servers; undefined where there were too few. */
  readonly msPerTry: number | undefined;
}

export const deadServersColumns: readonly Column<DeadServersResult>[] = [
  { title: '1,000 dead servers', text: (row) => row.servers },
  { title: 'messages', text: (row) => row.messages },
  { title: 'seconds', text: (row) => row.seconds.toFixed(0) },
  { title: '% of a core', text: (row) => row.corePercent.toFixed(2) },
  { title: 'tries/s', text: (row) => row.triesPerSecond.toFixed(2) },
  { title: 'CPU ms a try', text: (row) => row.msPerTry?.toFixed(2) ?? '' },
];

const OF_EACH_KIND = 500;
/** Rooms that they have missed events of. */
const ROOMS = 20;
const PARTITIONS = 32;
/** Of each measurement, at least: a hundredth of a core is read off in steps of 10 ms. */
const SECONDS_MIN = 60;
/** After the start. */
const SETTLE_MS = 10_000;
const HOUR_MS = 3_600_000;
const FIRST_TRIES_MS_MAX = 120_000;
/** With fewer, what a try costs is lost in what all else does. */
const TRIES_MIN = 100;

export async function deadServersWorkload(options: { seconds: number }): Promise<DeadServersResult[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'myelin-bench-'));
  const silent = await listenSilently();
  const port = await freePort();
  const env = {
    MYELIN_SERVER_NAME: `localhost:${port}`, MYELIN_DATA_DIR: dataDir, MYELIN_REGISTRATION: 'open', MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on', MYELIN_RATE_LIMITS: 'off', MYELIN_LOG_LEVEL: 'error',
    MYELIN_FEDERATION_IP_ALLOWED: '127.0.0.0/8',
  };
  const seconds = Math.max(SECONDS_MIN, options.seconds);
  try {
    const program = await startProgram({ port, env });
    const user = await register(program.baseUrl);
    const room = { token: user.token, roomId: decodeURIComponent(await newRoom(user)) };
    // The room knows nothing of these servers, and what they may not see is not sent to them.
    await ok(user.call('PUT', `${V3}/rooms/${encodeURIComponent(room.roomId)}/state/m.room.history_visibility/`, { history_visibility: 'world_readable' }));
    const names = [...namesAt(1, await freePort()), ...namesAt(2, silent.port)];
    const begin = async (state: State): Promise<void> => {
      await program.stop();
      await writeState(join(dataDir, 'federationapi.db'), state, { names, roomId: room.roomId });
      await program.restart();
      await sleep(SETTLE_MS);
    };
    const measured: Measured[] = [];
    const measureFor = async (servers: Phase, messages: 'none' | 'one a second'): Promise<void> => {
      measured.push({ servers, messages, ...(await measure(program, () => eachSecond(program, messages === 'none' ? undefined : room, seconds))) });
    };
    for (const state of ['none', 'gone for three days'] as const) {
      await begin(state);
      for (const messages of ['none', 'one a second'] as const) await measureFor(state, messages);
    }
    await begin('just gone');
    measured.push({ servers: 'just gone, first tries', messages: 'one', ...(await measure(program, () => tryAll(program, room))) });
    await measureFor('just gone, first minute', 'none');
    await eachSecond(program, undefined, seconds);
    await measureFor('just gone, third minute', 'one a second');
    await program.stop();
    return withPrice(measured);
  } finally {
    silent.server.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

type Measured = Omit<DeadServersResult, 'msPerTry'>;

/** With what a try costs, where there were enough. */
function withPrice(measured: readonly Measured[]): DeadServersResult[] {
  const before = new Map(measured.filter(({ servers }) => servers === 'none').map((one) => [one.messages, one.corePercent]));
  return measured.map((one) => {
    const more = one.corePercent - (before.get(one.messages) ?? before.get('none')!);
    return { ...one, msPerTry: one.triesPerSecond * one.seconds < TRIES_MIN ? undefined : rounded((more * 10) / one.triesPerSecond) };
  });
}

/** Each an address of its own, all of them this machine's. */
function namesAt(network: number, port: number): string[] {
  return Array.from({ length: OF_EACH_KIND }, (_, index) => `127.${network}.${index >> 7}.${(index & 127) + 1}:${port}`);
}

async function listenSilently(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => void socket.on('error', () => undefined));
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '0.0.0.0', resolve));
  return { server, port };
}

async function writeState(path: string, state: State, { names, roomId }: { names: readonly string[]; roomId: string }): Promise<void> {
  if (state === 'none') return;
  const database = await openSqlite({ path });
  const [nowMs, isLong] = [Date.now(), state === 'gone for three days'];
  const [hosts, marks, failing]: SqlValue[][][] = [[], [], []];
  for (const [index, name] of names.entries()) {
    const partition = destinationPartition(name, PARTITIONS);
    hosts!.push([roomId, name, 1]);
    for (let room = 0; isLong && room < ROOMS; room += 1) marks!.push([room === 0 ? roomId : `!missed${room}`, name, partition, '', nowMs - 72 * HOUR_MS]);
    if (isLong) failing!.push([name, partition, 80, HOUR_MS, nowMs - HOUR_MS, nowMs + Math.round((HOUR_MS * index) / names.length), nowMs - 72 * HOUR_MS]);
  }
  await database.transaction(async (tx) => {
    for (const table of ['destinations', 'destination_rooms', 'destination_queue']) await tx.run(`DELETE FROM ${table}`);
    await tx.insertMany({ into: 'joined_hosts', columns: ['room_id', 'server_name', 'members'], rows: hosts!, onConflict: 'ON CONFLICT (room_id, server_name) DO NOTHING' });
    await tx.insertMany({ into: 'destination_rooms', columns: ['room_id', 'destination', 'partition', 'resolving', 'marked_at'], rows: marks! });
    await tx.insertMany({ into: 'destinations', columns: ['server_name', 'partition', 'failures', 'pause_ms', 'paused_at', 'retry_at', 'failing_since'], rows: failing! });
  });
  await database.close();
}

interface Place {
  readonly token: string;
  readonly roomId: string;
}

/** A message a second, or none without a place. */
async function eachSecond(program: Program, place: Place | undefined, seconds: number): Promise<void> {
  const connection = await Connection.open(program.baseUrl);
  const began = performance.now();
  for (let second = 1; second <= seconds; second += 1) {
    await sleep(Math.max(0, second * 1000 - (performance.now() - began)));
    if (place !== undefined) await say(connection, place, `${began}-${second}`);
  }
  connection.close();
}

/** A message, and until every server was tried. */
async function tryAll(program: Program, place: Place): Promise<void> {
  const connection = await Connection.open(program.baseUrl);
  const before = await triesOf(program);
  await say(connection, place, 'first');
  connection.close();
  for (const endsAt = performance.now() + FIRST_TRIES_MS_MAX; performance.now() < endsAt && (await triesOf(program)) - before < 2 * OF_EACH_KIND;) await sleep(250);
}

async function say(connection: Connection, { token, roomId }: Place, txnId: string): Promise<void> {
  const { status } = await connection.request('PUT', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${txnId}`, { token, body: '{"msgtype":"m.text","body":"hello"}' });
  if (status !== 200) throw new Error(`a send was answered with ${status}`);
}

async function measure(program: Program, work: () => Promise<void>): Promise<Pick<DeadServersResult, 'seconds' | 'corePercent' | 'triesPerSecond'>> {
  const tried = await triesOf(program);
  const [cpu, began] = [cpuSeconds(program.pid), performance.now()];
  await work();
  const seconds = (performance.now() - began) / 1000;
  const used = cpuSeconds(program.pid) - cpu;
  return { seconds: rounded(seconds, 1), corePercent: rounded((100 * used) / seconds), triesPerSecond: rounded(((await triesOf(program)) - tried) / seconds) };
}

async function triesOf({ baseUrl }: Program): Promise<number> {
  const text = await (await fetch(`${baseUrl}/metrics`)).text();
  return [...text.matchAll(/^myelin_federation_transactions_total\{[^}]*\} (\S+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}
