/** PURE. Whether an event is what its senders signed (spec: server-server, "Checks performed on receipt of a PDU", 1 to 3), by keys that are at hand. */
import { checkIntegrity, type Dropped, type IntactEvent } from '../matrix/events/check-received.ts';
import type { Pdu } from '../matrix/events/pdu.ts';
import { POLICY_KEY_ID } from '../matrix/policy/policy-server.ts';
import type { RoomVersion } from '../matrix/room-versions/room-versions.ts';
import { signatureOf, signingKeyIdsOf } from '../matrix/signing/sign-json.ts';
import { keyValidAt, type ServerKey } from './server-keys.ts';

/** By server name: its keys by their IDs. */
export type KeysAtHand = ReadonlyMap<string, { readonly keys: ReadonlyMap<string, ServerKey> }>;

export interface VerifyEvent {
  /** Parsed JSON. */
  readonly value: unknown;
  readonly version: RoomVersion;
  readonly known: KeysAtHand;
  readonly isRight: (check: { readonly publicKey: Uint8Array; readonly bytes: Uint8Array; readonly signature: Uint8Array }) => boolean;
}

export interface DroppedPdu extends Dropped {
  /** The server whose keys could not be had: with them it may yet turn out intact. */
  readonly lacksKeysOf?: string;
}

/** Signatures of one server under one event that are looked at: each costs a check, and perhaps a request. */
const SIGNATURES_MAX = 8;

export function verifyEvent({ value, version, known, isRight }: VerifyEvent): IntactEvent | DroppedPdu {
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
      if (signature === undefined || !isRight({ publicKey: key.publicKey, bytes: essentials, signature })) return false;
      right += 1;
    }
    lacksKeysOf = unknown && right === 0 ? serverName : undefined;
    return right > 0;
  };
  const event = checkIntegrity({ value, version, signedBy });
  return 'outcome' in event && lacksKeysOf !== undefined ? { ...event, lacksKeysOf } : event;
}

/** Keys of the server that it should have signed the event with. What it has signed as a policy server is another matter: that key is not one that servers publish. */
export function eventKeyIdsOf(event: object, serverName: string): string[] {
  return signingKeyIdsOf(event, serverName).filter((keyId) => keyId !== POLICY_KEY_ID).slice(0, SIGNATURES_MAX);
}
