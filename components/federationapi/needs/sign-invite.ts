/** Has the invited user's server sign an invite (spec: server-server, "Inviting to a room"). */
import type { FederationError } from '../../../pkg/federation/transport.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { SignInvite } from '../../../schemas/log/room-output.ts';
import { signedByPolicy } from './ask-policy.ts';
import { NeedFailure } from './failure.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { malformed, objectIn, versionOf } from './lists.ts';
import { askEitherVersion, isUnknownEndpoint } from './older-api.ts';
import { addSignatureFrom } from './signatures.ts';

const LIMIT_MS = 30_000;

/** The invite with both signatures. Rejects with `NeedFailure`, `FederationError`, `StorageError`. */
export async function signInvite(tools: NeedTools, job: NeedJob, wish: SignInvite): Promise<Fulfilled> {
  const version = versionOf(job.roomVersion);
  const made = JSON.parse(Buffer.from(wish.pdu).toString()) as Pdu;
  const event = wish.policy ? await signedByPolicy(tools, job, { policy: wish.policy, event: made, version, isOurs: true }) : made;
  const body = await askForSignature(tools, job, { wish, event });
  const signed = await addSignatureFrom(tools, { event, version }, { signer: wish.destination, returned: objectIn(body, 'event') });
  if (signed === undefined) throw malformed(`${wish.destination} has not signed the invite`);
  return { answer: { origin: wish.destination, eventId: wish.eventId, pdu: Buffer.from(eventText(signed, version)) } };
}

async function askForSignature(tools: NeedTools, job: NeedJob, { wish, event }: { wish: SignInvite; event: Pdu }): Promise<Readonly<Record<string, unknown>>> {
  try {
    const invite_room_state = JSON.parse(Buffer.from(wish.strippedState).toString()) as unknown;
    return await askEitherVersion(tools, job, {
      endpoint: 'invite', eventId: wish.eventId,
      question: { destination: wish.destination, body: { room_version: job.roomVersion, event, invite_room_state }, limitMs: LIMIT_MS, insistent: true },
      olderBody: { ...event, unsigned: { invite_room_state } }, isTooNew: isTooNewFor(job.roomVersion),
    });
  } catch (error) {
    if (isIncompatible(error)) throw new NeedFailure(400, 'M_UNSUPPORTED_ROOM_VERSION', "The user's server does not know this version of rooms");
    throw error;
  }
}

/** The old endpoint knows no other versions of rooms than 1 and 2. Servers of its time said all kinds of things of the new one. */
function isTooNewFor(roomVersion: string): (error: FederationError) => boolean {
  return (error) => (roomVersion === '1' || roomVersion === '2') && (isUnknownEndpoint(error) || (error.kind === 'http' && (error.status === 400 || error.status === 404)));
}

function isIncompatible(error: unknown): boolean {
  return error instanceof Error && (error as { errcode?: unknown }).errcode === 'M_INCOMPATIBLE_ROOM_VERSION';
}
