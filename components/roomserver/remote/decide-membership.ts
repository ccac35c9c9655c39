/** PURE. Users who join, leave or knock on a room that this server is not in: another server helps (spec: server-server, "Joining Rooms", "Leaving Rooms", "Knocking upon a room"). */
import { canonicalJson, CanonicalJsonError } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import { roomVersion, DEFAULT_ROOM_VERSION } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import type { SendEvent } from '../../../schemas/log/room-input.ts';
import { contentProblem } from '../input/check-content.ts';
import { rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { parseContent } from '../input/parse-content.ts';
import { forbidden, refused, ROOM_NOT_FOUND } from '../input/refused.ts';
import { membershipOf, stateEntry, type RoomHead } from '../input/room-head.ts';
import { isSeenIn, isServerIn, memberRef, type OutsideMember, type RemoteNeed } from './facts.ts';
import { finishJoin } from './finish-join.ts';
import { finishKnock } from './finish-knock.ts';
import { finishLeave, leaveAlone, leftAlready } from './finish-leave.ts';
import { giveUp, inputKey, isPending, isTooLate, JOIN_MS_MAX, joinKey, KNOCK_MS_MAX, LEAVE_MS_MAX, NOBODY_ANSWERED, openNeed, ownNeed, refusalOf, sameAtWork, waitFor } from './needs.ts';
import type { OwnMembership } from './own-membership.ts';
import { placeMember } from './place-member.ts';

/** Servers that are asked, at most. */
const VIA_MAX = 20;

/** `join`, `leave` or `knock` when the draft is that of the sender's own and may need another server; `unread` when what was asked of others for it has to be read first. */
function ownMembership({ picture: { remote: facts }, input, place }: Deciding, head: RoomHead | undefined, { sender, event }: SendEvent): OwnMembership['membership'] | 'unread' | undefined {
  if (event.type !== 'm.room.member' || event.stateKey !== sender) return undefined;
  const membership = parseContent(event.content)?.['membership'];
  if (membership !== 'join' && membership !== 'leave' && membership !== 'knock') return undefined;
  if (!isJoined(head, sender)) return membership;
  if (membership !== 'join' || place.isAgain !== true) return undefined;
  // Another input of the same user has come first: other servers have the join that this one has asked for all the same, and go on from it.
  if (!facts.read.has(input.inputId)) return 'unread';
  return ownNeed(facts, input)?.answer?.status === 200 ? membership : undefined;
}

function isJoined(head: RoomHead | undefined, userId: string): boolean {
  return head !== undefined && membershipOf(head, userId) === 'join';
}

/** undefined: the server is in the room, or there is nobody to ask, so that it is decided like any event. */
export function decideMembership(deciding: Deciding, head: RoomHead | undefined, send: SendEvent): RoomDecision | undefined {
  const membership = ownMembership(deciding, head, send);
  if (membership === undefined) return undefined;
  if (membership === 'unread') return { kind: 'lacking' };
  const { picture: { remote: facts }, input, place, signer } = deciding;
  // The usual case reads nothing.
  if (head !== undefined && place.isAgain !== true && isSeenIn(head, signer.serverName)) return undefined;
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const inside = head !== undefined && isServerIn(facts, head, signer.serverName) ? head : undefined;
  if (inside !== undefined && ownNeed(facts, input) === undefined) return undefined;
  const content = parseContent(send.event.content)!;
  const problem = problemOf(content, send.sender);
  if (problem !== undefined) return rejected(problem);
  const { join_authorised_via_users_server: _given, ...rest } = content;
  const wish: OwnMembership = { deciding, head, send, membership, content: rest, outside: outsideOf(deciding, head, send.sender) };
  if (inside !== undefined) return decideInside(wish, inside);
  if (membership === 'knock') return decideKnock(wish);
  return membership === 'join' ? decideJoin(wish) : decideLeave(wish);
}

/** A join of a room that this server is in, but where none of its users may let others in (spec: client-server, "Restricted rooms"); undefined: there is nobody to ask. */
export function askToAuthorise(deciding: Deciding, head: RoomHead, send: SendEvent): RoomDecision | undefined {
  const { picture: { remote: facts }, input } = deciding;
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const need = ownNeed(facts, input);
  if (need !== undefined) return waitFor(need);
  const { join_authorised_via_users_server: _given, ...content } = parseContent(send.event.content)!;
  const wish: OwnMembership = { deciding, head, send, membership: 'join', content, outside: undefined };
  const via = viaOf(wish, []);
  if (via.length === 0) return undefined;
  const atWork = joinAtWork(deciding);
  return atWork === undefined ? askToJoin(wish, via) : waitFor(atWork);
}

/** With a need of its own, in a room that this server is in: it was authorised by another server, or another user's join has come first. */
function decideInside(wish: OwnMembership, head: RoomHead): RoomDecision | undefined {
  const { deciding, membership } = wish;
  const need = ownNeed(deciding.picture.remote, deciding.input)!;
  if (isPending(need, deciding.place)) return waitFor(need);
  if (need.answer?.status === 200) {
    const placed = placeMember(wish, { head, needId: need.needId, answer: need.answer });
    // Who is in the room already loses nothing: when others go on from the event, it is asked for like any of theirs.
    return placed.kind === 'rejected' && isJoined(head, wish.send.sender) ? undefined : placed;
  }
  // Here a leave or a knock needs nobody else.
  return membership !== 'join' ? undefined : giveUp(deciding, need.needId, need.answer === undefined ? NOBODY_ANSWERED : refusalOf(need.answer));
}

/** What `makeEvent` would find wrong with the content. The shape of a membership is the same in all versions. */
function problemOf(content: Record<string, unknown>, userId: string): RejectedOutcome | undefined {
  try {
    canonicalJson(content);
  } catch (error) {
    if (error instanceof CanonicalJsonError) return refused(400, 'M_BAD_JSON', `The event cannot be put into canonical JSON: ${error.message}`);
    throw error;
  }
  return contentProblem('m.room.member', userId, content, roomVersion(DEFAULT_ROOM_VERSION)!);
}

/** The newest that this server was told while it was out of the room; else what the room was when it left. */
function outsideOf({ picture: { remote }, input }: Deciding, head: RoomHead | undefined, userId: string): OutsideMember | undefined {
  const told = remote.outside.get(memberRef(input.roomId, userId));
  if (told !== undefined && told !== null) return told;
  const entry = head && stateEntry(head, 'm.room.member', userId);
  const membership = entry?.pdu.content.membership;
  if (head === undefined || entry === undefined || (membership !== 'invite' && membership !== 'knock')) return undefined;
  return { membership, eventId: entry.eventId, sender: entry.pdu.sender, origin: '', roomVersion: head.version.id, bytes: Buffer.from(eventText(entry.pdu, head.version)) };
}

function decideJoin(wish: OwnMembership): RoomDecision | undefined {
  const { deciding } = wish;
  const { picture: { remote: facts }, input, place } = deciding;
  const need = ownNeed(facts, input);
  if (need !== undefined) {
    if (isPending(need, place)) return waitFor(need);
    if (need.answer === undefined) return giveUp(deciding, need.needId, NOBODY_ANSWERED);
    return need.answer.status === 200 ? finishJoin(wish, need.needId, need.answer) : giveUp(deciding, need.needId, refusalOf(need.answer));
  }
  const atWork = joinAtWork(deciding);
  if (atWork !== undefined) return waitFor(atWork);
  const via = viaOf(wish, facts.rooms.get(input.roomId)?.servers ?? []);
  return via.length === 0 ? undefined : askToJoin(wish, via);
}

/** Another join of the room over federation; also one that is answered and was not looked at since: with it this server is in the room. */
function joinAtWork({ picture: { remote: facts }, input, place }: Deciding): RemoteNeed | undefined {
  const key = joinKey(input);
  return [...facts.needs.values()].find((need) => need !== null && need.roomId === input.roomId && need.parkedKey === key && need.deadlineMs > place.nowMs) ?? undefined;
}

function askToJoin(wish: OwnMembership, via: readonly string[]): RoomDecision {
  const { deciding, head, send } = wish;
  if (isTooLate(deciding)) return rejected(NOBODY_ANSWERED);
  return openNeed(deciding, {
    kind: 'remote_membership', eventId: '', key: joinKey(deciding.input), msMax: JOIN_MS_MAX, roomVersion: head?.version.id ?? wish.outside?.roomVersion ?? '',
    body: { remoteMembership: { userId: send.sender, membership: 'join', via: [...via], content: jsonOf(wish.content) } },
  });
}

/** Whatever is known of the room here is old: only another server can take the knock. */
function decideKnock(wish: OwnMembership): RoomDecision | undefined {
  const { deciding, head, outside } = wish;
  const { picture: { remote: facts }, input, place } = deciding;
  const need = ownNeed(facts, input);
  if (need !== undefined) {
    if (isPending(need, place)) return waitFor(need);
    if (need.answer === undefined) return giveUp(deciding, need.needId, NOBODY_ANSWERED);
    return need.answer.status === 200 ? finishKnock(wish, need.needId, need.answer) : giveUp(deciding, need.needId, refusalOf(need.answer));
  }
  const atWork = sameAtWork(deciding);
  if (atWork !== undefined) return atWork;
  if (outside?.membership === 'invite') return rejected(forbidden('You are invited to the room already'));
  const via = viaOf(wish, facts.rooms.get(input.roomId)?.servers ?? []);
  if (via.length === 0) return rejected(ROOM_NOT_FOUND);
  return isTooLate(deciding) ? rejected(NOBODY_ANSWERED) : openNeed(deciding, {
    kind: 'remote_membership', eventId: '', key: inputKey(input), msMax: KNOCK_MS_MAX, roomVersion: head?.version.id ?? '',
    body: { remoteMembership: { userId: wish.send.sender, membership: 'knock', via, content: jsonOf(wish.content) } },
  });
}

/** Whatever other servers say, or do not say: who is invited or knocks can get rid of it. */
function decideLeave(wish: OwnMembership): RoomDecision | undefined {
  const { deciding, send, outside } = wish;
  const { picture: { remote: facts }, input, place } = deciding;
  if (outside === undefined) return undefined;
  if (outside.membership === 'leave') return leftAlready(outside);
  const need = ownNeed(facts, input);
  if (need !== undefined) {
    if (isPending(need, place)) return waitFor(need);
    return need.answer?.status === 200 ? finishLeave(wish, outside, need) : leaveAlone(wish, outside, need.needId);
  }
  const atWork = sameAtWork(deciding);
  if (atWork !== undefined) return atWork;
  const via = viaOf(wish, []);
  if (via.length === 0) return leaveAlone(wish, outside, undefined);
  return openNeed(deciding, {
    kind: 'remote_membership', eventId: '', key: inputKey(input), msMax: LEAVE_MS_MAX, roomVersion: outside.roomVersion,
    body: { remoteMembership: { userId: send.sender, membership: 'leave', via, content: jsonOf(wish.content) } },
  });
}

/** The inviting server, or the one that took the knock, first when somebody leaves: it is sure to know of it. */
function viaOf({ deciding, send, membership, outside }: OwnMembership, last: readonly string[]): string[] {
  const knowing = outside === undefined ? [] : [outside.origin, domainOf(outside.sender)];
  const named = send.via ?? [];
  const ordered = membership === 'leave' ? [...knowing, ...named] : [...named, ...knowing];
  return [...new Set([...ordered, ...last])].filter((server) => server !== deciding.signer.serverName && isServerName(server)).slice(0, VIA_MAX);
}

function jsonOf(content: Record<string, unknown>): Uint8Array {
  return Buffer.from(JSON.stringify(content));
}
