/** Feeds a history to room-input: each event checked as the federationapi does it, then appended; never too far ahead of the log. */
import { verifyPdus } from '../../components/federationapi/verify/verify-pdus.ts';
import type { KnownKeys } from '../../components/federationapi/storage/server-keys.ts';
import { roomInputCodec } from '../../pkg/log/codec.ts';
import { LogUnavailable } from '../../pkg/log/log.ts';
import { partitionOf } from '../../pkg/log/partition-map.ts';
import { checkIntegrity, type IntactEvent } from '../../pkg/matrix/events/check-received.ts';
import { roomVersion, type RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { HistoryKeys } from './history-file.ts';
import type { ServerHere } from './server-here.ts';

export interface Feed {
  readonly lines: readonly string[];
  readonly keys: HistoryKeys | undefined;
  readonly roomVersion: string;
  readonly partitions: number;
}

/** What was fed: the last event of each room. */
export type LastEvents = Map<string, string>;

/** Events in one go, and how many such are checked ahead. */
const CHUNK = 100;
const CHECKED_AHEAD = 16;
const RETRY_MS = 20;
const PATIENCE_MS = 60_000;

/** Resolves when all is appended. Rejects when an event is not what its sender signed, or the log is away. */
export async function feed({ driver, runtime }: Pick<ServerHere, 'driver' | 'runtime'>, { lines, keys, roomVersion: versionId, partitions }: Feed): Promise<LastEvents> {
  const version = roomVersion(versionId);
  if (version === undefined) throw new Error(`there is no room version ${versionId}`);
  const known = keys && keyRing(keys);
  const check = (from: number): Promise<IntactEvent[]> => checked(lines.slice(from, from + CHUNK), { version, known, runtime });
  const last: LastEvents = new Map();
  const ahead: Promise<IntactEvent[]>[] = [];
  for (let from = 0; from < lines.length; from += CHUNK) {
    while (ahead.length < CHECKED_AHEAD && from + ahead.length * CHUNK < lines.length) ahead.push(check(from + ahead.length * CHUNK));
    const events = await ahead.shift()!;
    for (const { roomId, eventId } of events) last.set(roomId, eventId);
    for (const [partition, records] of Map.groupBy(events, ({ roomId }) => partitionOf({ version: 1, partitions }, roomId))) {
      await appendPatiently({ driver, runtime }, partition, records.map(recordOf));
    }
  }
  return last;
}

/** In order, and so one after the other: a log that is full says so, and its consumer goes first. */
async function appendPatiently({ driver, runtime }: Pick<ServerHere, 'driver' | 'runtime'>, partition: number, records: Uint8Array[]): Promise<void> {
  const givenUpAt = runtime.clock.monotonic() + PATIENCE_MS;
  for (;;) {
    try {
      // The file is what a replay begins again with: where the log is in this process, its inputs need not be durable.
      return await driver.append('room-input', partition, records, { durable: false });
    } catch (error) {
      if (!(error instanceof LogUnavailable) || runtime.clock.monotonic() > givenUpAt) throw error;
      await runtime.clock.sleep(RETRY_MS);
    }
  }
}

function recordOf({ eventId, roomId, bytes }: IntactEvent): Uint8Array {
  return roomInputCodec.encode({
    inputId: `pdu:${eventId}`, replyTo: '', deadlineMs: 0, traceId: '', originServerTs: 0, roomId,
    receivePdu: { eventId, pdu: bytes, origin: 'history.test', needId: '', relay: false },
  });
}

async function checked(lines: readonly string[], { version, known, runtime }: { version: RoomVersion; known: ReadonlyMap<string, KnownKeys> | undefined; runtime: ServerHere['runtime'] }): Promise<IntactEvent[]> {
  const values = lines.map((line) => JSON.parse(line) as unknown);
  const events = known === undefined
    ? values.map((value) => checkIntegrity({ value, version, signedBy: () => true }))
    : await verifyPdus({ keyRing: { keys: async () => known }, clock: runtime.clock, offload: runtime.offload }, { values, version });
  return events.map((event, index) => {
    if ('outcome' in event) throw new Error(`${event.reason}: ${lines[index]!.slice(0, 200)}`);
    return event;
  });
}

function keyRing({ keys }: HistoryKeys): ReadonlyMap<string, KnownKeys> {
  const forEver = Number.MAX_SAFE_INTEGER;
  return new Map(Object.entries(keys).map(([serverName, ofServer]): [string, KnownKeys] => {
    const known = Object.entries(ofServer).map(([keyId, key]) => [keyId, { keyId, publicKey: Buffer.from(key, 'base64'), validUntilMs: forEver, old: false }] as const);
    return [serverName, { serverName, keys: new Map(known), validUntilMs: forEver, fetchedAtMs: 0 }];
  }));
}
