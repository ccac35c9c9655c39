/** Plays an accepted input's effects into the picture and the heads, so that the next inputs of the batch stand on them. */
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { notePolicing } from '../policy/policing.ts';
import { addNewEvent } from '../receive/room-graph.ts';
import { annotationsOf } from '../relations/annotation-row.ts';
import { receiptRef } from '../storage/refs.ts';
import { isReadAnew, type NewEvent, type Redaction, type RoomEffects, type RoomRow } from './effects.ts';
import type { Picture } from './picture.ts';
import { noteReferences } from './references.ts';
import { advance, currentStateOf, headOf, setState, stateEntry, stateKeyOf, type RoomHead } from './room-head.ts';

/** `made`: called with the head of a room that these effects create. */
export function evolve(picture: Picture, effects: RoomEffects, made: (head: RoomHead) => void): void {
  if (isReadAnew(effects)) leaveToNextBatch(picture, effects.roomId);
  else if (effects.room !== undefined) evolveRoom(picture, effects, effects.room, made);
  else if (effects.history !== undefined) evolveHistory(picture, effects);
  const { receipt, alias, published } = effects;
  if (published !== undefined) picture.published.set(effects.roomId, published.networks);
  if (alias?.row !== undefined) picture.aliases.set(alias.alias, { ...alias.row, roomExists: alias.roomExists === true });
  else if (alias !== undefined) picture.aliases.delete(alias.alias);
  if (receipt !== undefined) picture.receipts.set(receiptRef(receipt.roomId, receipt.userId, receipt.receiptType, receipt.threadId), receipt.orderKey);
}

function evolveHistory(picture: Picture, effects: RoomEffects): void {
  noteNews(picture, effects.roomId, effects.events);
  const head = picture.heads.get(effects.roomId);
  if (head !== undefined) for (const redaction of effects.redactions) applyRedaction(picture, head, redaction);
}

/** The room's state came by another way than by the effects of this input. */
function leaveToNextBatch(picture: Picture, roomId: string): void {
  picture.heads.delete(roomId);
  picture.graphs.delete(roomId);
}

function evolveRoom(picture: Picture, effects: RoomEffects, row: RoomRow, made: (head: RoomHead) => void): void {
  let head = picture.heads.get(row.roomId);
  if (head === undefined) {
    head = headOf(row, roomVersion(row.roomVersion)!, true);
    picture.heads.set(row.roomId, head);
    made(head);
  }
  const steps = effects.events.flatMap((event) => currentStateOf(event)?.steps ?? []);
  advance(head, row, steps);
  notePolicing(head, steps);
  noteReferences(head, effects.events);
  noteNews(picture, row.roomId, effects.events);
  for (const event of effects.events) if (picture.wanted.has(event.eventId)) noteEvent(picture, row.roomId, event);
  for (const redaction of effects.redactions) applyRedaction(picture, head, redaction);
  for (const [ref, eventId] of annotationsOf(effects)) picture.annotations.set(ref, eventId);
}

function noteNews(picture: Picture, roomId: string, events: readonly NewEvent[]): void {
  const news = picture.news.get(roomId);
  if (news === undefined) picture.news.set(roomId, [...events]);
  else news.push(...events);
  const graph = picture.graphs.get(roomId);
  if (graph !== undefined) for (const event of events) addNewEvent(graph, event);
}

function noteEvent(picture: Picture, roomId: string, event: NewEvent): void {
  if (event.orderKey === null) return;
  picture.events.set(event.eventId, {
    eventId: event.eventId, roomId, type: event.pdu.type, sender: event.pdu.sender, orderKey: event.orderKey, redacted: false, bytes: event.bytes,
  });
}

/** A redacted state event stays in the state, with what is left of it. */
function applyRedaction(picture: Picture, head: RoomHead, redaction: Redaction): void {
  const { eventId, bytes } = redaction;
  for (const [ref, annotationId] of picture.annotations) if (annotationId === eventId) picture.annotations.delete(ref);
  const target = picture.events.get(eventId);
  if (target !== undefined) picture.events.set(eventId, { ...target, redacted: true, bytes });
  const pdu = JSON.parse(Buffer.from(bytes).toString()) as Pdu;
  const graph = picture.graphs.get(head.roomId);
  const inGraph = graph?.events.get(eventId);
  if (inGraph) graph!.events.set(eventId, { ...inGraph, redacted: true, pdu });
  // Others may be judged by it.
  if (graph !== undefined && pdu.state_key !== undefined) graph.meeting = undefined;
  if (pdu.state_key === undefined || !head.state.has(stateKeyOf(pdu.type, pdu.state_key))) return;
  if (stateEntry(head, pdu.type, pdu.state_key)?.eventId === eventId) setState(head, pdu.type, pdu.state_key, { eventId, pdu });
}
