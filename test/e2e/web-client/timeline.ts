/** A room's timeline as people read it: edits applied, reactions below what they are about. */
import { EventType, RelationType, type MatrixEvent, type Room } from 'matrix-js-sdk';
import { element, face } from './element.ts';

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
/** One's messages within this stand under one name. */
const TOGETHER_MS = 5 * 60_000;

export function timelineItems(room: Room, userId: string): HTMLElement[] {
  const shown = room.getLiveTimeline().getEvents().filter((event) => isMessage(event) || noticeOf(event) !== undefined);
  return shown.map((event, index) => {
    const notice = noticeOf(event);
    if (notice !== undefined) return element('li', { className: 'notice' }, notice);
    const before = shown[index - 1];
    const continues = before !== undefined && isMessage(before) && before.getSender() === event.getSender() && event.getTs() - before.getTs() < TOGETHER_MS;
    return messageItem(room, event, { userId, continues });
  });
}

function isMessage(event: MatrixEvent): boolean {
  return event.getType() === EventType.RoomMessage && !event.isRelation(RelationType.Replace);
}

function noticeOf(event: MatrixEvent): string | undefined {
  const name = event.sender?.name ?? event.getSender() ?? '';
  const { membership } = event.getContent();
  if (event.getType() === EventType.RoomCreate) return `${name} has made the room`;
  if (event.getType() !== EventType.RoomMember || membership === event.getPrevContent()['membership']) return undefined;
  const whom = event.target?.name ?? event.getStateKey() ?? '';
  if (membership === 'invite') return `${name} has invited ${whom}`;
  if (membership === 'join') return `${whom} has come in`;
  return membership === 'leave' ? `${whom} has left` : undefined;
}

function messageItem(room: Room, event: MatrixEvent, { userId, continues }: { userId: string; continues: boolean }): HTMLElement {
  const name = event.sender?.name ?? event.getSender()!;
  const head = element('div', {}, element('span', { className: 'who' }, name), element('span', { className: 'when' }, TIME.format(event.getDate()!)));
  const item = element('li', { className: continues ? '' : 'first' }, continues ? element('span', {}) : face(event.getSender()!, name),
    element('div', {}, continues ? undefined : head, quoteOf(room, event), bodyOf(event), reactionsOf(room, event, userId)));
  item.dataset['eventId'] = event.getId();
  return item;
}

function bodyOf(event: MatrixEvent): HTMLElement {
  if (event.isRedacted()) return element('div', { className: 'body gone' }, 'This message was taken back');
  const edited = event.replacingEvent() === null ? undefined : element('span', { className: 'edited' }, '(edited)');
  return element('div', { className: 'body' }, String(event.getContent()['body'] ?? ''), edited);
}

function quoteOf(room: Room, event: MatrixEvent): HTMLElement | undefined {
  const answered = event.replyEventId === undefined ? undefined : room.findEventById(event.replyEventId);
  return answered && element('div', { className: 'quote' }, `${answered.sender?.name ?? ''}: ${String(answered.getContent()['body'] ?? '')}`);
}

function reactionsOf(room: Room, event: MatrixEvent, userId: string): HTMLElement | undefined {
  const keys = room.relations.getChildEventsForEvent(event.getId()!, RelationType.Annotation, EventType.Reaction)?.getSortedAnnotationsByKey() ?? [];
  const chips = keys.filter(([, events]) => events.size > 0).map(([key, events]) => {
    const people = [...events].map((one) => one.sender?.name ?? one.getSender()!);
    const isMine = [...events].some((one) => one.getSender() === userId);
    return element('span', { className: isMine ? 'reaction mine' : 'reaction', title: people.join(', ') }, `${key} ${events.size}`);
  });
  return chips.length === 0 ? undefined : element('div', { className: 'reactions' }, ...chips);
}
