/** Random histories of messages, threads, edits, redactions, receipts, memberships and push rules, and what is unread by them: counted again from what happened, with nothing of the server's. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { defaultPushRules, type PushRule } from '../../pkg/matrix/push-rules/default-rules.ts';
import { HistoryLog, RoomHistory } from './room-history.ts';
import type { SyncWorld } from './sync-world.ts';

const [alice, bob, carol, zoe] = ['@alice:history.test', '@bob:history.test', '@carol:history.test', '@zoe:elsewhere.test'] as const;
export const UNREAD_USERS = [alice, bob, carol] as const;
const SENDERS = [alice, bob, carol, zoe] as const;

const KINDS = ['text', 'text', 'text', 'mention', 'mention-room', 'notice', 'encrypted', 'thread', 'thread', 'related', 'edit', 'state', 'tombstone', 'redact', 'redact', 'read', 'read', 'read-thread', 'read-thread', 'leave', 'join', 'rules', 'apply', 'check'] as const;

/** What a user has set. */
const SETTINGS = ['predefined', 'muted', 'keyword', 'loud', 'off', 'no sender'] as const;
type Setting = (typeof SETTINGS)[number];

export interface UnreadStep {
  readonly kind: (typeof KINDS)[number];
  readonly room: number;
  readonly user: number;
  readonly pick: number;
}

export const unreadScript: fc.Arbitrary<UnreadStep[]> = fc.array(fc.record({ kind: fc.constantFrom(...KINDS), room: fc.nat(1), user: fc.nat(3), pick: fc.nat(1000) }), { maxLength: 50 });

/** An event of a room as it is remembered for the recount. */
interface Happened {
  readonly eventId: string;
  readonly sender: string;
  readonly isState: boolean;
  readonly type: string;
  readonly what: string;
  readonly body: string;
  readonly mentions: string;
  readonly thread: string;
  readonly relatesTo: { readonly type: string; readonly eventId: string } | undefined;
  readonly settings: ReadonlyMap<string, Setting>;
  readonly isRedactable: boolean;
  isRedacted: boolean;
}

interface Told {
  readonly room: RoomHistory;
  readonly happened: Happened[];
  readonly joined: Set<string>;
  /** By user: place of the event with which they came in. */
  readonly since: Map<string, number>;
  /** What users have said that they read: thread (empty: all) and place. */
  readonly reads: { readonly userId: string; readonly thread: string; readonly place: number }[];
}

export class UnreadPlay {
  readonly log = new HistoryLog({ version: 1, partitions: 2 });
  readonly #rooms: Told[] = ['one', 'two'].map((name) => ({ room: new RoomHistory(this.log, { name, creator: alice }), happened: [], joined: new Set([alice]), since: new Map([[alice, -1]]), reads: [] }));
  readonly #settings = new Map<string, Setting>();
  readonly #places = new Map<string, number>();

  constructor() {
    for (const told of this.#rooms) for (const userId of [bob, zoe]) this.#join(told, userId);
  }

  /** Drops the beginnings of the rooms. */
  purge(toOrderKey: number): void {
    for (const { room } of this.#rooms) this.log.append({ roomId: room.roomId, roomVersion: room.version.id, historyPurged: { toOrderKey } });
  }

  async perform(steps: readonly UnreadStep[], world: SyncWorld): Promise<void> {
    for (const step of steps) await this.#step(step, world);
    await this.check(world);
  }

  async #step({ kind, room: index, user, pick }: UnreadStep, world: SyncWorld): Promise<void> {
    const told = this.#rooms[index]!;
    const userId = SENDERS[user]!;
    if (kind === 'rules') return this.#setRules(UNREAD_USERS[user % 3]!, { setting: SETTINGS[pick % SETTINGS.length]!, told, world });
    if (kind === 'apply') return world.apply(1 + (pick % 6));
    if (kind === 'check') return this.check(world);
    if (kind === 'join' && !told.joined.has(userId)) this.#join(told, userId);
    if (!told.joined.has(userId)) return;
    if (kind === 'leave' && userId !== alice) this.#leave(told, userId);
    else if (kind === 'redact') this.#redact(told, userId, pick);
    else if (kind === 'read' || kind === 'read-thread') this.#read(told, userId, { pick, isThreaded: kind === 'read-thread' });
    else if (kind === 'state' || kind === 'tombstone') this.#sayState(told, userId, { isTombstone: kind === 'tombstone', pick });
    else this.#say(told, userId, { kind, pick });
  }

  #say(told: Told, sender: string, { kind, pick }: { kind: string; pick: number }): void {
    const body = pick % 4 === 0 ? 'some tea' : 'nothing';
    const target = told.happened[pick % Math.max(1, told.happened.length)];
    const mentioned = UNREAD_USERS[pick % 3]!;
    const roots = told.happened.filter((one) => one.relatesTo === undefined && !one.isState && one.what !== 'redaction');
    const root = roots[pick % Math.max(1, roots.length)];
    const relations: Record<string, { type: string; eventId: string } | undefined> = {
      thread: root && { type: 'm.thread', eventId: root.eventId },
      related: target && { type: 'm.reference', eventId: target.eventId },
      edit: target && { type: 'm.replace', eventId: target.eventId },
    };
    const relatesTo = relations[kind];
    const mentions = kind === 'mention' ? mentioned : kind === 'mention-room' ? 'room' : '';
    const content = {
      msgtype: kind === 'notice' ? 'm.notice' : 'm.text',
      body,
      ...(kind === 'mention' && { 'm.mentions': { user_ids: [mentioned, 5] } }),
      ...(kind === 'mention-room' && { 'm.mentions': { room: true } }),
      ...(relatesTo && { 'm.relates_to': { rel_type: relatesTo.type, event_id: relatesTo.eventId } }),
    };
    const isEncrypted = kind === 'encrypted';
    const { eventId } = told.room.send(isEncrypted ? 'm.room.encrypted' : 'm.room.message', sender, isEncrypted ? {} : content);
    this.#remember(told, { eventId, sender, type: isEncrypted ? 'm.room.encrypted' : 'm.room.message', what: kind, body: isEncrypted ? '' : body, mentions, relatesTo });
  }

  #sayState(told: Told, sender: string, { isTombstone, pick }: { isTombstone: boolean; pick: number }): void {
    const type = isTombstone ? 'm.room.tombstone' : 'm.room.name';
    const { eventId } = told.room.state(type, '', { name: `${pick}`, body: 'tea' }, sender);
    this.#remember(told, { eventId, sender, type, what: 'state', body: 'tea', isState: true });
  }

  #redact(told: Told, sender: string, pick: number): void {
    const targets = told.happened.filter((one) => one.isRedactable && !one.isRedacted);
    const target = targets[pick % Math.max(1, targets.length)];
    if (target === undefined) return;
    const { eventId } = told.room.redact(sender, target.eventId);
    target.isRedacted = true;
    this.#remember(told, { eventId, sender, type: 'm.room.redaction', what: 'redaction', body: '' });
  }

  #join(told: Told, userId: string): void {
    const { eventId } = told.room.member(userId, 'join');
    told.joined.add(userId);
    this.#remember(told, { eventId, sender: userId, type: 'm.room.member', what: 'member', body: '', isState: true });
    told.since.set(userId, told.happened.length - 1);
  }

  #leave(told: Told, userId: string): void {
    const { eventId } = told.room.member(userId, 'leave');
    told.joined.delete(userId);
    this.#remember(told, { eventId, sender: userId, type: 'm.room.member', what: 'member', body: '', isState: true });
  }

  #remember(told: Told, event: Pick<Happened, 'eventId' | 'sender' | 'type' | 'what' | 'body'> & Partial<Happened>): void {
    const { relatesTo, isState = false } = event;
    const thread = this.#threadOf(told, relatesTo, 3);
    const isRedactable = !isState && event.what !== 'redaction';
    this.#places.set(event.eventId, told.happened.length);
    told.happened.push({ mentions: '', ...event, relatesTo, isState, thread, isRedactable, isRedacted: false, settings: new Map(this.#settings) });
  }

  #threadOf(told: Told, relatesTo: Happened['relatesTo'], hops: number): string {
    if (relatesTo === undefined || hops === 0) return 'main';
    if (relatesTo.type === 'm.thread') return relatesTo.eventId;
    const parent = told.happened.find((one) => one.eventId === relatesTo.eventId);
    return this.#threadOf(told, parent?.isRedacted === true ? undefined : parent?.relatesTo, hops - 1);
  }

  #read(told: Told, userId: string, { pick, isThreaded }: { pick: number; isThreaded: boolean }): void {
    const place = pick % told.happened.length;
    const { eventId, thread } = told.happened[place]!;
    told.room.receipt(userId, eventId, { receiptType: pick % 3 === 0 ? 'm.read.private' : 'm.read', ...(isThreaded && { threadId: thread }) });
    told.reads.push({ userId, thread: isThreaded ? thread : '', place });
  }

  /** Rules come by another log: what was said before them is applied before them. */
  async #setRules(userId: string, { setting, told, world }: { setting: Setting; told: Told; world: SyncWorld }): Promise<void> {
    await world.apply();
    this.#settings.set(userId, setting === 'muted' ? (`muted ${told.room.roomId}` as Setting) : setting);
    const content = Buffer.from(JSON.stringify({ global: rulesetOf(userId, setting, told.room.roomId) }));
    await world.applyUser({ userId, accountData: { roomId: '', type: 'm.push_rules', content } });
  }

  /** Fails unless /sync tells every member what the recount says, together and by thread. */
  async check(world: SyncWorld): Promise<void> {
    await world.apply();
    for (const userId of UNREAD_USERS) {
      const { rooms } = await world.sync(userId, { filter: JSON.stringify({ room: { timeline: { limit: 1, unread_thread_notifications: true } } }) });
      for (const told of this.#rooms) {
        if (!told.joined.has(userId)) continue;
        const shown = rooms.join[told.room.roomId];
        assert.deepEqual({ main: shown.unread_notifications, ...shown.unread_thread_notifications }, this.#recount(told, userId), `${userId} in ${told.room.roomId}`);
      }
    }
  }

  #recount(told: Told, userId: string): Record<string, { notification_count: number; highlight_count: number }> {
    const counts: Record<string, { notification_count: number; highlight_count: number }> = { main: { notification_count: 0, highlight_count: 0 } };
    for (const [place, event] of told.happened.entries()) {
      if (event.isRedacted || event.sender === userId || place <= (told.since.get(userId) ?? -1) || this.#hasRead(told, userId, { place, thread: event.thread })) continue;
      const notice = noticeOf(event, userId, told.room.roomId);
      if (notice === 'nothing') continue;
      const count = (counts[event.thread] ??= { notification_count: 0, highlight_count: 0 });
      count.notification_count += 1;
      if (notice === 'highlight') count.highlight_count += 1;
    }
    return counts;
  }

  #hasRead(told: Told, userId: string, at: { place: number; thread: string }): boolean {
    if (told.reads.some((read) => read.userId === userId && read.place >= at.place && (read.thread === '' || read.thread === at.thread))) return true;
    return told.happened.some((own, place) => own.sender === userId && place > at.place && own.thread === at.thread && !own.isState && own.what !== 'redaction');
  }
}

/** What the user is to be told, in words of the spec. */
function noticeOf(event: Happened, userId: string, roomId: string): 'nothing' | 'notify' | 'highlight' {
  const setting: string = event.settings.get(userId) ?? 'predefined';
  if (setting === 'off') return 'nothing';
  if (setting === 'loud') return 'highlight';
  if (event.what === 'notice' || event.type === 'm.room.member') return 'nothing';
  if (event.mentions === userId) return 'highlight';
  if (event.mentions === 'room' && event.sender === alice) return 'highlight';
  if (event.type === 'm.room.tombstone') return 'highlight';
  if (event.what === 'edit') return 'nothing';
  if (setting === 'keyword' && event.body.split(/\W/).includes('tea')) return 'highlight';
  if (setting === `muted ${roomId}`) return 'nothing';
  if (setting === 'no sender' && event.sender === zoe) return 'nothing';
  return event.type === 'm.room.message' || event.type === 'm.room.encrypted' ? 'notify' : 'nothing';
}

function rulesetOf(userId: string, setting: Setting, roomId: string): object {
  const rules = defaultPushRules(userId);
  const own = (rule: Partial<PushRule>): PushRule => ({ rule_id: 'own', default: false, enabled: true, actions: ['notify', { set_tweak: 'highlight' }], ...rule });
  if (setting === 'muted') return { ...rules, room: [own({ rule_id: roomId, actions: [] })] };
  if (setting === 'keyword') return { ...rules, content: [own({ pattern: 'tea' })] };
  if (setting === 'loud') return { ...rules, override: [rules.override[0], own({ conditions: [] }), ...rules.override.slice(1)] };
  if (setting === 'off') return { ...rules, override: rules.override.map((rule) => (rule.rule_id === '.m.rule.master' ? { ...rule, enabled: true } : rule)) };
  if (setting === 'no sender') return { ...rules, sender: [own({ rule_id: zoe, actions: [] })] };
  return rules;
}
