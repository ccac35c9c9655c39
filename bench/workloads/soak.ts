/**
 * `soak`: mixed load for long (messages, waiting syncs, joins and leaves, receipts, typing, new rooms), and what is alive on the server's heap meanwhile. After a warm-up, in which caches fill, the load pauses
 * now and then, and the heap is read after a collection: a straight line through these figures tells what each 100,000 events leave behind.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/e2e/program.ts';
import { startCrowdPlace, type RunningPlace } from '../crowd-place.ts';
import { gatherUsers, joinAll, openRoom, openRooms, untilIdle } from '../crowd.ts';
import { watchHeap, type HeapWatch } from '../heap-of.ts';
import { meterOf, type ServerMode } from '../subject.ts';
import type { Row } from '../workload.ts';
import { MixedLoad } from './mixed-load.ts';

export interface SoakOptions {
  readonly seconds: number;
  /** Events of the warm-up, at least: more than the caches hold. */
  readonly warmEvents: number;
  /** Things that senders begin in a second at most; 0: as fast as they are answered. */
  readonly perSecondMax: number;
  /** That are made for the warm-up and that nobody uses afterwards: new ones then drive old ones out of the caches. */
  readonly oldRooms: number;
}

const USERS = 60;
const ROOMS = 90;
const ROOMS_OF_A_USER = 6;
const OLD_ROOMS_OF_A_USER = 10;
const SAMPLES = 10;
/** Of the time, at least, for the warm-up. */
const WARM_SHARE = 0.15;

interface Sample {
  readonly events: number;
  readonly livingMb: number;
  readonly residentMb: number;
}

export async function soakWorkload(mode: ServerMode, options: SoakOptions): Promise<Row[]> {
  if (!mode.isOneProcess) return [];
  const heap = watchHeap(await freePort());
  const place = await startCrowdPlace({ ...mode, start: (settings) => mode.start({ ...settings, ...heap.settings }) });
  try {
    const load = await prepare(place, options);
    const { samples, seconds } = await soak(place, { load, heap, ...options });
    const events = samples.at(-1)!.events - samples[0]!.events;
    const [first, last] = [samples[0]!, samples.at(-1)!];
    return [{
      mode: mode.name, what: `${Math.round(options.seconds)} s`,
      runs: [{ growthPer100000EventsMb: slope(samples) * 100_000, livingAtStartMb: first.livingMb, livingAtEndMb: last.livingMb, residentAtStartMb: first.residentMb, residentAtEndMb: last.residentMb, events, perSecond: events / seconds }],
    }];
  } finally {
    await place.stop();
  }
}

async function prepare(place: RunningPlace, { perSecondMax, oldRooms }: SoakOptions): Promise<MixedLoad> {
  const makers = Math.ceil(oldRooms / OLD_ROOMS_OF_A_USER);
  if (makers > 0) await openRooms(place, await gatherUsers(place, makers, 'gone'), OLD_ROOMS_OF_A_USER);
  const users = await gatherUsers(place, USERS, 'soaking');
  const rooms: string[] = [];
  for (let index = 0; index < ROOMS; index += 1) rooms.push(await openRoom(place, users[index % USERS]!));
  // Each room has about four members.
  const roomOf = (index: number, step: number): string => rooms[(index * 3 + step * 11) % ROOMS]!;
  const steps = Array.from({ length: ROOMS_OF_A_USER }, (_, step) => step);
  for (const step of steps) await joinAll(place, users, (index) => roomOf(index, step));
  const roomsOf = new Map(users.map((user, index) => [user, steps.map((step) => roomOf(index, step))]));
  return new MixedLoad(place.baseUrl, users, { roomsOf: (user) => roomsOf.get(user)!, perSecondMax });
}

async function soak(place: RunningPlace, { load, heap, seconds, warmEvents }: Omit<SoakOptions, 'perSecondMax' | 'oldRooms'> & { readonly load: MixedLoad; readonly heap: HeapWatch }): Promise<{ samples: Sample[]; seconds: number }> {
  const samples: Sample[] = [];
  const look = async (): Promise<Sample> => {
    await load.pause();
    await untilIdle(place.programs);
    const sample = { events: load.events, livingMb: await heap.livingMb(), residentMb: meterOf(() => place.programs.map(({ pid }) => pid)).usage().residentMb };
    console.log(`${sample.events} events: ${sample.livingMb.toFixed(2)} MB alive, ${sample.residentMb.toFixed(0)} MB resident`);
    return sample;
  };
  const began = performance.now();
  const isWarm = (): boolean => load.events >= warmEvents && performance.now() - began >= seconds * 1000 * WARM_SHARE;
  load.resume();
  while (!isWarm()) await sleep(1000);
  samples.push(await look());
  let loaded = 0;
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const from = performance.now();
    load.resume();
    await sleep((seconds * (1 - WARM_SHARE) * 1000) / SAMPLES);
    loaded += performance.now() - from;
    samples.push(await look());
  }
  await load.end();
  return { samples, seconds: loaded / 1000 };
}

/** Of the line with the least squares, in MB an event. */
function slope(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number => samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [events, living] = [mean((sample) => sample.events), mean((sample) => sample.livingMb)];
  const along = mean((sample) => (sample.events - events) * (sample.livingMb - living));
  return along / mean((sample) => (sample.events - events) ** 2);
}
