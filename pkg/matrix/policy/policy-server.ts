/** Policy servers (spec: server-server, "Policy Servers"): which server a room has look at its events, and whether it has signed one. */
import { decodeBase64, decodeBase64Url } from '../canonical-json/base64.ts';
import type { Pdu } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { verifyEvent } from '../signing/sign-event.ts';

/** Under which a policy server signs, whatever it calls its other keys. */
export const POLICY_KEY_ID = 'ed25519:policy_server';

export const POLICY_TYPE = 'm.room.policy';

/** Whom a room asks. */
export interface PolicyServer {
  readonly serverName: string;
  /** As the room says it: unpadded base64, in either alphabet. */
  readonly publicKey: string;
}

/** What the content of an `m.room.policy` state event says; undefined when it is none that counts ("Determining if a Policy Server is enabled in a room"). */
export function policyServerIn(content: unknown): PolicyServer | undefined {
  const { via, public_keys: keys } = fields(content);
  const { ed25519: publicKey } = fields(keys);
  return typeof via === 'string' && typeof publicKey === 'string' ? { serverName: via, publicKey } : undefined;
}

/** Whether policy servers are never asked for the event: so that a room whose policy server is gone can have another one, or none. */
export function isPolicyExempt({ type, state_key: stateKey }: Pick<Pdu, 'type' | 'state_key'>): boolean {
  return type === POLICY_TYPE && stateKey === '';
}

/** Whether the event carries the policy server's signature, and it is right ("Validating Policy Server signatures"). */
export function isSignedByPolicy(pdu: Pdu, version: RoomVersion, { serverName, publicKey: encoded }: PolicyServer): boolean {
  const publicKey = decodeBase64(encoded) ?? decodeBase64Url(encoded);
  return publicKey !== undefined && verifyEvent(pdu, version, { serverName, keyId: POLICY_KEY_ID, publicKey });
}

/** The event with the policy server's signature beside those that it has, of the same server too. Whether it is right, nobody has looked. */
export function withPolicySignature(pdu: Pdu, serverName: string, signature: string): Pdu {
  const { signatures } = pdu;
  const others = Object.hasOwn(signatures, serverName) ? signatures[serverName] : {};
  return { ...pdu, signatures: { ...signatures, [serverName]: { ...others, [POLICY_KEY_ID]: signature } } };
}

/** The policy server's signature in an object of signatures by server and key; undefined: there is none. */
export function policySignatureIn(signatures: unknown, serverName: string): string | undefined {
  const all = fields(signatures);
  const signature = Object.hasOwn(all, serverName) ? fields(all[serverName])[POLICY_KEY_ID] : undefined;
  return typeof signature === 'string' ? signature : undefined;
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : {};
}
