/** Has the invited user's server sign an invite (spec: server-server, "Inviting to a room"). Rooms of versions 1 and 2, for which there is an older endpoint, do not exist here. */
import { canonicalJson } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { SignInvite } from '../../../schemas/log/room-output.ts';
import { NeedFailure } from './failure.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { malformed, objectIn, versionOf } from './lists.ts';
import { addSignatureFrom } from './signatures.ts';

const LIMIT_MS = 30_000;

/** The invite with both signatures. Rejects with `NeedFailure`, `FederationError`, `StorageError`. */
export async function signInvite(tools: NeedTools, job: NeedJob, wish: SignInvite): Promise<Fulfilled> {
  const version = versionOf(job.roomVersion);
  const event = JSON.parse(Buffer.from(wish.pdu).toString()) as Pdu;
  const body = await askForSignature(tools, job, { wish, event });
  const signed = await addSignatureFrom(tools, { event, version }, { signer: wish.destination, returned: objectIn(body, 'event') });
  if (signed === undefined) throw malformed(`${wish.destination} has not signed the invite`);
  return { answer: { origin: wish.destination, eventId: wish.eventId, pdu: Buffer.from(canonicalJson(signed)) } };
}

async function askForSignature(tools: NeedTools, job: NeedJob, { wish, event }: { wish: SignInvite; event: Pdu }): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await tools.ask(job, {
      destination: wish.destination, method: 'PUT', path: `/_matrix/federation/v2/invite/${encodeURIComponent(job.roomId)}/${encodeURIComponent(wish.eventId)}`,
      body: { room_version: job.roomVersion, event, invite_room_state: JSON.parse(Buffer.from(wish.strippedState).toString()) as unknown }, limitMs: LIMIT_MS, insistent: true,
    });
  } catch (error) {
    if (isIncompatible(error)) throw new NeedFailure(400, 'M_UNSUPPORTED_ROOM_VERSION', "The user's server does not know this version of rooms");
    throw error;
  }
}

function isIncompatible(error: unknown): boolean {
  return error instanceof Error && (error as { errcode?: unknown }).errcode === 'M_INCOMPATIBLE_ROOM_VERSION';
}
