/**
 * A homeserver in this process that replays a history: checks what each event's sender signed, appends it to room-input, and waits until the read model has the last. Run by
 * `bench/workloads/replay.ts` as a process of its own, which prints one line of JSON.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { migrateAll } from '../../components/homeserver/migrate-all.ts';
import { openDatabases, openDriver } from '../../components/homeserver/open.ts';
import { wire } from '../../components/homeserver/wire.ts';
import { verifyPdus } from '../../components/federationapi/verify/verify-pdus.ts';
import type { KnownKeys } from '../../components/federationapi/storage/server-keys.ts';
import { roomInputCodec } from '../../pkg/log/codec.ts';
import type { LogDriver } from '../../pkg/log/log.ts';
import { partitionOf } from '../../pkg/log/partition-map.ts';
import { knownRoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { createRuntime } from '../../pkg/runtime/real/runtime.ts';
import { ROLES, type Settings } from '../../schemas/config/settings.ts';

export interface ReplaySettings {
  readonly log: Settings['log'];
  readonly database: Settings['database'];
  readonly dataDir: string;
  readonly prefix: string;
  readonly partitions: number;
  readonly file: string;
  readonly roomVersion: string;
  /** Base64 public keys by server. */
  readonly keys: Readonly<Record<string, string>>;
}

/** Events in one go, and such goes under way. */
const CHUNK = 500;
const UNDER_WAY = 4;

const settings = JSON.parse(process.argv[2]!) as ReplaySettings;
const runtime = createRuntime({ logger: { level: 'warn', debug() {}, info() {}, warn: print, error: print, child() { return this; } } as never });
const databases = await openDatabases(settings);
await migrateAll(databases, runtime.clock.now());
const driver = await openDriver({ log: settings.log, logPrefix: settings.prefix, partitions: settings.partitions }, databases, runtime);
const server = await wire({
  settings: { serverName: 'replay.test', roles: ROLES, partitions: settings.partitions, registration: 'closed', registrationToken: '', rateLimits: false, defaultRoomVersion: '12', publicBaseUrl: '' },
  runtime, databases, driver, signingKey: signingKeyFromSeed('1', new Uint8Array(32).fill(1)), exclusive: settings.log.kind === 'embedded',
});
await server.start();

const lines = readFileSync(settings.file, 'utf8').trimEnd().split('\n');
const version = knownRoomVersion(settings.roomVersion)!;
const known: KnownKeys['keys'] = new Map();
const keys = new Map(Object.entries(settings.keys).map(([name, key]) => [name, { serverName: name, keys: new Map([['ed25519:1', { publicKey: Buffer.from(key, 'base64'), validUntilMs: Number.MAX_SAFE_INTEGER, old: false }]]) }])) as unknown as ReadonlyMap<string, KnownKeys>;
void known;

const applied: { at: number; count: number }[] = [];
const startedCpu = process.cpuUsage();
const started = performance.now();
const { roomId, lastId } = await feed(driver);
for (;;) {
  const [row] = await databases.syncapi.query<{ last_order_key: number }>('SELECT last_order_key FROM rooms WHERE room_id = ?', [roomId]);
  const count = row?.last_order_key ?? 0;
  applied.push({ at: performance.now() - started, count });
  const [last] = await databases.syncapi.query<{ event_id: string }>('SELECT event_id FROM timeline WHERE event_id = ?', [lastId]);
  if (last !== undefined) break;
  await new Promise((resolve) => setTimeout(resolve, 5));
}
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(startedCpu);
const [{ n: accepted }] = await databases.roomserver.query<{ n: number }>('SELECT COUNT(*) AS n FROM events WHERE rejected = 0 AND soft_failed = 0 AND state_id IS NOT NULL') as [{ n: number }];
console.log(JSON.stringify({ events: lines.length, accepted, seconds, perSecond: Math.round(lines.length / seconds), cpuMsPerEvent: (user + system) / 1000 / lines.length, rssMb: process.memoryUsage().rss / 1e6 }));
await server.stop();
await driver.close();
for (const database of Object.values(databases)) await database.close();
process.exit(0);

async function feed(log: LogDriver): Promise<{ roomId: string; lastId: string }> {
  let [roomId, lastId] = ['', ''];
  const underWay = new Set<Promise<void>>();
  for (let from = 0; from < lines.length; from += CHUNK) {
    const values = lines.slice(from, from + CHUNK).map((line) => JSON.parse(line) as unknown);
    const verified = await verifyPdus({ keyRing: { keys: async () => keys }, clock: runtime.clock, offload: runtime.offload }, { values, version });
    const records = verified.map((event) => {
      if ('outcome' in event) throw new Error(`an event was dropped: ${event.reason}`);
      [roomId, lastId] = [event.roomId, event.eventId];
      return roomInputCodec.encode({
        inputId: `pdu:${event.eventId}`, replyTo: '', deadlineMs: 0, traceId: '', originServerTs: 0, roomId: event.roomId,
        receivePdu: { eventId: event.eventId, pdu: Buffer.from(event.json), origin: 'replay.test', needId: '', relay: false },
      });
    });
    while (underWay.size >= UNDER_WAY) await Promise.race(underWay);
    const append = log.append('room-input', partitionOf({ version: 1, partitions: settings.partitions }, roomId), records, { durable: false }).finally(() => underWay.delete(append));
    underWay.add(append);
  }
  await Promise.all(underWay);
  return { roomId, lastId };
}

function print(...said: unknown[]): void {
  console.error(...said);
}
void once;
