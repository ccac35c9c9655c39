/** Events that another server sends: each is checked, and those that are intact are appended to room-input, all of a partition at once. */
import { createRecent } from '../../../pkg/assert/recent.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import { CanonicalJsonError } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import { validateEvent } from '../../../pkg/matrix/events/validate-event.ts';
import { isJsonObject } from '../../../pkg/http/json.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import { partitionOf, type PartitionMap } from '../../../pkg/log/partition-map.ts';
import type { Offload } from '../../../pkg/runtime/runtime.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { isLetIn } from '../auth/room-access.ts';
import type { KeyRing } from '../fetch/key-ring.ts';
import type { StagedPdu } from '../storage/staged-pdus.ts';
import { verifyPdus } from '../verify/verify-pdus.ts';
import { receiveEnds } from './receive-ends.ts';
import { isInRoom, type PresenceDeps } from './wait-for-join.ts';

export interface ReceivingDeps extends PresenceDeps {
  readonly driver: Pick<LogDriver, 'append'>;
  readonly partitionMap: PartitionMap;
  readonly roomQuery: Pick<RoomQuery, 'roomVersion' | 'hasJoinedMember' | 'currentState' | 'outsideMembership'>;
  readonly offload?: Pick<Offload, 'verifyEvents'>;
  /** Gives up on servers that are slow. */
  readonly keyRing: Pick<KeyRing, 'keys'>;
}

/** What became of the events of one sender, by event ID; events whose ID cannot be told, because their room is not known here, are passed over. */
export interface Received {
  /** Why each was refused; undefined: it is in good hands. */
  readonly results: Map<string, string | undefined>;
  /** Those whose keys could not be had. */
  readonly lacking: StagedPdu[];
}

export interface PduReceiver {
  /**
   * Resolves when all intact events are appended durably. Rejects with `LogUnavailable` when some could not be, and with `StorageError`: the sender tries the whole again, what
   * came twice is taken once.
   */
  receive(origin: string, values: readonly unknown[], traceId: string): Promise<Received>;
}

interface Sending {
  readonly origin: string;
  readonly traceId: string;
}

const VERSIONS_MAX = 10_000;

export function createPduReceiver(deps: ReceivingDeps): PduReceiver {
  const { clock, offload, driver, partitionMap, roomQuery, keyRing } = deps;
  const versions = createRecent<RoomVersion>(VERSIONS_MAX);

  /** undefined: this server has never been in the room, or does not run its version. */
  async function versionOf(roomId: string): Promise<RoomVersion | undefined> {
    const known = versions.get(roomId);
    if (known !== undefined) return known;
    const version = roomVersion((await roomQuery.roomVersion(roomId)) ?? '');
    if (version !== undefined) versions.set(roomId, version);
    return version;
  }

  /** Why the room takes nothing from `origin`. */
  async function roomProblem(origin: string, roomId: string): Promise<string | undefined> {
    if (!(await isInRoom(deps, roomId))) return 'This server is not in the room';
    return (await isLetIn({ roomQuery }, origin, roomId)) ? undefined : 'The room does not let your server in';
  }

  /** Inputs of the room, by event ID. */
  async function receiveRoom(from: Sending, room: { roomId: string; values: readonly unknown[] }, into: Received): Promise<Map<string, Uint8Array>> {
    const { roomId, values } = room;
    const problem = await roomProblem(from.origin, roomId);
    const ends = problem === undefined ? new Map<string, Uint8Array>() : await receiveEnds(deps, from.origin, room);
    for (const eventId of ends.keys()) into.results.set(eventId, undefined);
    const version = await versionOf(roomId);
    if (version === undefined) return ends;
    const refuse = (value: unknown, reason: string) => {
      const eventId = eventIdIfAny(value, version);
      if (eventId !== undefined && !into.results.has(eventId)) into.results.set(eventId, reason);
    };
    if (problem !== undefined) {
      for (const value of values) refuse(value, problem);
      return ends;
    }
    const records = new Map<string, Uint8Array>();
    for (const [index, verified] of (await verifyPdus({ keyRing, clock, offload }, { values, version, roomId })).entries()) {
      const value = values[index];
      if (!('outcome' in verified)) records.set(verified.eventId, recordOf(verified, { ...from, nowMs: clock.now() }));
      else if (verified.lacksKeysOf === undefined) refuse(value, verified.reason);
      else into.lacking.push({ origin: from.origin, roomId, eventId: eventIdOf(asPdu(value, version)!, version), pdu: Buffer.from(JSON.stringify(value)) });
    }
    for (const eventId of records.keys()) into.results.set(eventId, undefined);
    return records;
  }

  return {
    async receive(origin, values, traceId) {
      const into: Received = { results: new Map(), lacking: [] };
      const appends = new Map<number, Uint8Array[]>();
      // At the same time: each may have to wait for keys.
      const rooms = await Promise.all([...byRoom(values)].map(async ([roomId, ofRoom]) => ({ roomId, records: await receiveRoom({ origin, traceId }, { roomId, values: ofRoom }, into) })));
      for (const { roomId, records } of rooms) {
        const partition = partitionOf(partitionMap, roomId);
        appends.set(partition, [...(appends.get(partition) ?? []), ...records.values()]);
      }
      await Promise.all([...appends].filter(([, records]) => records.length > 0).map(([partition, records]) => driver.append('room-input', partition, records, { durable: true })));
      return into;
    },
  };
}

function recordOf({ eventId, roomId, bytes }: IntactEvent, { origin, traceId, nowMs }: { origin: string; traceId: string; nowMs: number }): Uint8Array {
  return roomInputCodec.encode({
    inputId: `pdu:${eventId}`, replyTo: '', deadlineMs: 0, traceId, originServerTs: nowMs, roomId,
    receivePdu: { eventId, pdu: bytes, origin, needId: '', relay: false },
  });
}

function byRoom(values: readonly unknown[]): Map<string, unknown[]> {
  const rooms = new Map<string, unknown[]>();
  for (const value of values) {
    const roomId = isJsonObject(value) ? value['room_id'] : undefined;
    if (typeof roomId !== 'string') continue;
    const list = rooms.get(roomId);
    if (list === undefined) rooms.set(roomId, [value]);
    else list.push(value);
  }
  return rooms;
}

function asPdu(value: unknown, version: RoomVersion): Parameters<typeof eventIdOf>[0] | undefined {
  const validity = validateEvent(value, version);
  return validity.valid ? validity.pdu : undefined;
}

/** Of what is no event no ID can be told. */
function eventIdIfAny(value: unknown, version: RoomVersion): string | undefined {
  try {
    const pdu = asPdu(value, version);
    return pdu === undefined ? undefined : eventIdOf(pdu, version);
  } catch (error) {
    if (error instanceof CanonicalJsonError) return undefined;
    throw error;
  }
}
