/** Assembles the text of an answer from the stored texts of its events. */
import { mergedRules } from '../../../pkg/matrix/push-rules/change-rules.ts';
import { renderEvent, strippedText, type ClientEvent } from '../events/client-event.ts';
import { renderTimelineRow } from '../events/render-row.ts';
import { pickFields } from '../filters/event-fields.ts';
import { limited, passes, passesRoom, type EventFilter } from '../filters/filter.ts';
import { accountDataText } from '../streams/account-data.ts';
import { presenceContent } from '../presence/presence-content.ts';
import type { OutsideRoom } from '../streams/outside.ts';
import { summaryText } from '../streams/summary.ts';
import { unreadText } from '../unread/count-unread.ts';
import { PUSH_RULES } from '../unread/pictures.ts';
import { isForgotten } from '../storage/memberships.ts';
import type { AccountDataRow, SeenRow } from '../storage/rows.ts';
import { erasedAmong, erasedRaw } from '../visibility/erased.ts';
import { encodePageToken } from '../token/page-token.ts';
import type { ReadDeps } from './deps.ts';
import type { Material } from './material.ts';
import type { RoomView, Section, SyncScope } from './scope.ts';

export interface Rendering {
  readonly scope: SyncScope;
  readonly material: Material;
  /** /sync leaves it out of events. */
  readonly withRoomId: boolean;
}

/** The answer's JSON text; `empty` when it says nothing but the token. */
export async function renderAnswer(
  deps: Pick<ReadDeps, 'userQuery' | 'partitionMap'>,
  scope: SyncScope,
  known: { material: Material; nextBatch: string },
): Promise<{ json: string; empty: boolean }> {
  const { material } = known;
  const parts = [`"next_batch":${JSON.stringify(known.nextBatch)}`];
  const accountData = await globalAccountData(deps, scope, material);
  if (accountData.length > 0) parts.push(`"account_data":{"events":[${accountData.join(',')}]}`);
  const presence = renderPresence(scope, material);
  if (presence.length > 0) parts.push(`"presence":{"events":[${presence.join(',')}]}`);
  if (material.toDevice.length > 0) parts.push(`"to_device":{"events":[${material.toDevice.join(',')}]}`);
  const { deviceLists: lists, keyCounts } = material;
  if (lists !== undefined && lists.changed.length + lists.left.length > 0) parts.push(`"device_lists":${JSON.stringify(lists)}`);
  const sections = new Map<Section, string[]>();
  const add = (section: Section, roomId: string, text: string): void => {
    const rooms = sections.get(section) ?? [];
    sections.set(section, rooms);
    rooms.push(`${JSON.stringify(roomId)}:${text}`);
  };
  for (const view of material.views) {
    const text = renderRoom({ scope, material, withRoomId: false }, view);
    if (text !== undefined) add(view.section, view.roomId, text);
  }
  for (const room of material.outside) add(room.section, room.roomId, renderOutside(scope, room));
  if (sections.size > 0) parts.push(`"rooms":{${[...sections].map(([section, rooms]) => `"${section}":{${rooms.join(',')}}`).join(',')}}`);
  const empty = parts.length === 1 && keyCounts.sequence <= (scope.since?.user[scope.partition] ?? 0);
  parts.push(`"device_one_time_keys_count":${keyCounts.counts}`, `"device_unused_fallback_key_types":${keyCounts.unusedFallbacks}`);
  return { json: `{${parts.join(',')}}`, empty };
}

/** The texts of m.presence events. */
export function renderPresence({ filter, nowMs }: SyncScope, { presence }: Pick<Material, 'presence'>): string[] {
  const wanted = presence.filter(({ userId }) => passes(filter.presence, { type: 'm.presence', sender: userId }));
  return limited(filter.presence, wanted).map((one) => JSON.stringify({ type: 'm.presence', sender: one.userId, content: presenceContent(one, nowMs) }));
}

/** Global account data; an initial sync always has push rules, the default ones where the user has changed nothing. */
export async function globalAccountData(deps: Pick<ReadDeps, 'userQuery'>, scope: SyncScope, material: Material): Promise<string[]> {
  const rows = (material.accountData.get('') ?? []).map((row) => (row.type === PUSH_RULES ? { ...row, content: pushRulesText(scope.userId, row.content) } : row));
  if (scope.since === undefined && !rows.some((row) => row.type === PUSH_RULES)) {
    const stored = await deps.userQuery.accountData(scope.userId, '', PUSH_RULES);
    rows.unshift({ room_id: '', type: PUSH_RULES, content: pushRulesText(scope.userId, stored), sequence: 0 });
  }
  return filteredAccountData(scope.filter.accountData, rows);
}

/** With the predefined rules of today, whenever the user last changed theirs. */
function pushRulesText(userId: string, stored: string | undefined): string {
  return JSON.stringify({ global: mergedRules(userId, stored === undefined ? undefined : JSON.parse(stored)) });
}

function filteredAccountData(filter: EventFilter, rows: readonly AccountDataRow[], roomId?: string): string[] {
  return accountDataText(limited(filter, rows.filter((row) => passes(filter, { type: row.type }, roomId))));
}

export function renderAccountData({ scope, material }: Rendering, { roomId }: RoomView): string[] {
  return filteredAccountData(scope.filter.room.accountData, material.accountData.get(roomId) ?? [], roomId);
}

function renderRoom(rendering: Rendering, view: RoomView): string | undefined {
  if (view.section === 'invite' || view.section === 'knock') return renderStripped(rendering, view);
  const { scope } = rendering;
  const timeline = renderTimeline(rendering, view);
  const state = renderState(rendering, view);
  const accountData = renderAccountData(rendering, view);
  const joined = view.section === 'join' ? renderJoined(rendering, view) : { parts: [], isNew: false };
  const isQuiet = !timeline.news && state.length === 0 && accountData.length === 0 && !joined.isNew;
  if (isQuiet && !view.entered) return undefined;
  const parts = [
    `"timeline":${timeline.text}`,
    `"${scope.stateField}":{"events":[${state.join(',')}]}`,
    `"account_data":{"events":[${accountData.join(',')}]}`,
    ...joined.parts,
  ];
  return `{${parts.join(',')}}`;
}

/** What is told only of rooms that the user is in. */
function renderJoined(rendering: Rendering, view: RoomView): { parts: string[]; isNew: boolean } {
  const { material, scope } = rendering;
  const ephemeral = renderEphemeral(rendering, view);
  const summary = material.summaries.get(view.roomId);
  const unread = material.unread.get(view.roomId);
  const isCountNew = unread !== undefined && unread.sequence > view.lower && unread.sequence <= view.upper;
  const parts = [`"ephemeral":{"events":[${ephemeral.join(',')}]}`];
  if (unread !== undefined) parts.push(unreadText(unread, scope.filter.room.timeline.unreadThreadNotifications));
  if (summary !== undefined) parts.push(`"summary":${summaryText(summary)}`);
  return { parts, isNew: isCountNew || ephemeral.length > 0 || summary !== undefined };
}

/** Of a room that this server is not in there is nothing to be read but the member event. */
function renderOutside(scope: SyncScope, { section, event, raw, state }: OutsideRoom): string {
  if (section !== 'leave') return `{"${section}_state":{"events":[${state.join(',')}]}}`;
  const { timeline, state: wanted } = scope.filter.room;
  const text = scope.filter.federationFormat ? raw : ofFields(scope, renderEvent(event, { nowMs: scope.nowMs, membership: event.membership }, false));
  const shownBy = (filter: EventFilter): string => (filter.limit !== 0 && passes(filter, event, event.roomId) ? text : '');
  const stateAfter = scope.stateField === 'state' ? '' : shownBy(wanted);
  return `{"timeline":{"events":[${shownBy(timeline)}],"limited":false},"${scope.stateField}":{"events":[${stateAfter}]},"account_data":{"events":[]}}`;
}

function renderStripped({ material }: Rendering, view: RoomView): string {
  const texts = (material.stripped.get(view.roomId) ?? []).flatMap((eventId) => {
    const event = material.events.get(eventId);
    return event === undefined ? [] : [strippedText(event)];
  });
  return `{"${view.section}_state":{"events":[${texts.join(',')}]}}`;
}

function renderTimeline(rendering: Rendering, view: RoomView): { text: string; news: boolean } {
  const timeline = rendering.material.timelines.get(view.roomId);
  if (timeline === undefined) return { text: '{"events":[],"limited":false}', news: false };
  const texts = renderEvents(rendering, view, timeline.shown);
  const prevBatch = mayPageBack(view) ? `,"prev_batch":${JSON.stringify(encodePageToken(timeline.prevBatch))}` : '';
  return {
    text: `{"events":[${texts.join(',')}],"limited":${timeline.limited}${prevBatch}}`,
    news: texts.length > 0 || timeline.limited,
  };
}

/** Whether /messages will answer: not who was asked in or banned and never was in the room, nor who has forgotten it. They would be given a token that leads nowhere. */
function mayPageBack({ section, intervals, current }: RoomView): boolean {
  return section !== 'leave' || (!isForgotten(current) && intervals.some(({ membership }) => membership === 'join'));
}

/** The texts of events of the room's timeline. */
export function renderEvents(rendering: Rendering, view: RoomView, rows: readonly SeenRow[]): string[] {
  const erased = erasedAmong(rows, rendering.scope.userId, view.intervals);
  return rows.flatMap((row) => renderRow(rendering, view, row, erased) ?? []);
}

function renderRow({ scope, material, withRoomId }: Rendering, view: RoomView, row: SeenRow, erased: ReadonlySet<string> | undefined): string | undefined {
  const event = material.events.get(row.event_id);
  if (material.raw !== undefined) return rawOf(material.raw.get(row.event_id), event, erased?.has(row.event_id) === true);
  const { events, bundles } = material;
  return event && ofFields(scope, renderTimelineRow(row, event, { ...scope, events, bundles, intervals: view.intervals, withRoomId, erased }));
}

/** As federation carries it. */
function rawOf(raw: string | undefined, event: ClientEvent | undefined, isErased: boolean): string | undefined {
  return raw === undefined || event === undefined || !isErased ? raw : erasedRaw(event, raw);
}

function ofFields({ filter }: SyncScope, text: string): string {
  return filter.eventFields === undefined ? text : pickFields(text, filter.eventFields);
}

function redactionOf(event: ClientEvent, material: Material): ClientEvent | undefined {
  return event.redactedBy === null ? undefined : material.events.get(event.redactedBy);
}

export function renderState({ scope, material, withRoomId }: Rendering, view: RoomView): string[] {
  const filter = scope.filter.room.state;
  const events = (material.state.get(view.roomId) ?? []).flatMap((eventId) => material.events.get(eventId) ?? []);
  const wanted = limited(filter, events.filter((event) => passes(filter, event, view.roomId)));
  return wanted.map((event) => {
    const raw = material.raw?.get(event.eventId);
    return raw ?? ofFields(scope, renderEvent(event, { nowMs: scope.nowMs, redactedBecause: redactionOf(event, material) }, withRoomId));
  });
}

function renderEphemeral({ scope, material }: Rendering, view: RoomView): string[] {
  const filter = scope.filter.room.ephemeral;
  if (!passesRoom(filter, view.roomId)) return [];
  const events: { type: string; text: string }[] = [];
  for (const content of material.receipts.get(view.roomId) ?? []) events.push({ type: 'm.receipt', text: `{"content":${JSON.stringify(content)},"type":"m.receipt"}` });
  const typing = material.typing.get(view.roomId);
  if (typing !== undefined) events.push({ type: 'm.typing', text: `{"content":{"user_ids":${JSON.stringify(typing)}},"type":"m.typing"}` });
  return limited(filter, events.filter((event) => passes(filter, event))).map((event) => event.text);
}
