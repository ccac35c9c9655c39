/**
 * The process that fills a database: a homeserver with every role, to whose room-input the histories of many rooms of other servers go, and whose read model applies what comes out of room-output.
 * Settings come as JSON in the first argument. Signatures are made and not checked: that leaves no trace in the tables.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Settings } from '../../schemas/config/settings.ts';
import { feed, type LastEvents } from '../replay/feed.ts';
import { startServerHere } from '../replay/server-here.ts';
import { untilRead } from '../replay/until-read.ts';
import { ROOM_VERSION, type RoomsWish } from './rooms-wish.ts';

export type FillSettings = Pick<Settings, 'database' | 'dataDir'> & RoomsWish;

const ROOMS_AT_ONCE = 40;
const PARTITIONS = 32;
const TELL_EVERY_EVENTS = 100_000;

const { database, dataDir, ...wish } = JSON.parse(process.argv[2]!) as FillSettings;
const server = await startServerHere({ database, dataDir, log: { kind: 'embedded' }, logPrefix: 'seed', partitions: PARTITIONS });
const maker = new Worker(new URL('./make-rooms.ts', import.meta.url), { workerData: wish });
const nextLines = async (): Promise<string[]> => {
  maker.postMessage(ROOMS_AT_ONCE);
  const [lines] = (await once(maker, 'message')) as [string[]];
  return lines;
};
const startedAt = performance.now();
let [fed, told] = [0, 0];
let next = nextLines();
for (;;) {
  const lines = await next;
  if (lines.length === 0) break;
  next = nextLines();
  const last: LastEvents = await feed(server, { lines, keys: undefined, roomVersion: ROOM_VERSION, partitions: PARTITIONS });
  await untilRead(server, last, ['syncapi', 'federationapi']);
  fed += lines.length;
  if (fed - told < TELL_EVERY_EVENTS) continue;
  told = fed;
  console.log(`${fed} events, ${Math.round((fed * 1000) / (performance.now() - startedAt))} a second`);
}
await maker.terminate();
await server.stop();
process.exit(0);
