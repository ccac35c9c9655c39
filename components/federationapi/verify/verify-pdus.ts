/** Whether events are what their senders signed (spec: server-server, "Checks performed on receipt of a PDU", 1 to 3), many at once. */
import { eventKeyIdsOf, verifyEvent, type DroppedPdu } from '../../../pkg/federation/verify-event.ts';
import { isJsonObject } from '../../../pkg/http/json.ts';
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { requiredSigners } from '../../../pkg/matrix/signing/sign-event.ts';
import { verifySignature } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Clock, Offload, SignatureCheck } from '../../../pkg/runtime/runtime.ts';
import type { KeyRing } from '../fetch/key-ring.ts';
import type { WantedKeys } from '../fetch/fetch-keys.ts';
import type { KnownKeys } from '../storage/server-keys.ts';

export interface VerifyDeps {
  /** Knows the keys of this server too: events of ours come back. */
  readonly keyRing: Pick<KeyRing, 'keys'>;
  readonly clock: Pick<Clock, 'now' | 'yield'>;
  /** Checks events off the event loop; absent where there are few. */
  readonly offload?: Pick<Offload, 'verifyEvents'>;
}

export interface PdusToVerify {
  /** Parsed JSON. */
  readonly values: readonly unknown[];
  readonly version: RoomVersion;
  /** Events of other rooms are dropped. */
  readonly roomId?: string;
}

const OF_ANOTHER_ROOM: DroppedPdu = { outcome: 'dropped', reason: 'The event is of another room' };
/** About 5 ms of work. */
const EVENTS_BETWEEN_YIELDS = { here: 20, offLoop: 100 };
/** Nobody's clock is further ahead; no key has to count for longer. */
const CLOCK_SKEW_MS = 5 * 60_000;

/**
 * The events in the order of `values`. Fetches all keys that are not known at once, which takes as long as the key ring takes for the slowest server; then gives way to
 * others every few events. Rejects with `StorageError`.
 */
export async function verifyPdus({ keyRing, clock, offload }: VerifyDeps, { values, version, roomId }: PdusToVerify): Promise<(IntactEvent | DroppedPdu)[]> {
  const wanted = await wantedKeys(values, version, clock);
  const known = wanted.length === 0 ? new Map<string, KnownKeys>() : await keyRing.keys(wanted);
  const verified: (IntactEvent | DroppedPdu)[] = [];
  const step = offload === undefined ? EVENTS_BETWEEN_YIELDS.here : EVENTS_BETWEEN_YIELDS.offLoop;
  for (let from = 0; from < values.length; from += step) {
    if (from > 0) await clock.yield();
    const some = values.slice(from, from + step);
    verified.push(...(offload === undefined ? some.map((value) => verifyEvent({ value, version, known, isRight: isRightHere })) : await verifyOffLoop(offload, some, { version, known })));
  }
  return roomId === undefined ? verified : verified.map((event) => ('outcome' in event || event.roomId === roomId ? event : OF_ANOTHER_ROOM));
}

interface Verifying {
  readonly version: RoomVersion;
  readonly known: ReadonlyMap<string, KnownKeys>;
}

const isRightHere = ({ publicKey, bytes, signature }: SignatureCheck): boolean => verifySignature(publicKey, bytes, signature);

/** What is not intact there is looked at again, here: those are few, and so the verdict is that of one implementation. */
async function verifyOffLoop(offload: Pick<Offload, 'verifyEvents'>, values: readonly unknown[], { version, known }: Verifying): Promise<(IntactEvent | DroppedPdu)[]> {
  const checked = await offload.verifyEvents({ values, version, known });
  return values.map((value, index) => checked[index] ?? verifyEvent({ value, version, known, isRight: isRightHere }));
}

/** What the key ring has to know, one entry a server. */
async function wantedKeys(values: readonly unknown[], version: RoomVersion, clock: VerifyDeps['clock']): Promise<WantedKeys[]> {
  const latestMs = clock.now() + CLOCK_SKEW_MS;
  const byServer = new Map<string, { keyIds: Set<string>; validUntilMs: number }>();
  for (const [index, value] of values.entries()) {
    if (index % 1000 === 999) await clock.yield();
    if (!isSignedEvent(value, version)) continue;
    const neededMs = version.keyValidityEnforced ? Math.min(value.origin_server_ts, latestMs) : 0;
    for (const serverName of requiredSigners(value, version)) {
      const keyIds = eventKeyIdsOf(value, serverName);
      if (keyIds.length === 0 || !isServerName(serverName)) continue;
      const wanted = byServer.get(serverName) ?? { keyIds: new Set<string>(), validUntilMs: 0 };
      for (const keyId of keyIds) wanted.keyIds.add(keyId);
      wanted.validUntilMs = Math.max(wanted.validUntilMs, neededMs);
      byServer.set(serverName, wanted);
    }
  }
  return [...byServer].map(([serverName, { keyIds, validUntilMs }]) => ({ serverName, keyIds: [...keyIds], validUntilMs }));
}

/** Whether it has what names its signers, in the types that they need; whether it is an event is looked at later. */
function isSignedEvent(value: unknown, version: RoomVersion): value is Pdu {
  if (!isJsonObject(value) || typeof value['sender'] !== 'string' || !isJsonObject(value['content']) || !Number.isSafeInteger(value['origin_server_ts'])) return false;
  return version.eventIdFormat !== 'opaque' || typeof value['event_id'] === 'string';
}
