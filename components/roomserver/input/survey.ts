/** What the inputs of a batch will ask for, told without any room's state. */
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { PlacedInput } from '../../../pkg/log/processor.ts';
import type { DraftEvent, RoomInput } from '../../../schemas/log/room-input.ts';
import { GUEST_ACCESS } from '../guests/guest-access.ts';
import { relationFacts } from '../relations/judge-relation.ts';
import { receiptRef } from '../storage/refs.ts';
import { textProblem } from './check-input.ts';
import { parseContent } from './parse-content.ts';

/** A draft with as much of its content as the choice of state needs. */
export interface SurveyedDraft {
  readonly type: string;
  readonly sender: string;
  readonly state_key?: string;
  readonly content: Record<string, unknown>;
}

export interface Survey {
  readonly roomIds: Set<string>;
  readonly drafts: { readonly roomId: string; readonly draft: SurveyedDraft }[];
  /** Memberships asked for by themselves: of who types or reads. */
  readonly members: { readonly roomId: string; readonly userId: string }[];
  readonly eventIds: Set<string>;
  readonly receiptRefs: Set<string>;
  readonly aliases: Set<string>;
  /** Rooms that aliases are to point to. */
  readonly aliasedRooms: Set<string>;
  /** Rooms whose place in the room directory changes. */
  readonly published: Set<string>;
  /** Annotations that may be there already (`annotationRef`). */
  readonly annotationRefs: Set<string>;
  /** Events of other servers. */
  readonly received: { readonly roomId: string; readonly eventId: string; readonly pdu: Pdu }[];
}

export function survey(inputs: readonly PlacedInput<RoomInput>[]): Survey {
  const found: Survey = { roomIds: new Set(), drafts: [], members: [], eventIds: new Set(), receiptRefs: new Set(), aliases: new Set(), aliasedRooms: new Set(), published: new Set(), annotationRefs: new Set(), received: [] };
  for (const { input } of inputs) {
    if (textProblem(input) === undefined) surveyInput(found, input);
  }
  return found;
}

function surveyInput(found: Survey, input: RoomInput): void {
  const { roomId, sendEvent, setReceipt, setTyping, receivePdu, createRoom } = input;
  if (input.setAlias || input.deleteAlias) {
    found.aliases.add(roomId);
    if (input.setAlias) found.aliasedRooms.add(input.setAlias.roomId);
    return;
  }
  found.roomIds.add(roomId);
  if (createRoom?.alias) found.aliases.add(createRoom.alias);
  if (sendEvent) surveyDraft(found, roomId, { sender: sendEvent.sender, event: sendEvent.event });
  if (sendEvent?.isGuest === true) found.drafts.push({ roomId, draft: { type: GUEST_ACCESS, sender: sendEvent.sender, state_key: '', content: {} } });
  if (receivePdu) found.received.push({ roomId, eventId: receivePdu.eventId, pdu: JSON.parse(Buffer.from(receivePdu.pdu).toString()) as Pdu });
  surveyRare(found, input);
  if (input.forgetRoom) found.members.push({ roomId, userId: input.forgetRoom.userId });
  if (setTyping) found.members.push({ roomId, userId: setTyping.userId });
  if (setReceipt) {
    found.members.push({ roomId, userId: setReceipt.userId });
    found.eventIds.add(setReceipt.eventId);
    found.receiptRefs.add(receiptRef(roomId, setReceipt.userId, setReceipt.receiptType, setReceipt.threadId ?? ''));
  }
}

function surveyRare(found: Survey, { roomId, refreshMember, setRoomVisibility }: RoomInput): void {
  if (setRoomVisibility) found.published.add(roomId);
  if (refreshMember) found.drafts.push({ roomId, draft: { type: 'm.room.member', sender: refreshMember.userId, state_key: refreshMember.userId, content: { membership: 'join' } } });
}

function surveyDraft(found: Survey, roomId: string, { sender, event }: { sender: string; event: DraftEvent }): void {
  const content = CONTENT_CHOOSES_STATE.has(event.type) ? parseContent(event.content) ?? {} : {};
  const stateKey = event.stateKey ?? undefined;
  const draft = { type: event.type, sender, content };
  found.drafts.push({ roomId, draft: stateKey === undefined ? draft : { ...draft, state_key: stateKey } });
  const redacts = redactsOfDraft(event, content);
  if (redacts !== undefined) found.eventIds.add(redacts);
  const { annotationRef, threadRoot } = relationFacts(roomId, { type: event.type, sender, content: event.content });
  if (annotationRef !== undefined) found.annotationRefs.add(annotationRef);
  if (threadRoot !== undefined) found.eventIds.add(threadRoot);
}

/** Types whose content says which state or which event is looked at; that of others is not read twice. */
const CONTENT_CHOOSES_STATE = new Set(['m.room.member', 'm.room.join_rules', 'm.room.redaction']);

/** The event that a draft wants to redact; in whichever of both places the client put it. */
export function redactsOfDraft(event: DraftEvent, content: Readonly<Record<string, unknown>>): string | undefined {
  if (event.type !== 'm.room.redaction') return undefined;
  if (typeof event.redacts === 'string' && event.redacts !== '') return event.redacts;
  const inContent = content.redacts;
  // A lookup by an ID that no event can have is spared, and so are texts that a database refuses.
  return typeof inContent === 'string' && inContent.startsWith('$') && !inContent.includes('\0') && inContent.isWellFormed() ? inContent : undefined;
}
