/** `join`: thousands of users here join one room, one after the other: what the first of them wait and take, and the last. */
import { performance } from 'node:perf_hooks';
import { gatherUsers, joinAll, joinRoom, openRoom, type CrowdUser } from '../crowd.ts';
import { startCrowdPlace, type RunningPlace } from '../crowd-place.ts';
import { Connection } from '../http-client.ts';
import { residentMb } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { median, quantile, rounded } from '../statistics.ts';
import { cpuCostOf, type CpuCost, type ServerMode } from '../subject.ts';

export interface Joins {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU of the server's processes for one join, and with the database's. */
  readonly cpuMsPerJoin: number;
  readonly withDatabaseCpuMsPerJoin: number;
}

export interface JoinResult {
  readonly mode: string;
  readonly users: number;
  readonly first: Joins;
  readonly last: Joins;
  /** Of those between, by 16 connections. */
  readonly between: { readonly perSecond: number; readonly cpuMsPerJoin: number; readonly withDatabaseCpuMsPerJoin: number };
  readonly peakMb: number;
}

/** So many at each end are measured, one after the other. */
const MEASURED = 500;
const WARM_JOINS = 200;

export const joinColumns: readonly Column<JoinResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'users', text: (row) => String(row.users) },
  ...joinsColumns('first', ({ first }) => first),
  { title: 'between /s', text: (row) => row.between.perSecond.toFixed(0) },
  { title: 'CPU ms/join', text: (row) => row.between.cpuMsPerJoin.toFixed(2) },
  { title: 'with database', text: (row) => row.between.withDatabaseCpuMsPerJoin.toFixed(2) },
  ...joinsColumns('last', ({ last }) => last),
  { title: 'peak MB', text: (row) => row.peakMb.toFixed(0) },
];

function joinsColumns(name: string, of: (row: JoinResult) => Joins): Column<JoinResult>[] {
  return [
    { title: `${name} p50 ms`, text: (row) => of(row).p50Ms.toFixed(2) },
    { title: 'p99 ms', text: (row) => of(row).p99Ms.toFixed(2) },
    { title: 'CPU ms/join', text: (row) => of(row).cpuMsPerJoin.toFixed(2) },
    { title: 'with database', text: (row) => of(row).withDatabaseCpuMsPerJoin.toFixed(2) },
  ];
}

/** Each run fills a room of its own. */
export async function joinWorkload(mode: ServerMode, options: { runs: number; users: number }): Promise<JoinResult> {
  const place = await startCrowdPlace(mode);
  try {
    const users = await gatherUsers(place, options.users);
    await joinAll(place, users.slice(0, WARM_JOINS), await roomFor(place, users[0]!));
    const runs: Omit<JoinResult, 'mode' | 'users' | 'peakMb'>[] = [];
    for (let run = 0; run < options.runs; run += 1) runs.push(await fillRoom(place, users));
    const peakMb = place.programs.reduce((sum, { pid }) => sum + residentMb(pid).peak, 0);
    const middle = (figure: keyof JoinResult['between']): number => median(runs.map((run) => run.between[figure]));
    const between = { perSecond: middle('perSecond'), cpuMsPerJoin: middle('cpuMsPerJoin'), withDatabaseCpuMsPerJoin: middle('withDatabaseCpuMsPerJoin') };
    return { mode: mode.name, users: options.users, first: medians(runs.map(({ first }) => first)), last: medians(runs.map(({ last }) => last)), between, peakMb: rounded(peakMb, 0) };
  } finally {
    await place.stop();
  }
}

async function roomFor(place: RunningPlace, user: CrowdUser): Promise<() => string> {
  const roomId = await openRoom(place, user);
  return () => roomId;
}

async function fillRoom(place: RunningPlace, [creator, ...users]: readonly CrowdUser[]): Promise<Omit<JoinResult, 'mode' | 'users' | 'peakMb'>> {
  const roomId = await openRoom(place, creator!);
  const measured = Math.min(MEASURED, Math.floor(users.length / 3));
  const first = await joinOneByOne(place, users.slice(0, measured), roomId);
  const many = users.slice(measured, -measured);
  let seconds = 0;
  const cost = await cpuCostOf(place, async () => {
    const began = performance.now();
    await joinAll(place, many, () => roomId);
    seconds = (performance.now() - began) / 1000;
    return { events: many.length };
  });
  const between = { perSecond: rounded(many.length / seconds, 0), ...cpuOf(cost) };
  return { first, between, last: await joinOneByOne(place, users.slice(-measured), roomId) };
}

async function joinOneByOne(place: RunningPlace, users: readonly CrowdUser[], roomId: string): Promise<Joins> {
  const connection = await Connection.open(place.baseUrl);
  const latencies: number[] = [];
  const cost = await cpuCostOf(place, async () => {
    for (const user of users) {
      const began = performance.now();
      await joinRoom(connection, user, roomId);
      latencies.push(performance.now() - began);
    }
    return { events: users.length };
  });
  connection.close();
  return { p50Ms: rounded(median(latencies)), p99Ms: rounded(quantile(latencies, 0.99)), ...cpuOf(cost) };
}

function cpuOf(cost: CpuCost): Pick<Joins, 'cpuMsPerJoin' | 'withDatabaseCpuMsPerJoin'> {
  return { cpuMsPerJoin: rounded(cost.cpuMsPerEvent, 3), withDatabaseCpuMsPerJoin: rounded(cost.withDatabaseCpuMsPerEvent, 3) };
}

function medians(runs: readonly Joins[]): Joins {
  const of = (field: keyof Joins): number => median(runs.map((run) => run[field]));
  return { p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), cpuMsPerJoin: of('cpuMsPerJoin'), withDatabaseCpuMsPerJoin: of('withDatabaseCpuMsPerJoin') };
}
