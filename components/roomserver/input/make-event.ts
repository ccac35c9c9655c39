/** PURE. One event out of a draft: checked, built on the head of its room, signed and authorised; or why not. */
import type { DraftEvent } from '../../../schemas/log/room-input.ts';
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import { authTypesFor } from '../../../pkg/matrix/auth/auth-types.ts';
import { authorize } from '../../../pkg/matrix/auth/authorize.ts';
import { CanonicalJsonError, tolerantJson } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { buildEvent, type BuiltEvent } from '../../../pkg/matrix/events/build-event.ts';
import { checkSize } from '../../../pkg/matrix/events/check-size.ts';
import type { EventDraft } from '../../../pkg/matrix/events/pdu.ts';
import { referenceTo, type EventReference } from '../../../pkg/matrix/events/references.ts';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import { relationProblem } from '../relations/judge-relation.ts';
import { contentProblem } from './check-content.ts';
import type { NewEvent, Redaction, NewState } from './effects.ts';
import { visibilityAt } from './history-visibility.ts';
import { parseContent } from './parse-content.ts';
import type { Picture } from './picture.ts';
import { judgeRedaction } from './redaction.ts';
import { prevReferences } from './references.ts';
import { forbidden, refused } from './refused.ts';
import { chooseAuthoriser, lookupIn } from './restricted-join.ts';
import { membershipOf, stateEntry, type RoomHead } from './room-head.ts';
import { isShown } from './shown.ts';
import { redactsOfDraft } from './survey.ts';

type Content = Record<string, unknown>;

export interface Signer {
  readonly serverName: string;
  readonly signingKey: SigningKey;
}

/** Who says what, where and when. */
export interface EventWish {
  readonly picture: Picture;
  readonly head: RoomHead;
  readonly signer: Signer;
  readonly sender: string;
  readonly draft: DraftEvent;
  readonly originServerTs: number;
  readonly deviceId: string;
  readonly txnId: string;
  /** What the user of a member event must be in the room; empty: anything. */
  readonly onlyFrom?: readonly string[] | undefined;
  /** The sender is an administrator of this server. */
  readonly byAdmin?: boolean | undefined;
  /** Of the output record that will announce the event. */
  readonly sequence: number;
}

/** An event that joins more branches than this (spec: server-server, "PDU fields") leaves the others to the next one. */
export const PREV_EVENTS_MAX = 20;

export type MadeEvent =
  | { readonly kind: 'made'; readonly event: NewEvent; readonly redaction: Redaction | undefined }
  /** The state says so already. */
  | { readonly kind: 'same'; readonly eventId: string }
  | { readonly kind: 'refused'; readonly why: RejectedOutcome };

/**
 * 1 content, and whether it fits what is there · 2 the same state again · 3 membership: what the rules leave open, restricted joins · 4 build and sign · 5 size · 6 authorisation rules ·
 * 7 relations that are refused · 8 the right to redact.
 */
export function makeEvent(wish: EventWish): MadeEvent {
  const content = parseContent(wish.draft.content);
  if (content === undefined) return no(refused(400, 'M_BAD_JSON', 'The content of an event is a JSON object'));
  try {
    return makeFromContent(wish, content);
  } catch (error) {
    if (error instanceof CanonicalJsonError) return no(refused(400, 'M_BAD_JSON', `The event cannot be put into canonical JSON: ${error.message}`));
    throw error;
  }
}

function makeFromContent(wish: EventWish, given: Content): MadeEvent {
  const { head, sender } = wish;
  const { type } = wish.draft;
  const stateKey = wish.draft.stateKey ?? undefined;
  // 1.
  const problem = problemOf(wish, given);
  if (problem !== undefined) return no(problem);
  const isMembership = type === 'm.room.member' && stateKey !== undefined;
  const content = isMembership ? withoutAuthoriser(given) : given;
  // 2.
  const before = stateKey === undefined ? undefined : stateEntry(head, type, stateKey);
  if (before !== undefined && before.pdu.sender === sender && isSameContent(before.pdu.content, content, isMembership)) return { kind: 'same', eventId: before.eventId };
  // 3.
  const judged = isMembership ? judgeMembership(wish, stateKey, content) : { content };
  if (judged.why !== undefined) return no(judged.why);
  // 4.
  const redacts = redactsOfDraft(wish.draft, content);
  if (type === 'm.room.redaction' && redacts === undefined) return no(refused(400, 'M_BAD_JSON', 'A redaction needs the ID of the event to redact'));
  const draft: EventDraft = { type, sender, content: judged.content, ...(stateKey !== undefined && { state_key: stateKey }), ...(redacts !== undefined && { redacts }) };
  return finish(wish, draft, build(wish, draft));
}

function finish(wish: EventWish, draft: EventDraft, built: BuiltEvent): MadeEvent {
  const { head } = wish;
  // 5.
  if (checkSize(built) === 'too_large') return no(refused(413, 'M_TOO_LARGE', 'The event is larger than an event may be (65,536 bytes; 255 for its type, state key and IDs)'));
  // 6.
  const verdict = authorize({ event: built.pdu, version: head.version, state: lookupIn(head), roomId: head.roomId });
  if (!verdict.allowed) return no(forbidden(verdict.reason));
  // 7.
  const problem = relationProblem(wish.picture, head.roomId, draft);
  if (problem !== undefined) return no(problem);
  // 8.
  const redaction = draft.redacts === undefined ? undefined : judgeRedaction(wish.picture, head, {
    eventId: built.eventId, sender: draft.sender, redacts: draft.redacts, byAdmin: wish.byAdmin === true, serverName: wish.signer.serverName,
  });
  if (redaction?.kind === 'refused') return no(redaction.why);
  return { kind: 'made', event: newEvent(wish, built, redaction?.redaction?.eventId), redaction: redaction?.redaction };
}

function build({ head, signer, originServerTs }: EventWish, draft: EventDraft): BuiltEvent {
  const authEvents: EventReference[] = [];
  for (const [type, stateKey] of authTypesFor(draft, head.version)) {
    const entry = stateEntry(head, type, stateKey);
    if (entry !== undefined) authEvents.push(referenceTo(entry, head.version));
  }
  return buildEvent({
    version: head.version, draft, roomId: head.roomId, prevEvents: prevReferences(head, PREV_EVENTS_MAX), authEvents, depth: head.depth + 1, originServerTs,
    serverName: signer.serverName, signingKey: signer.signingKey,
  });
}

function newEvent(wish: EventWish, built: BuiltEvent, redacts: string | undefined): NewEvent {
  const { head } = wish;
  const { type, state_key: stateKey } = built.pdu;
  const state: NewState | undefined = stateKey === undefined ? undefined : {
    stateId: head.lastStateId + 1, prevStateId: head.stateId, depth: head.stateDepth + 1, isCurrent: true,
    steps: [{ type, stateKey, entry: { eventId: built.eventId, pdu: built.pdu }, replaces: stateEntry(head, type, stateKey) }],
  };
  return {
    eventId: built.eventId, pdu: built.pdu, bytes: Buffer.from(built.json), kind: 'local', verdict: 'accepted', orderKey: isShown(built.pdu) ? head.orderKey + 1 : null, sequence: wish.sequence,
    stateId: state?.stateId ?? head.stateId, states: state === undefined ? [] : [state], historyVisibility: visibilityAt(lookupIn(head), built.pdu),
    deviceId: wish.deviceId, txnId: wish.txnId, redacts, stateBeforeDiffers: false, relayOf: '',
  };
}

/**
 * The content with the authoriser that a restricted join needs; or why the membership is refused where the authorisation rules would let it pass: they allow a kick of
 * somebody who is not there.
 */
function judgeMembership(wish: EventWish, target: string, content: Content): { content: Content; why?: undefined } | { why: RejectedOutcome } {
  const { head, sender, picture, signer } = wish;
  if (content.membership === 'leave' && sender !== target && membershipOf(head, target) === 'leave') {
    return { why: forbidden(membershipOf(head, sender) === 'join' ? `${target} is not in the room` : `${sender} is not joined to the room`) };
  }
  if (content.membership !== 'join' || sender !== target) return { content };
  const authoriser = chooseAuthoriser(picture, head, sender, signer.serverName);
  if (authoriser === undefined) return { content };
  return typeof authoriser === 'string' ? { content: { ...content, join_authorised_via_users_server: authoriser } } : { why: authoriser };
}

/** Why there can be no such event, or, of a member event, why it does not fit what its user is in the room. */
function problemOf({ head, draft: { type, stateKey }, onlyFrom = [] }: EventWish, content: Content): RejectedOutcome | undefined {
  const problem = contentProblem(type, stateKey ?? undefined, content, head.version);
  if (problem === undefined && type === 'm.room.tombstone' && content['replacement_room'] === head.roomId) return refused(400, 'M_INVALID_PARAM', 'A room cannot replace itself');
  if (problem !== undefined || onlyFrom.length === 0) return problem;
  const membership = membershipOf(head, stateKey ?? '');
  return onlyFrom.includes(membership) ? undefined : forbidden(`${stateKey ?? ''} is none of these in the room: ${onlyFrom.join(', ')}`);
}

/** Who authorises a join is for the owner to say; a client's own idea would need another server's signature. */
function withoutAuthoriser(content: Content): Content {
  if (!Object.hasOwn(content, 'join_authorised_via_users_server')) return content;
  const { join_authorised_via_users_server: _given, ...rest } = content;
  return rest;
}

function isSameContent(before: Content, content: Content, isMembership: boolean): boolean {
  return tolerantJson(isMembership ? withoutAuthoriser(before) : before) === tolerantJson(content);
}

function no(why: RejectedOutcome): MadeEvent {
  return { kind: 'refused', why };
}
