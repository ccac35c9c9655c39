/** PURE. Invites of users of other servers (spec: server-server, "Inviting to a room"): their server has to sign, too. The room goes on meanwhile, so the invite may come in as a fork. */
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { SendEvent } from '../../../schemas/log/room-input.ts';
import { NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { makeEvent } from '../input/make-event.ts';
import { parseContent } from '../input/parse-content.ts';
import type { RoomHead } from '../input/room-head.ts';
import { policyServerOf } from '../policy/policing.ts';
import { giveUp, inputKey, INVITE_MS_MAX, isPending, isTooLate, NOBODY_ANSWERED, openNeed, ownNeed, refusalOf, sameAtWork, waitFor } from './needs.ts';
import { placeInvite } from './place-invite.ts';
import { strippedState } from './stripped-state.ts';

/** Whether the draft invites somebody of another server. */
export function isInviteOut({ event }: SendEvent, serverName: string): boolean {
  const { type, stateKey } = event;
  if (type !== 'm.room.member' || stateKey === null || stateKey === undefined || !isUserId(stateKey) || domainOf(stateKey) === serverName) return false;
  return parseContent(event.content)?.['membership'] === 'invite';
}

/** undefined: not such an invite. */
export function decideInvite(deciding: Deciding, head: RoomHead, send: SendEvent): RoomDecision | undefined {
  const { picture, input, place, signer } = deciding;
  if (!isInviteOut(send, signer.serverName)) return undefined;
  if (!picture.remote.read.has(input.inputId)) return { kind: 'lacking' };
  const need = ownNeed(picture.remote, input);
  if (need !== undefined) {
    if (isPending(need, place)) return waitFor(need);
    if (need.answer === undefined) return giveUp(deciding, need.needId, NOBODY_ANSWERED);
    return need.answer.status === 200 ? placeInvite({ deciding, head, send, need, answer: need.answer }) : giveUp(deciding, need.needId, refusalOf(need.answer));
  }
  return sameAtWork(deciding) ?? (isTooLate(deciding) ? rejected(NOBODY_ANSWERED) : askToSign(deciding, head, send));
}

function askToSign(deciding: Deciding, head: RoomHead, send: SendEvent): RoomDecision {
  const { picture, signer, input, place } = deciding;
  const policy = policyServerOf(head);
  if (policy === 'lacking') return { kind: 'lacking' };
  const made = makeEvent({
    picture, head, signer, sender: send.sender, draft: send.event, originServerTs: input.originServerTs, deviceId: send.deviceId, txnId: send.txnId, sequence: place.nextSequence,
  });
  if (made.kind === 'refused') return rejected(made.why);
  if (made.kind === 'same') return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: { event_id: made.eventId } };
  const { eventId, bytes } = made.event;
  const destination = domainOf(send.event.stateKey!);
  return openNeed(deciding, {
    kind: 'sign_invite', key: inputKey(input), msMax: INVITE_MS_MAX, roomVersion: head.version.id, eventId, event: bytes,
    body: { signInvite: { destination, eventId, pdu: bytes, strippedState: strippedState(head, send.sender), ...(policy !== undefined && { policy }) } },
  });
}
