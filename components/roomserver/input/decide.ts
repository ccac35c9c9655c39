/** PURE. The verdict on one input, from the picture that `load` took. Nothing is changed here: an accepted decision's effects are played into the picture by `evolve.ts`. */
import type { SendEvent } from '../../../schemas/log/room-input.ts';
import { decideDeleteAlias, decideSetAlias } from '../aliases/decide-alias.ts';
import { decideVisibility } from '../directory/decide-visibility.ts';
import { decideForget } from '../forget/decide-forget.ts';
import { guestProblem } from '../guests/guest-access.ts';
import { decideHistory } from '../history/decide-history.ts';
import { askPolicy, decidePrepared } from '../policy/ask-policy.ts';
import { decideComplete } from '../partial/decide-complete.ts';
import { waitForMembers } from '../partial/wait-for-members.ts';
import { decideBeginning } from '../receive/begin-room.ts';
import { decideReceive } from '../receive/decide-receive.ts';
import { decideAnswer } from '../remote/decide-answer.ts';
import { decideInvite } from '../remote/decide-invite.ts';
import { askToAuthorise, decideMembership } from '../remote/decide-membership.ts';
import { decideImport } from '../remote/import-state.ts';
import { giveUp, ownNeed } from '../remote/needs.ts';
import { decideReceiveInvite } from '../remote/receive-invite.ts';
import { decideFinishUpgrade, decideUpgrade } from '../upgrade/decide-upgrade.ts';
import { carryOut } from './carry-out.ts';
import { textProblem } from './check-input.ts';
import { decideCreateRoom } from './decide-create-room.ts';
import { decideRefreshMember } from './decide-refresh-member.ts';
import { decideReceipt } from './decide-receipt.ts';
import { decideTyping } from './decide-typing.ts';
import { NO_EFFECTS, rejected, type Deciding, type RoomDecision } from './decision.ts';
import { makeEvent } from './make-event.ts';
import { graphAt } from './picture.ts';
import { ROOM_NOT_FOUND } from './refused.ts';
import { UNABLE_TO_AUTHORISE } from './restricted-join.ts';
import type { RoomHead } from './room-head.ts';

export function decide(deciding: Deciding): RoomDecision {
  const { input, picture } = deciding;
  const problem = textProblem(input);
  if (problem !== undefined) return rejected(problem);
  if (input.answer) return decideAnswer(deciding, input.answer);
  const ofAlias = decideOfAlias(deciding);
  if (ofAlias) return ofAlias;
  const head = picture.heads.get(input.roomId);
  const waiting = decideWaiting(deciding, head);
  if (waiting) return waiting;
  const ofRoom = decideOfRoom(deciding, head);
  if (ofRoom) return ofRoom;
  if (input.createRoom) return decideCreateRoom(deciding, input.createRoom, head !== undefined);
  const elsewhere = input.sendEvent && decideElsewhere(deciding, head, input.sendEvent);
  if (elsewhere) return elsewhere;
  if (head === undefined) return input.receivePdu ? decideBeginning(deciding, input.receivePdu) : rejected(ROOM_NOT_FOUND);
  if (input.receivePdu) return decideReceive(deciding, graphAt(picture, head), { receive: input.receivePdu, pdu: picture.pdus.get(input.receivePdu.eventId)! });
  if (input.sendEvent) return decideSendEvent(deciding, head, input.sendEvent);
  if (input.setReceipt) return decideReceipt(deciding, head, input.setReceipt);
  return decideTyping(deciding, head, input.setTyping!);
}

/** What the room is not ready for; undefined: it is. */
function decideWaiting(deciding: Deciding, head: RoomHead | undefined): RoomDecision | undefined {
  if (deciding.picture.remote.arrived.has(deciding.input.roomId)) return { kind: 'parked', reason: 'this server has just come into the room', untilMs: deciding.place.nowMs + 1 };
  return head?.partial === undefined ? undefined : waitForMembers(deciding, head);
}

/** Its key is the alias. */
function decideOfAlias(deciding: Deciding): RoomDecision | undefined {
  const { setAlias, deleteAlias } = deciding.input;
  if (setAlias) return decideSetAlias(deciding, setAlias);
  return deleteAlias ? decideDeleteAlias(deciding, deleteAlias) : undefined;
}

/** What concerns a room as a whole, or users of it that need not be in it. */
function decideOfRoom(deciding: Deciding, head: RoomHead | undefined): RoomDecision | undefined {
  const { upgradeRoom, finishUpgrade, forgetRoom, importState, receiveInvite, fetchHistory, setRoomVisibility, refreshMember } = deciding.input;
  if (fetchHistory && head !== undefined) return decideHistory(deciding, head, fetchHistory);
  if (refreshMember) return decideRefreshMember(deciding, head, refreshMember);
  if (setRoomVisibility) return decideVisibility(deciding, head, setRoomVisibility);
  if (importState) return decideImport(deciding, head, importState);
  if (deciding.input.completeRoom) return decideComplete(deciding, head, deciding.input.completeRoom);
  if (receiveInvite) return decideReceiveInvite(deciding, head, receiveInvite);
  if (upgradeRoom) return decideUpgrade(deciding, head, upgradeRoom);
  if (finishUpgrade) return decideFinishUpgrade(deciding, finishUpgrade);
  return forgetRoom ? decideForget(deciding, head, forgetRoom) : undefined;
}

/** What needs another server; undefined: it does not. */
function decideElsewhere(deciding: Deciding, head: RoomHead | undefined, send: SendEvent): RoomDecision | undefined {
  if (send.event.type !== 'm.room.member') return undefined;
  const barred = guestProblem(head, send);
  if (barred !== undefined) return rejected(barred);
  return decideMembership(deciding, head, send) ?? (head && decideInvite(deciding, head, send));
}

function decideSendEvent(deciding: Deciding, head: RoomHead, send: SendEvent): RoomDecision {
  const { picture, signer, input, place } = deciding;
  const prepared = decidePrepared(deciding, head, send);
  if (prepared !== undefined) return prepared;
  const made = makeEvent({
    picture, head, signer, sender: send.sender, draft: send.event, originServerTs: input.originServerTs,
    deviceId: send.deviceId, txnId: send.txnId, byAdmin: send.byAdmin, onlyFrom: send.onlyFrom, sequence: place.nextSequence,
  });
  // It may have asked another server, and then not need it.
  const need = picture.remote.needs.size === 0 ? undefined : ownNeed(picture.remote, input);
  if (made.kind === 'refused') {
    const asking = made.why.errcode === UNABLE_TO_AUTHORISE ? askToAuthorise(deciding, head, send) : undefined;
    return asking ?? (need === undefined ? rejected(made.why) : giveUp(deciding, need.needId, made.why));
  }
  if (made.kind === 'same') {
    const effects = need === undefined ? NO_EFFECTS : { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], needs: { closed: [need.needId] } };
    return { kind: 'accepted', effects, outputs: [], result: { event_id: made.eventId } };
  }
  return askPolicy(deciding, head, made.event) ?? carryOut(deciding, head, made, need && { closed: [need.needId] });
}
