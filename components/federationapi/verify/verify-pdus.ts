/** Whether events are what their senders signed (spec: server-server, "Checks performed on receipt of a PDU", 1 to 3), many at once. */
import { keyValidAt } from '../../../pkg/federation/server-keys.ts';
import { isJsonObject } from '../../../pkg/http/json.ts';
import { checkIntegrity, type Dropped, type IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import { POLICY_KEY_ID } from '../../../pkg/matrix/policy/policy-server.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { requiredSigners } from '../../../pkg/matrix/signing/sign-event.ts';
import { signatureOf, signingKeyIdsOf } from '../../../pkg/matrix/signing/sign-json.ts';
import { verifySignature } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Clock, Offload, SignatureCheck } from '../../../pkg/runtime/runtime.ts';
import type { KeyRing } from '../fetch/key-ring.ts';
import type { WantedKeys } from '../fetch/fetch-keys.ts';
import type { KnownKeys } from '../storage/server-keys.ts';

export interface VerifyDeps {
  /** Knows the keys of this server too: events of ours come back. */
  readonly keyRing: Pick<KeyRing, 'keys'>;
  readonly clock: Pick<Clock, 'now' | 'yield'>;
  /** Checks signatures off the event loop; absent where there are few. */
  readonly offload?: Pick<Offload, 'verifySignatures'>;
}

export interface PdusToVerify {
  /** Parsed JSON. */
  readonly values: readonly unknown[];
  readonly version: RoomVersion;
  /** Events of other rooms are dropped. */
  readonly roomId?: string;
}

export interface DroppedPdu extends Dropped {
  /** The server whose keys could not be had: with them it may yet turn out intact. */
  readonly lacksKeysOf?: string;
}

/** Signatures of one server under one event that are looked at: each costs a check, and perhaps a request. */
const SIGNATURES_MAX = 8;
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
    verified.push(...(offload === undefined ? some.map((value) => verifyPdu(value, { version, roomId, known, check: checkNow })) : await verifyOffLoop(offload, some, { version, roomId, known })));
  }
  return verified;
}

interface Verifying {
  readonly version: RoomVersion;
  readonly roomId: string | undefined;
  readonly known: ReadonlyMap<string, KnownKeys>;
}

const checkNow = ({ publicKey, bytes, signature }: SignatureCheck): boolean => verifySignature(publicKey, bytes, signature);

/** Takes every signature for right at first, and looks again, here, at the few events with one that is not. */
async function verifyOffLoop(offload: Pick<Offload, 'verifySignatures'>, values: readonly unknown[], verifying: Verifying): Promise<(IntactEvent | DroppedPdu)[]> {
  const checks: SignatureCheck[] = [];
  const ends: number[] = [];
  const hoped = values.map((value) => {
    const event = verifyPdu(value, { ...verifying, check: (check) => checks.push(check) > 0 });
    ends.push(checks.length);
    return event;
  });
  const right = await offload.verifySignatures(checks);
  return hoped.map((event, index) => {
    const isRight = right.slice(ends[index - 1] ?? 0, ends[index]).every(Boolean);
    return isRight ? event : verifyPdu(values[index], { ...verifying, check: checkNow });
  });
}

function verifyPdu(value: unknown, { version, roomId, known, check }: Verifying & { check: (check: SignatureCheck) => boolean }): IntactEvent | DroppedPdu {
  let lacksKeysOf: string | undefined;
  // Signatures by keys that are not known, or did not count at the time, are passed over; all others must be right, and there must be one (server-server, "Validating hashes and signatures on received events").
  const signedBy = (serverName: string, event: Pdu, essentials: Uint8Array): boolean => {
    const keys = known.get(serverName)?.keys;
    let unknown = false;
    let right = 0;
    for (const keyId of eventKeyIdsOf(event, serverName)) {
      const key = keys?.get(keyId);
      if (key === undefined || !keyValidAt(key, event.origin_server_ts, version)) {
        unknown ||= key?.old !== true;
        continue;
      }
      const signature = signatureOf(event, serverName, keyId);
      if (signature === undefined || !check({ publicKey: key.publicKey, bytes: essentials, signature })) return false;
      right += 1;
    }
    lacksKeysOf = unknown && right === 0 ? serverName : undefined;
    return right > 0;
  };
  const event = checkIntegrity({ value, version, signedBy });
  if ('outcome' in event) return { ...event, ...(lacksKeysOf !== undefined && { lacksKeysOf }) };
  if (roomId !== undefined && event.roomId !== roomId) return { outcome: 'dropped', reason: 'The event is of another room' };
  return event;
}

/** Keys of the server that it should have signed the event with. What it has signed as a policy server is another matter: that key is not one that servers publish. */
function eventKeyIdsOf(event: object, serverName: string): string[] {
  return signingKeyIdsOf(event, serverName).filter((keyId) => keyId !== POLICY_KEY_ID).slice(0, SIGNATURES_MAX);
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
