/** Has a room's policy server sign an event (spec: server-server, "Asking for a Policy Server signature on an event", POST /_matrix/policy/v1/sign). */
import { FederationError } from '../../../pkg/federation/transport.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import { isSignedByPolicy, policySignatureIn, withPolicySignature, type PolicyServer } from '../../../pkg/matrix/policy/policy-server.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { AskPolicy } from '../../../schemas/log/room-output.ts';
import { NeedFailure } from './failure.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { malformed, versionOf } from './lists.ts';

/** Whoever sends waits for it, and for a little more than that. */
const LIMIT_MS = 2800;
/** No server name holds a space. */
const POLICY = 'policy ';
const TEXT_MAX = 1000;
const FIELDS_BYTES_MAX = 2000;

/** Whose needs of this kind share what is counted of a server: a policy server that is gone says nothing of the homeserver of the same name, nor the other way round. */
export function policyOf(serverName: string): string {
  return `${POLICY}${serverName}`;
}

export function isPolicy(destination: string): boolean {
  return destination.startsWith(POLICY);
}

/** The event with the policy server's signature, too. Rejects with `NeedFailure` and `FederationError`. */
export async function askPolicy(tools: NeedTools, job: NeedJob, { policy, eventId, pdu, isOurs }: AskPolicy): Promise<Fulfilled> {
  const version = versionOf(job.roomVersion);
  if (!policy) throw new NeedFailure(404, 'M_NOT_FOUND', 'The room has no policy server');
  const event = JSON.parse(Buffer.from(pdu).toString()) as Pdu;
  const signed = await signedByPolicy(tools, job, { policy, event, version, isOurs });
  return { answer: { origin: policy.serverName, eventId, pdu: Buffer.from(eventText(signed, version)) } };
}

export interface PolicyWish {
  readonly policy: PolicyServer;
  readonly event: Pdu;
  readonly version: RoomVersion;
  /** The event was made here, and its sender waits. */
  readonly isOurs: boolean;
}

/** The same, as an event. What the policy server says to the sender of one of ours is told in its own words. */
export async function signedByPolicy(tools: NeedTools, job: NeedJob, { policy, event, version, isOurs }: PolicyWish): Promise<Pdu> {
  const { serverName } = policy;
  if (!isServerName(serverName)) throw new NeedFailure(502, 'M_UNKNOWN', "The room's policy server has no server name");
  let body: Readonly<Record<string, unknown>>;
  try {
    body = await tools.ask(job, {
      destination: serverName, method: 'POST', path: '/_matrix/policy/v1/sign', json: eventText(event, version), limitMs: LIMIT_MS, insistent: isOurs, pausedAs: policyOf(serverName),
    });
  } catch (error) {
    throw isOurs && error instanceof FederationError ? inItsWords(serverName, error) : error;
  }
  const signature = policySignatureIn(body, serverName);
  if (signature === undefined) throw malformed(`the room's policy server ${serverName} has not signed the event`);
  const signed = withPolicySignature(event, serverName, signature);
  if (!isSignedByPolicy(signed, version, policy)) throw malformed(`the signature of the room's policy server ${serverName} is not right`);
  return signed;
}

/** What it says of this server's own signature is no matter of a client's. */
function inItsWords(serverName: string, { kind, status = 0, errcode, body = {} }: FederationError): NeedFailure {
  if (kind === 'http' && errcode !== undefined && status >= 400 && status < 500 && status !== 401) {
    const { errcode: _errcode, error, ...fields } = body;
    const text = typeof error === 'string' ? error.slice(0, TEXT_MAX).toWellFormed() : `The room's policy server ${serverName} refuses the event`;
    return new NeedFailure(status, errcode, text, Buffer.byteLength(JSON.stringify(fields)) > FIELDS_BYTES_MAX ? {} : fields);
  }
  const isLate = kind === 'timeout' || kind === 'cancelled';
  return new NeedFailure(isLate ? 504 : 502, 'M_UNKNOWN', `The room's policy server ${serverName} ${isLate ? 'did not answer in time' : 'cannot be asked'}, so the event was not sent`);
}
