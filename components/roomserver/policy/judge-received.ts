/** PURE. Step 7 of the checks on receipt of a PDU (spec: server-server, "Validating Policy Server signatures"): whether the room's policy server recommends an event of another server. */
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isSignedByPolicy, policySignatureIn, withPolicySignature, type PolicyServer } from '../../../pkg/matrix/policy/policy-server.ts';
import { parseContent } from '../input/parse-content.ts';
import type { RoomHead } from '../input/room-head.ts';
import type { GraphNeed } from '../receive/room-graph.ts';
import { policyFor } from './policing.ts';

/** How long an event waits for the policy server; the others of its sender wait behind it. */
export const ASKING_MS_MAX = 10_000;

/** What is known of the policy server's mind; `refusal`: it was asked in vain. */
export interface PolicyAsked {
  readonly refusal?: string;
}

export type PolicyVerdict =
  | { readonly kind: 'recommended' }
  | { readonly kind: 'lacking' }
  /** Its signature is missing or wrong: it is to be asked for a new one. */
  | { readonly kind: 'unsigned'; readonly policy: PolicyServer }
  | { readonly kind: 'refused'; readonly reason: string };

const RECOMMENDED: PolicyVerdict = { kind: 'recommended' };

export function judgeReceived(head: RoomHead, pdu: Pdu, { refusal }: PolicyAsked): PolicyVerdict {
  const policy = policyFor(head, pdu);
  if (policy === undefined) return RECOMMENDED;
  if (policy === 'lacking') return { kind: 'lacking' };
  if (isSignedByPolicy(pdu, head.version, policy)) return RECOMMENDED;
  return refusal === undefined ? { kind: 'unsigned', policy } : { kind: 'refused', reason: `The room's policy server ${policy.serverName} does not recommend it: ${refusal}` };
}

/** The event with the signature that its need has brought, and what step 7 makes of that need. */
export function afterAsking(need: GraphNeed | undefined, nowMs: number): { readonly asked: PolicyAsked; sign(pdu: Pdu): Pdu } {
  const answer = need?.answer;
  if (need === undefined || (answer === undefined && nowMs < need.deadlineMs)) return { asked: {}, sign: (pdu) => pdu };
  if (answer?.status !== 200) return { asked: { refusal: answer === undefined ? 'it did not answer' : `${answer.errcode} ${answer.error}` }, sign: (pdu) => pdu };
  const signature = policySignatureIn(parseContent(answer.pdu)?.['signatures'], answer.origin);
  return { asked: { refusal: 'its signature is wrong' }, sign: (pdu) => (signature === undefined ? pdu : withPolicySignature(pdu, answer.origin, signature)) };
}

/** What is stored of the event. */
export function signedBytes(pdu: Pdu, { version }: Pick<RoomHead, 'version'>): Uint8Array {
  return Buffer.from(eventText(pdu, version));
}
