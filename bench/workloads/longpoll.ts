/** `longpoll`: 1,000 and 10,000 clients that wait in /sync, in rooms of ten: what memory and what share of a core they take, and how soon they have 50 messages a second. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCrowdPlace, type RunningPlace } from '../crowd-place.ts';
import { gatherUsers, joinAll, openRoom, sendMessage, untilIdle, type CrowdUser } from '../crowd.ts';
import { Connection } from '../http-client.ts';
import { residentMb } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { median, quantile, rounded } from '../statistics.ts';
import { cpuCostOf, type ServerMode } from '../subject.ts';
import { startSyncing, type SyncingCrowd } from '../syncing-crowd.ts';

export interface LongPollResult {
  readonly mode: string;
  readonly clients: string;
  /** Of the server's processes, before the first client waits and when all do. */
  readonly beforeMb: number;
  readonly waitingMb: number;
  /** Share of a core while nothing happens but that waits end and begin anew, in per cent. */
  readonly idlePercent: number;
  /** From a message's send until one who waits has it; medians of the runs. */
  readonly delivery: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  readonly sendP50Ms: number;
  /** Share of a core at that pace, in per cent, and with the database's. */
  readonly busyPercent: number;
  readonly withDatabaseBusyPercent: number;
  readonly peakMb: number;
}

export const longPollColumns: readonly Column<LongPollResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'clients', text: (row) => row.clients },
  { title: 'MB before', text: (row) => row.beforeMb.toFixed(0) },
  { title: 'MB waiting', text: (row) => row.waitingMb.toFixed(0) },
  { title: 'idle %', text: (row) => row.idlePercent.toFixed(1) },
  { title: 'delivery p50 ms', text: (row) => row.delivery.p50Ms.toFixed(1) },
  { title: 'p99', text: (row) => row.delivery.p99Ms.toFixed(1) },
  { title: 'max', text: (row) => row.delivery.maxMs.toFixed(1) },
  { title: 'send p50 ms', text: (row) => row.sendP50Ms.toFixed(1) },
  { title: 'busy %', text: (row) => row.busyPercent.toFixed(1) },
  { title: 'with database', text: (row) => row.withDatabaseBusyPercent.toFixed(1) },
  { title: 'peak MB', text: (row) => row.peakMb.toFixed(0) },
];

const ROOM_SIZE = 10;
const PER_SECOND = 50;
const WARM_SECONDS = 5;
/** Longer than one wait of a client lasts. */
const IDLE_SECONDS = 40;

/** One row for each number of clients. */
export async function longPollWorkload(mode: ServerMode, options: { runs: number; seconds: number; clients: readonly number[] }): Promise<LongPollResult[]> {
  const place = await startCrowdPlace(mode);
  const results: LongPollResult[] = [];
  try {
    for (const clients of options.clients) results.push({ mode: mode.name, clients: `${clients} clients`, ...(await measureClients(place, clients, options)) });
  } finally {
    await place.stop();
  }
  return results;
}

interface Waiting {
  readonly place: RunningPlace;
  readonly crowd: SyncingCrowd;
  /** Of each room, who created it. */
  readonly senders: readonly { readonly user: CrowdUser; readonly roomId: string }[];
}

async function measureClients(place: RunningPlace, clients: number, { runs, seconds }: { runs: number; seconds: number }): Promise<Omit<LongPollResult, 'mode' | 'clients'>> {
  const users = await gatherUsers(place, clients, `of${clients}_`);
  const senders: { user: CrowdUser; roomId: string }[] = [];
  for (let index = 0; index < clients; index += ROOM_SIZE) senders.push({ user: users[index]!, roomId: await openRoom(place, users[index]!) });
  await joinAll(place, users, (index) => senders[Math.floor(index / ROOM_SIZE)]!.roomId);
  await untilIdle(place.programs);
  const beforeMb = memory(place, 'now');
  const crowd = await startSyncing(place.baseUrl, users);
  try {
    return { beforeMb, ...(await measureWaiting({ place, crowd, senders }, { runs, seconds })) };
  } finally {
    await crowd.close();
    await untilIdle(place.programs);
  }
}

async function measureWaiting(waiting: Waiting, { runs, seconds }: { runs: number; seconds: number }): Promise<Omit<LongPollResult, 'mode' | 'clients' | 'beforeMb'>> {
  const { place } = waiting;
  await untilIdle(place.programs);
  const { percent: idlePercent } = await shareOf(place, () => sleep(IDLE_SECONDS * 1000));
  const waitingMb = memory(place, 'now');
  await sendFor(waiting, WARM_SECONDS);
  const sent: Sent[] = [];
  const busy = await shareOf(place, async () => {
    for (let run = 0; run < runs; run += 1) sent.push(await sendFor(waiting, seconds));
  });
  const of = (q: number): number => rounded(median(sent.map(({ deliveries }) => quantile(deliveries, q))));
  return {
    waitingMb, idlePercent, delivery: { p50Ms: of(0.5), p99Ms: of(0.99), maxMs: rounded(Math.max(...sent.map(({ deliveries }) => quantile(deliveries, 1)))) },
    sendP50Ms: rounded(median(sent.flatMap(({ sends }) => sends))), busyPercent: busy.percent, withDatabaseBusyPercent: busy.withDatabase, peakMb: memory(place, 'peak'),
  };
}

interface Sent {
  readonly sends: number[];
  readonly deliveries: number[];
}

let lastMark = 0;

/** At an even pace, however long the answers take. */
async function sendFor({ place, crowd, senders }: Waiting, seconds: number): Promise<Sent> {
  const connections: Connection[] = [];
  const [sends, deliveries]: [number[], Promise<number[]>[]] = [[], []];
  const sending: Promise<void>[] = [];
  const began = performance.now();
  for (let number = 0; number < seconds * PER_SECOND; number += 1) {
    const dueIn = began + (number * 1000) / PER_SECOND - performance.now();
    if (dueIn > 0) await sleep(dueIn);
    const mark = (lastMark += 1);
    const { user, roomId } = senders[mark % senders.length]!;
    const startedAt = performance.now();
    deliveries.push(crowd.delivered(mark, ROOM_SIZE));
    const connection = connections.pop() ?? (await Connection.open(place.baseUrl));
    sending.push(sendMessage(connection, user, { roomId, txnId: `m${mark}`, content: { msgtype: 'm.text', body: `message ${mark}`, mark } }).then(() => {
      sends.push(performance.now() - startedAt);
      connections.push(connection);
    }));
  }
  await Promise.all(sending);
  const latencies = (await Promise.all(deliveries)).flat();
  for (const connection of connections) connection.close();
  return { sends, deliveries: latencies };
}

/** The share of a core that the server's processes take meanwhile, in per cent, and with the database's. */
async function shareOf(place: RunningPlace, work: () => Promise<unknown>): Promise<{ percent: number; withDatabase: number }> {
  const cost = await cpuCostOf(place, async () => {
    const began = performance.now();
    await work();
    // Milliseconds of CPU for each tenth of a second are hundredths of a core.
    return { events: (performance.now() - began) / 100 };
  });
  return { percent: rounded(cost.cpuMsPerEvent, 1), withDatabase: rounded(cost.withDatabaseCpuMsPerEvent, 1) };
}

function memory({ programs }: RunningPlace, when: 'now' | 'peak'): number {
  return rounded(programs.reduce((sum, { pid }) => sum + residentMb(pid)[when], 0), 0);
}
