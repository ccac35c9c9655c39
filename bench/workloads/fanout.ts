/** `fanout`: one room of 5,000 users here, of whom 50, 500 and all wait in /sync: how long a message takes to be answered and to be with all who wait, and what a join into that room takes. */
import { performance } from 'node:perf_hooks';
import { startCrowdPlace, type RunningPlace } from '../crowd-place.ts';
import { gatherUsers, joinAll, joinRoom, openRoom, sendMessage, untilIdle, type CrowdUser } from '../crowd.ts';
import { Connection } from '../http-client.ts';
import { residentMb } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { median, quantile, rounded } from '../statistics.ts';
import { cpuCostOf, type ServerMode } from '../subject.ts';
import { startSyncing, type SyncingCrowd } from '../syncing-crowd.ts';

export interface FanoutResult {
  readonly mode: string;
  readonly users: number;
  /** How many sync. */
  readonly syncing: string;
  readonly sends: number;
  /** Until the send is answered. */
  readonly send: { readonly p50Ms: number; readonly p99Ms: number };
  /** Until the last of those who sync has the message. */
  readonly all: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  /** Of the server's processes for one message: until nothing is done for it any more, all clients' next questions included. */
  readonly cpuMsPerSend: number;
  readonly withDatabaseCpuMsPerSend: number;
  readonly join: { readonly p50Ms: number; readonly p99Ms: number; readonly withDatabaseCpuMsPerJoin: number };
  readonly peakMb: number;
}

export const fanoutColumns: readonly Column<FanoutResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'users', text: (row) => String(row.users) },
  { title: 'syncing', text: (row) => row.syncing },
  { title: 'sends', text: (row) => String(row.sends) },
  { title: 'send p50 ms', text: (row) => row.send.p50Ms.toFixed(1) },
  { title: 'p99', text: (row) => row.send.p99Ms.toFixed(1) },
  { title: 'all have it p50 ms', text: (row) => row.all.p50Ms.toFixed(1) },
  { title: 'p99', text: (row) => row.all.p99Ms.toFixed(1) },
  { title: 'max', text: (row) => row.all.maxMs.toFixed(1) },
  { title: 'CPU ms/send', text: (row) => row.cpuMsPerSend.toFixed(1) },
  { title: 'with database', text: (row) => row.withDatabaseCpuMsPerSend.toFixed(1) },
  { title: 'join p50 ms', text: (row) => row.join.p50Ms.toFixed(1) },
  { title: 'p99', text: (row) => row.join.p99Ms.toFixed(1) },
  { title: 'CPU ms/join with database', text: (row) => row.join.withDatabaseCpuMsPerJoin.toFixed(1) },
  { title: 'peak MB', text: (row) => row.peakMb.toFixed(0) },
];

/** For each number of syncing users, which part of the messages one run has. */
const PARTS: readonly (readonly [syncing: number, part: number])[] = [[50, 1], [500, 0.3], [Infinity, 0.1]];
const WARM_SENDS = 5;
/** Of each run, by users who are new to the room. */
const JOINS = 20;

/** One row for each number of users who sync. */
export async function fanoutWorkload(mode: ServerMode, options: { runs: number; users: number; sends: number }): Promise<FanoutResult[]> {
  const place = await startCrowdPlace(mode);
  try {
    const users = await gatherUsers(place, options.users);
    const roomId = await openRoom(place, users[0]!);
    await joinAll(place, users.slice(1), () => roomId);
    const results: FanoutResult[] = [];
    for (const [syncing, part] of PARTS) {
      const count = Math.min(syncing, users.length);
      if (results.some((result) => result.syncing === titleOf(count))) continue;
      const sends = Math.max(1, Math.round(options.sends * part));
      const newcomers = await gatherUsers(place, options.runs * JOINS, `newcomer${count}_`);
      const crowd = await startSyncing(place.baseUrl, users.slice(-count));
      const room: Room = { place, roomId, sender: users[0]!, crowd, syncing: count };
      const runs: Run[] = [];
      try {
        await untilIdle(place.programs);
        await sendSome(room, Math.min(WARM_SENDS, sends));
        for (let run = 0; run < options.runs; run += 1) runs.push({ ...(await sendSome(room, sends)), ...(await joinSome(room, newcomers.slice(run * JOINS, (run + 1) * JOINS))) });
      } finally {
        await crowd.close();
      }
      await untilIdle(place.programs);
      results.push({ mode: mode.name, users: users.length, syncing: titleOf(count), ...summary(runs), peakMb: rounded(place.programs.reduce((sum, { pid }) => sum + residentMb(pid).peak, 0), 0) });
    }
    return results;
  } finally {
    await place.stop();
  }
}

function titleOf(syncing: number): string {
  return `${syncing} sync`;
}

interface Room {
  readonly place: RunningPlace;
  readonly roomId: string;
  readonly sender: CrowdUser;
  readonly crowd: SyncingCrowd;
  readonly syncing: number;
}

interface Sent {
  readonly sends: number[];
  readonly alls: number[];
  readonly cpuMsPerSend: number;
  readonly withDatabaseCpuMsPerSend: number;
}

interface Run extends Sent {
  readonly joins: number[];
  readonly withDatabaseCpuMsPerJoin: number;
}

let lastMark = 0;

/** Each when all have had the one before and wait again. */
async function sendSome({ place, roomId, sender, crowd, syncing }: Room, count: number): Promise<Sent> {
  const connection = await Connection.open(place.baseUrl);
  const [sends, alls]: [number[], number[]] = [[], []];
  const { cpuMsPerEvent: cpuMsPerSend, withDatabaseCpuMsPerEvent: withDatabaseCpuMsPerSend } = await cpuCostOf(place, async () => {
    for (let number = 0; number < count; number += 1) {
      const mark = (lastMark += 1);
      const delivered = crowd.delivered(mark, syncing);
      const began = performance.now();
      await sendMessage(connection, sender, { roomId, txnId: `m${mark}`, content: { msgtype: 'm.text', body: `message ${mark}`, mark } });
      sends.push(performance.now() - began);
      alls.push(Math.max(...(await delivered)));
      await untilIdle(place.programs);
    }
    return { events: count };
  });
  connection.close();
  return { sends, alls, cpuMsPerSend, withDatabaseCpuMsPerSend };
}

async function joinSome({ place, roomId }: Room, newcomers: readonly CrowdUser[]): Promise<Pick<Run, 'joins' | 'withDatabaseCpuMsPerJoin'>> {
  const connection = await Connection.open(place.baseUrl);
  const joins: number[] = [];
  const { withDatabaseCpuMsPerEvent } = await cpuCostOf(place, async () => {
    for (const user of newcomers) {
      const began = performance.now();
      await joinRoom(connection, user, roomId);
      joins.push(performance.now() - began);
      await untilIdle(place.programs);
    }
    return { events: newcomers.length };
  });
  connection.close();
  return { joins, withDatabaseCpuMsPerJoin: withDatabaseCpuMsPerEvent };
}

/** Medians of what each run says, as elsewhere; the longest of all. */
function summary(runs: readonly Run[]): Pick<FanoutResult, 'sends' | 'send' | 'all' | 'cpuMsPerSend' | 'withDatabaseCpuMsPerSend' | 'join'> {
  const middle = (of: (run: Run) => number): number => rounded(median(runs.map(of)));
  const edges = (of: (run: Run) => readonly number[]): { p50Ms: number; p99Ms: number } => ({ p50Ms: middle((run) => median(of(run))), p99Ms: middle((run) => quantile(of(run), 0.99)) });
  return {
    sends: runs.reduce((sum, run) => sum + run.sends.length, 0),
    send: edges((run) => run.sends),
    all: { ...edges((run) => run.alls), maxMs: rounded(Math.max(...runs.flatMap((run) => run.alls))) },
    cpuMsPerSend: middle((run) => run.cpuMsPerSend), withDatabaseCpuMsPerSend: middle((run) => run.withDatabaseCpuMsPerSend),
    join: { ...edges((run) => run.joins), withDatabaseCpuMsPerJoin: middle((run) => run.withDatabaseCpuMsPerJoin) },
  };
}
