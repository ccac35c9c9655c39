/** A thread that makes the histories of rooms, some at a time, while those before them are carried out: lines of their events, the rooms side by side. */
import { parentPort, workerData } from 'node:worker_threads';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { makeHistory } from '../replay/make-history.ts';
import { ROOM_VERSION, type RoomsWish } from './rooms-wish.ts';

const version = roomVersion(ROOM_VERSION)!;
const { rooms, events } = workerData as RoomsWish;
let made = 0;

/** An empty list: there are no more. */
parentPort!.on('message', (count: number) => {
  const histories = Array.from({ length: Math.min(count, rooms - made) }, (_, index) => makeHistory({ version, events, shape: 'mixed', seed: made + index + 1 }).lines);
  made += histories.length;
  const longest = Math.max(0, ...histories.map((lines) => lines.length));
  parentPort!.postMessage(Array.from({ length: longest }, (_, place) => histories.flatMap((lines) => lines[place] ?? [])).flat());
});
