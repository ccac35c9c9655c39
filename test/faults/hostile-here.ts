/**
 * The process that a hostile room is received in: a whole server on SQLite with one partition, which serves other rooms meanwhile. Settings come as JSON in the first argument; what was
 * found goes out as one line of JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startServerHere, type ServerHere } from '../../bench/replay/server-here.ts';
import { ROOMSERVER_CONSUMER } from '../../components/roomserver/index.ts';
import { createCommandClient } from '../../pkg/log/command-client.ts';
import { roomInputCodec } from '../../pkg/log/codec.ts';
import type { CommandClient } from '../../pkg/log/commands.ts';
import { outcomeLookup } from '../../pkg/log/remembered-inputs.ts';
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import { roomIdOfCreateEvent } from '../../pkg/matrix/ids/room-id.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { makeHostile, type Attack, type HostileEvent } from '../kit/hostile-room.ts';

export interface HostileSettings {
  readonly attack: Attack;
  readonly size: number;
  readonly versionId: string;
  readonly dataDir: string;
  /** How long the attack is watched at most. */
  readonly msMax: number;
}

export interface HostileReport {
  /** Events of the attack that a verdict is to be expected of, and those that have one. */
  readonly events: number;
  readonly decided: number;
  readonly seconds: number;
  /** Of sends into other rooms of the partition, ms: before the attack, and while it lasts. */
  readonly quiet: Latencies;
  readonly others: Latencies;
  /** The longest time for which the event loop stood still. */
  readonly stillMs: number;
  readonly extremitiesMax: number;
  readonly peakMb: number;
}

export interface Latencies {
  readonly sends: number;
  /** Of these, how many were not accepted. */
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const SERVER = 'replay.test';
const KEY = signingKeyFromSeed('1', new Uint8Array(32).fill(255));
const ALICE = `@alice:${SERVER}`;
const ROOMS = 10;
const SEND_EVERY_MS = 10;
const CHUNK = 100;

const settings = JSON.parse(process.argv[2]!) as HostileSettings;
const history = makeHostile(settings.attack, settings.size, { versionId: settings.versionId, victim: { userId: ALICE, key: KEY } });
const server = await startServerHere({ log: { kind: 'embedded' }, database: { kind: 'sqlite' }, dataDir: settings.dataDir, logPrefix: 'hostile', partitions: 1 });
console.log(JSON.stringify(await run(server)));
process.exit(0);

async function run({ runtime, driver, databases }: ServerHere): Promise<HostileReport> {
  const source = { database: databases.roomserver, consumer: ROOMSERVER_CONSUMER };
  const commands = createCommandClient({ driver, runtime, partitionMap: { version: 1, partitions: 1 }, lookup: outcomeLookup({ 'room-input': source, 'user-input': source }) });
  const rooms: string[] = [];
  for (let index = 0; index < ROOMS; index += 1) rooms.push(await newRoom(commands, index));
  await append(history.beginning);
  await until(async () => (await decidedOf(history.beginning.slice(-1))) === 1, settings.msMax);
  const quiet = await latenciesWhile(commands, rooms, sleep(2000));

  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const startedAt = performance.now();
  const expected = history.attack.filter(({ isStuck }) => isStuck !== true);
  let extremitiesMax = 0;
  const through = Promise.all([append(history.attack), until(async () => {
    const [room] = await databases.roomserver.query<{ branches: number }>('SELECT branches FROM rooms WHERE room_id = ?', [history.roomId]);
    extremitiesMax = Math.max(extremitiesMax, room!.branches);
    return (await decidedOf(expected.slice(-1))) === 1;
  }, settings.msMax)]);
  const others = await latenciesWhile(commands, rooms, Promise.race([through, sleep(settings.msMax)]));
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    events: expected.length, decided: await decidedOf(expected), seconds, quiet, others, stillMs: delay.max / 1e6, extremitiesMax, peakMb: process.resourceUsage().maxRSS / 1024,
  };

  async function append(events: readonly HostileEvent[]): Promise<void> {
    for (let at = 0; at < events.length; at += CHUNK) await driver.append('room-input', 0, events.slice(at, at + CHUNK).map(recordOf));
  }

  async function decidedOf(events: readonly HostileEvent[]): Promise<number> {
    return (await databases.roomserver.queryIn('SELECT event_id FROM events WHERE state_id IS NOT NULL AND event_id IN (??)', [], events.map(({ eventId }) => eventId))).length;
  }
}

function recordOf({ eventId, json, origin }: HostileEvent): Uint8Array {
  return roomInputCodec.encode({
    inputId: `pdu:${eventId}`, replyTo: '', deadlineMs: 0, traceId: '', originServerTs: 0, roomId: history.roomId, receivePdu: { eventId, pdu: Buffer.from(json), origin, needId: '', relay: false },
  });
}

async function until(isSo: () => Promise<boolean>, msMax: number): Promise<void> {
  for (const end = performance.now() + msMax; performance.now() < end && !(await isSo());) await sleep(20);
}

async function newRoom(commands: CommandClient, index: number): Promise<string> {
  const version = roomVersion('12')!;
  const create = buildEvent({
    version, draft: { type: 'm.room.create', sender: ALICE, state_key: '', content: { room_version: '12', index } }, roomId: undefined, prevEvents: [], authEvents: [], depth: 1,
    originServerTs: Date.now(), serverName: SERVER, signingKey: KEY,
  });
  const roomId = roomIdOfCreateEvent(create.eventId);
  const events = [['m.room.member', ALICE, { membership: 'join' }], ['m.room.power_levels', '', {}], ['m.room.join_rules', '', { join_rule: 'public' }]] as const;
  const outcome = await commands.submitRoomInput({
    inputId: '', traceId: '', originServerTs: Date.now(), roomId,
    createRoom: { roomVersion: '12', sender: ALICE, createEvent: Buffer.from(create.json), events: events.map(([type, stateKey, content]) => ({ type, stateKey, content: Buffer.from(JSON.stringify(content)) })) },
  });
  if (outcome.errcode !== '') throw new Error(`${outcome.errcode}: ${outcome.error}`);
  return roomId;
}

/** Each send counts from the moment at which it should have begun. */
async function latenciesWhile(commands: CommandClient, rooms: readonly string[], work: Promise<unknown>): Promise<Latencies> {
  let isOver = false;
  void work.finally(() => (isOver = true));
  const found: number[] = [];
  let failed = 0;
  const sends: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let index = 0; !isOver; index += 1) {
    const dueAt = startedAt + index * SEND_EVERY_MS;
    const early = dueAt - performance.now();
    if (early > 0) await sleep(early);
    sends.push(commands.submitRoomInput({
      inputId: '', traceId: '', originServerTs: Date.now(), roomId: rooms[index % rooms.length]!,
      sendEvent: { sender: ALICE, deviceId: 'D', txnId: '', event: { type: 'm.room.message', content: Buffer.from(`{"body":"${index}"}`) } },
    }).then(({ errcode }) => errcode !== '', () => true).then((hasFailed) => {
      found.push(performance.now() - dueAt);
      if (hasFailed) failed += 1;
    }));
  }
  await Promise.all(sends);
  found.sort((one, other) => one - other);
  const at = (share: number): number => +(found[Math.min(found.length - 1, Math.floor(found.length * share))] ?? 0).toFixed(1);
  return { sends: found.length, failed, p50: at(0.5), p99: at(0.99), max: at(1) };
}
