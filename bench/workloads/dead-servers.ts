/**
 * `dead-servers`: what 1,000 servers that are gone cost, beside nothing at all: idle, and with a message a second in a room that all of them are in. Half of them refuse connections, the others take
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

const STATES = ['none', 'gone for three days', 'gone since now'] as const;
type State = (typeof STATES)[number];

export interface DeadServersResult {
  readonly servers: State;
  readonly messages: 'none' | 'one a second';
  /** Of one core, in percent. */
  readonly corePercent: number;
  /** How often any of them was tried, a second. */
  readonly triesPerSecond: number;
}

export const deadServersColumns: readonly Column<DeadServersResult>[] = [
  { title: '1,000 dead servers', text: (row) => row.servers },
  { title: 'messages', text: (row) => row.messages },
  { title: '% of a core', text: (row) => row.corePercent.toFixed(2) },
  { title: 'tries/s', text: (row) => row.triesPerSecond.toFixed(2) },
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
    const results: DeadServersResult[] = [];
    for (const state of STATES) {
      await program.stop();
      await writeState(join(dataDir, 'federationapi.db'), state, { names, roomId: room.roomId });
      await program.restart();
      await sleep(SETTLE_MS);
      for (const messages of ['none', 'one a second'] as const) results.push({ servers: state, messages, ...(await measure(program, messages === 'none' ? undefined : room, seconds)) });
    }
    await program.stop();
    return results;
  } finally {
    silent.server.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
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

async function measure(program: Program, room: { token: string; roomId: string } | undefined, seconds: number): Promise<Pick<DeadServersResult, 'corePercent' | 'triesPerSecond'>> {
  const connection = await Connection.open(program.baseUrl);
  const tried = await triesOf(program);
  const [cpu, began] = [cpuSeconds(program.pid), performance.now()];
  for (let second = 1; second <= seconds; second += 1) {
    await sleep(Math.max(0, second * 1000 - (performance.now() - began)));
    if (room === undefined) continue;
    const { status } = await connection.request('PUT', `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}/send/m.room.message/${began}-${second}`, { token: room.token, body: '{"msgtype":"m.text","body":"hello"}' });
    if (status !== 200) throw new Error(`a send was answered with ${status}`);
  }
  const took = (performance.now() - began) / 1000;
  const used = cpuSeconds(program.pid) - cpu;
  connection.close();
  return { corePercent: rounded((100 * used) / took), triesPerSecond: rounded(((await triesOf(program)) - tried) / took) };
}

async function triesOf({ baseUrl }: Program): Promise<number> {
  const text = await (await fetch(`${baseUrl}/metrics`)).text();
  return [...text.matchAll(/^myelin_federation_transactions_total\{[^}]*\} (\S+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}
