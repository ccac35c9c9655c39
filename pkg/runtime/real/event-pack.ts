/** Events to check, and what was found, as threads hand them to each other: what there is many of is in a few pieces of memory. */
import type { KeysAtHand } from '../../federation/verify-event.ts';
import { verifyEvent } from '../../federation/verify-event.ts';
import type { ServerKey } from '../../federation/server-keys.ts';
import type { IntactEvent } from '../../matrix/events/check-received.ts';
import type { Pdu } from '../../matrix/events/pdu.ts';
import { redact } from '../../matrix/events/redact.ts';
import { roomIdOfCreateEvent } from '../../matrix/ids/room-id.ts';
import { roomVersion } from '../../matrix/room-versions/room-versions.ts';
import { PUBLIC_KEY_BYTES } from '../../matrix/signing/signing-key.ts';
import type { EventsToVerify } from '../runtime.ts';
import { isSignatureRight } from './ed25519.ts';

export interface PackedEvents {
  readonly values: readonly unknown[];
  readonly versionId: string;
  /** For each key: its server, its ID, and the rest at the same place of the lists that follow. */
  readonly servers: readonly string[];
  readonly keyIds: readonly string[];
  readonly publicKeys: Uint8Array;
  readonly validUntilMs: Float64Array;
  readonly old: Uint8Array;
}

/** For each event: its ID, empty when it is not intact; whether it was redacted; where its JSON ends, which begins where that of the one before ends. */
export interface CheckedEvents {
  readonly eventIds: readonly string[];
  readonly redacted: Uint8Array;
  readonly ends: Uint32Array;
  readonly json: Uint8Array;
}

/** Keys of a wrong form are left out. */
export function packEvents({ values, version, known }: EventsToVerify): PackedEvents {
  const keys = [...known].flatMap(([server, of]) => [...of.keys.values()].filter(({ publicKey }) => publicKey.length === PUBLIC_KEY_BYTES).map((key) => ({ server, key })));
  const publicKeys = new Uint8Array(keys.length * PUBLIC_KEY_BYTES);
  for (const [index, { key }] of keys.entries()) publicKeys.set(key.publicKey, index * PUBLIC_KEY_BYTES);
  return {
    values, versionId: version.id, servers: keys.map(({ server }) => server), keyIds: keys.map(({ key }) => key.keyId), publicKeys,
    validUntilMs: Float64Array.from(keys, ({ key }) => key.validUntilMs), old: Uint8Array.from(keys, ({ key }) => Number(key.old)),
  };
}

function keysIn({ servers, keyIds, publicKeys, validUntilMs, old }: PackedEvents): KeysAtHand {
  const known = new Map<string, { keys: Map<string, ServerKey> }>();
  for (const [index, server] of servers.entries()) {
    const keyId = keyIds[index]!;
    const key = { keyId, publicKey: publicKeys.subarray(index * PUBLIC_KEY_BYTES, (index + 1) * PUBLIC_KEY_BYTES), validUntilMs: validUntilMs[index]!, old: old[index] === 1 };
    const of = known.get(server);
    if (of === undefined) known.set(server, { keys: new Map([[keyId, key]]) });
    else of.keys.set(keyId, key);
  }
  return known;
}

/** What a thread does. */
export function checkPacked(packed: PackedEvents): CheckedEvents {
  const { values } = packed;
  const version = roomVersion(packed.versionId)!;
  const known = keysIn(packed);
  const events = values.map((value) => intactOrNot(() => verifyEvent({ value, version, known, isRight: isSignatureRight })));
  const ends = new Uint32Array(values.length);
  let end = 0;
  for (const [index, event] of events.entries()) ends[index] = end += event?.bytes.byteLength ?? 0;
  const json = new Uint8Array(end);
  for (const [index, event] of events.entries()) if (event !== undefined) json.set(event.bytes, ends[index]! - event.bytes.byteLength);
  return { eventIds: events.map((event) => event?.eventId ?? ''), redacted: Uint8Array.from(events, (event) => Number(event?.redacted === true)), ends, json };
}

/** What goes wrong goes wrong for whoever looks at it again, too. */
function intactOrNot(verify: () => ReturnType<typeof verifyEvent>): IntactEvent | undefined {
  try {
    const event = verify();
    return 'outcome' in event ? undefined : event;
  } catch {
    return undefined;
  }
}

/** In the order of `values`, which are those that were packed; undefined: not intact. */
export function unpackChecked({ values, version }: Pick<EventsToVerify, 'values' | 'version'>, { eventIds, redacted, ends, json }: CheckedEvents): (IntactEvent | undefined)[] {
  return values.map((value, index) => {
    const eventId = eventIds[index]!;
    if (eventId === '') return undefined;
    const received = withoutUnsigned(value as Pdu);
    const start = index === 0 ? 0 : ends[index - 1]!;
    return {
      eventId, roomId: received.room_id ?? roomIdOfCreateEvent(eventId), pdu: redacted[index] === 1 ? redact(received, version) : received,
      bytes: Buffer.from(json.buffer, json.byteOffset + start, ends[index]! - start), redacted: redacted[index] === 1,
    };
  });
}

function withoutUnsigned(pdu: Pdu): Pdu {
  if (pdu.unsigned === undefined) return pdu;
  const { unsigned: _unsigned, ...received } = pdu;
  return received;
}
