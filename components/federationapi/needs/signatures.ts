/** Signatures of other servers under events that were made here. */
import { keyValidAt } from '../../../pkg/federation/server-keys.ts';
import { isJsonObject } from '../../../pkg/http/json.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { POLICY_KEY_ID } from '../../../pkg/matrix/policy/policy-server.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { verifyEvent } from '../../../pkg/matrix/signing/sign-event.ts';
import type { NeedTools } from './job.ts';

/** Signatures of one server that are looked at: each costs a check. */
const SIGNATURES_MAX = 8;

/**
 * `event` with one more signature, the first valid one of `signer` under `returned`, which is what that server made of it; undefined when there is none. Nothing else is taken from
 * `returned`: what this server has signed stays as it is.
 */
export async function addSignatureFrom(
  tools: Pick<NeedTools, 'keyRing'>, { event, version }: { event: Pdu; version: RoomVersion }, { signer, returned }: { signer: string; returned: unknown },
): Promise<Pdu | undefined> {
  const given = signaturesOf(returned, signer);
  if (given.length === 0) return undefined;
  const known = await tools.keyRing.keys([{ serverName: signer, keyIds: given.map(([keyId]) => keyId), validUntilMs: version.keyValidityEnforced ? event.origin_server_ts : 0 }]);
  for (const [keyId, signature] of given) {
    const key = known.get(signer)?.keys.get(keyId);
    if (key === undefined || !keyValidAt(key, event.origin_server_ts, version)) continue;
    const signed: Pdu = { ...event, signatures: { ...event.signatures, [signer]: { ...event.signatures[signer], [keyId]: signature } } };
    if (verifyEvent(signed, version, { serverName: signer, keyId, publicKey: key.publicKey })) return signed;
  }
  return undefined;
}

function signaturesOf(event: unknown, signer: string): [keyId: string, signature: string][] {
  const all = isJsonObject(event) ? event['signatures'] : undefined;
  const given = isJsonObject(all) && Object.hasOwn(all, signer) ? all[signer] : undefined;
  if (!isJsonObject(given)) return [];
  return Object.entries(given).filter((entry): entry is [string, string] => entry[0].startsWith('ed25519:') && entry[0] !== POLICY_KEY_ID && typeof entry[1] === 'string').slice(0, SIGNATURES_MAX);
}
