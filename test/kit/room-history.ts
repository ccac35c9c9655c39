/**
 * Scripted histories: rooms whose events are really built and signed, and the room-output records that the roomserver would make of them. Several rooms share a `HistoryLog`,
 * which numbers the records of each partition and answers questions about events as the roomserver would. No authorisation: a script may do what it likes.
 */
import { roomOutputCodec } from '../../pkg/log/codec.ts';
import { partitionOf, type PartitionMap } from '../../pkg/log/partition-map.ts';
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import type { Pdu } from '../../pkg/matrix/events/pdu.ts';
import { referenceTo } from '../../pkg/matrix/events/references.ts';
import { redact } from '../../pkg/matrix/events/redact.ts';
import { roomVersion, type RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import type { ReceiptSet, RoomEvent, RoomOutput, StateChange } from '../../schemas/log/room-output.ts';
import type { RoomHistoryQuery, RoomQuery, StoredEvent } from '../../schemas/ports/room-query.ts';

export const HISTORY_SERVER = 'history.test';
const KEY = signingKeyFromSeed('1', new Uint8Array(32).fill(9));
const START_MS = 1_600_000_000_000;

export interface HistoryRecord {
  readonly partition: number;
  readonly sequence: number;
  /** The encoded RoomOutput. */
  readonly bytes: Uint8Array;
}

export interface HistoryEvent {
  readonly roomId: string;
  readonly eventId: string;
  readonly pdu: Pdu;
  readonly orderKey: number;
  readonly partition: number;
  readonly sequence: number;
}

export class HistoryLog {
  readonly partitionMap: PartitionMap;
  readonly records: HistoryRecord[] = [];
  readonly events = new Map<string, HistoryEvent>();
  /** How often `eventsById` was asked. */
  questions = 0;
  readonly #heads = new Map<number, number>();
  readonly #stored = new Map<string, StoredEvent>();

  constructor(partitionMap: PartitionMap = { version: 1, partitions: 4 }) {
    this.partitionMap = partitionMap;
  }

  readonly roomQuery: Pick<RoomQuery, 'eventsById'> = {
    eventsById: (eventIds) => {
      this.questions += 1;
      return Promise.resolve(eventIds.flatMap((eventId) => this.#stored.get(eventId) ?? []));
    },
  };

  /** What users were at events that were sent into another state than the current one, by `JSON.stringify([eventId, userId])`. */
  readonly past = new Map<string, string>();
  /** How often `membershipsAt` was asked. */
  pastQuestions = 0;

  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'membershipsAt'> = {
    membershipsAt: (userId, eventIds) => {
      this.pastQuestions += 1;
      const known = eventIds.map((eventId) => [eventId, this.past.get(JSON.stringify([eventId, userId]))] as const);
      return Promise.resolve(new Map(known.filter((entry): entry is readonly [string, string] => entry[1] !== undefined)));
    },
  };

  /** The records without slices of states that never became a room's: of joins that failed, and were tried again. */
  get lasting(): HistoryRecord[] {
    const kept: HistoryRecord[] = [];
    const open = new Map<string, HistoryRecord[]>();
    for (const record of this.records) {
      const { roomId, event, stateSlice } = roomOutputCodec.decode(record.bytes);
      if (event) open.delete(roomId);
      const voided = stateSlice?.reset === true ? (open.get(roomId) ?? []) : [];
      for (const one of voided) kept.splice(kept.indexOf(one), 1);
      if (stateSlice) open.set(roomId, stateSlice.reset ? [record] : [...(open.get(roomId) ?? []), record]);
      kept.push(record);
    }
    return kept;
  }

  append(output: Omit<RoomOutput, 'inputId' | 'traceId'>): { partition: number; sequence: number } {
    const partition = partitionOf(this.partitionMap, output.roomId);
    const sequence = (this.#heads.get(partition) ?? 0) + 1;
    this.#heads.set(partition, sequence);
    this.records.push({ partition, sequence, bytes: roomOutputCodec.encode({ ...output, inputId: `input-${this.records.length}`, traceId: '' }) });
    return { partition, sequence };
  }

  store(event: HistoryEvent, stored: StoredEvent): void {
    this.events.set(event.eventId, event);
    this.#stored.set(event.eventId, stored);
  }

  redact(eventId: string, redactedBy: string, version: RoomVersion): void {
    const stored = this.#stored.get(eventId);
    const event = this.events.get(eventId);
    if (stored === undefined || event === undefined) return;
    this.#stored.set(eventId, { ...stored, pdu: Buffer.from(JSON.stringify(redact(event.pdu, version))), redactedBy });
  }
}

export interface SendOptions {
  readonly stateKey?: string;
  readonly redacts?: string;
  /** Redaction that came before the event; the content given is what it has left. */
  readonly redactedBy?: string;
  readonly deviceId?: string;
  readonly txnId?: string;
  /** It was sent into another state than the current one, in which these users were what is said here; a state event does not change the current state. */
  readonly elsewhere?: Readonly<Record<string, string>>;
  /** Further changes of the current state that come with it (state resolution). */
  readonly changes?: readonly StateChange[];
  /** Clients are not shown it. */
  readonly hidden?: boolean;
  /** Of messages: what else is in the content. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Built, and not yet in its place. */
interface BuiltEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
  readonly json: string;
}

export class RoomHistory {
  readonly log: HistoryLog;
  readonly roomId: string;
  readonly version: RoomVersion;
  /** Event IDs in timeline order. */
  readonly timeline: string[] = [];
  readonly #state = new Map<string, string>();

  /** A room with its creator joined. `elsewhere`: this server is not in it; there are no records before `importState`. */
  constructor(log: HistoryLog, options: { name: string; creator: string; version?: string; visibility?: string; elsewhere?: boolean }) {
    this.log = log;
    const version = roomVersion(options.version ?? '12');
    if (version === undefined) throw new Error('no such room version');
    this.version = version;
    const isHashed = version.roomIdFormat === 'create-hash';
    const content = { room_version: version.id, 'test.name': options.name, ...(version.creatorInContent ? { creator: options.creator } : {}) };
    const create = this.#build('m.room.create', options.creator, content, { roomId: isHashed ? undefined : `!${options.name}:${HISTORY_SERVER}`, stateKey: '' });
    this.roomId = isHashed ? `!${create.eventId.slice(1)}` : `!${options.name}:${HISTORY_SERVER}`;
    if (options.elsewhere === true) this.#remember(create, '', 0);
    else this.#append(create, { stateKey: '' });
    if (options.elsewhere === true) this.elsewhere('m.room.member', options.creator, { membership: 'join' }, options.creator);
    else this.member(options.creator, 'join');
    if (options.visibility !== undefined && options.elsewhere === true) this.elsewhere('m.room.history_visibility', '', { history_visibility: options.visibility }, options.creator);
    else if (options.visibility !== undefined) this.state('m.room.history_visibility', '', { history_visibility: options.visibility }, options.creator);
  }

  /** Sends a message; its event. */
  say(sender: string, body: string, options: SendOptions = {}): HistoryEvent {
    return this.send('m.room.message', sender, { msgtype: 'm.text', body, ...options.more }, options);
  }

  send(type: string, sender: string, content: Record<string, unknown>, options: SendOptions = {}): HistoryEvent {
    return this.#append(this.#build(type, sender, content, { roomId: this.roomId, ...options }), options);
  }

  state(type: string, stateKey: string, content: Record<string, unknown>, sender: string, options: SendOptions = {}): HistoryEvent {
    return this.send(type, sender, content, { ...options, stateKey });
  }

  /** Sets a user's membership, by the user unless `sender` says otherwise. */
  member(userId: string, membership: string, more: { sender?: string; displayname?: string } = {}): HistoryEvent {
    const { sender, ...rest } = more;
    return this.state('m.room.member', userId, { membership, ...rest }, sender ?? userId);
  }

  redact(sender: string, eventId: string): HistoryEvent {
    const redaction = this.send('m.room.redaction', sender, { reason: 'test' }, { redacts: eventId });
    this.log.redact(eventId, redaction.eventId, this.version);
    return redaction;
  }

  /** A state event that this server is not told of. */
  elsewhere(type: string, stateKey: string, content: Record<string, unknown>, sender: string): string {
    const built = this.#build(type, sender, content, { roomId: this.roomId, stateKey });
    this.#remember(built, stateKey, 0);
    return built.eventId;
  }

  /** The state as it is elsewhere, in slices of `size`. */
  importState(size = 3): void {
    const entries = [...this.#state];
    for (let from = 0; from < entries.length; from += size) {
      const slice = entries.slice(from, from + size).map(([slot, eventId]) => {
        const [type, stateKey] = JSON.parse(slot) as [string, string];
        return { change: this.#change({ type, stateKey, eventId, replaces: '' }), pdu: Buffer.from(JSON.stringify(this.log.events.get(eventId)?.pdu)) };
      });
      const stateSlice = { reset: from === 0, changes: slice.map(({ change }) => change), pdus: slice.map(({ pdu }) => pdu) };
      this.log.append({ roomId: this.roomId, roomVersion: this.version.id, stateSlice });
    }
  }

  /** What another server says of a user here; the event ID of the member event. It is not in the state that `importState` gives, unless it is put there by `adopt`. */
  outside(userId: string, membership: string, more: { sender?: string; stripped?: unknown; adopt?: boolean } = {}): string {
    const built = this.#build('m.room.member', more.sender ?? userId, { membership }, { roomId: this.roomId, stateKey: userId });
    if (more.adopt === true) this.#remember(built, userId, 0);
    const strippedState = Buffer.from(JSON.stringify(more.stripped ?? []));
    const outsideMembership = { userId, membership, eventId: built.eventId, pdu: Buffer.from(built.json), strippedState };
    this.log.append({ roomId: this.roomId, roomVersion: this.version.id, outsideMembership });
    return built.eventId;
  }

  /** Something is asked of another server. */
  need(): void {
    const missingEvents = { origin: 'elsewhere.test', eventId: '$missing', earliest: [], minDepth: 1 };
    this.log.append({ roomId: this.roomId, roomVersion: this.version.id, need: { needId: `need-${this.log.records.length}`, deadlineMs: 0, missingEvents } });
  }

  receipt(userId: string, eventId: string, more: Partial<ReceiptSet> = {}): void {
    const receipt: ReceiptSet = { userId, receiptType: 'm.read', eventId, ts: START_MS + this.log.records.length, ...more };
    this.log.append({ roomId: this.roomId, roomVersion: this.version.id, receipt });
  }

  /** Event ID of what stands there in the current state; empty: nothing. */
  current(type: string, stateKey: string): string {
    return this.#state.get(slotOf(type, stateKey)) ?? '';
  }

  /** Event IDs of the current state. */
  currentState(): Set<string> {
    return new Set(this.#state.values());
  }

  #build(type: string, sender: string, content: Record<string, unknown>, more: SendOptions & { roomId: string | undefined }) {
    return buildEvent({
      version: this.version,
      draft: { type, sender, content, state_key: more.stateKey, redacts: more.redacts },
      roomId: more.roomId,
      prevEvents: this.timeline.slice(-1).map((eventId) => referenceTo({ eventId, pdu: this.log.events.get(eventId)!.pdu }, this.version)),
      authEvents: [],
      depth: this.timeline.length + 1,
      originServerTs: START_MS + this.log.records.length,
      serverName: HISTORY_SERVER,
      signingKey: KEY,
    });
  }

  #append(built: BuiltEvent, options: SendOptions): HistoryEvent {
    const { eventId, pdu, json } = built;
    const orderKey = options.hidden === true ? 0 : this.timeline.push(eventId);
    const isChange = options.stateKey !== undefined && options.elsewhere === undefined;
    const visibility = this.#visibility();
    const own = isChange ? [this.#change({ type: pdu.type, stateKey: options.stateKey ?? '', eventId, replaces: this.#state.get(slotOf(pdu.type, options.stateKey)) ?? '' })] : [];
    const stored = this.#remember(built, isChange ? options.stateKey : undefined, orderKey);
    for (const change of options.changes ?? []) this.#resolve(change);
    for (const [userId, membership] of Object.entries(options.elsewhere ?? {})) this.log.past.set(JSON.stringify([eventId, userId]), membership);
    const event: RoomEvent = {
      ...{ eventId, orderKey, pdu: Buffer.from(json), historyVisibility: visibility, deviceId: options.deviceId ?? '', txnId: options.txnId ?? '' },
      stateDelta: [...own, ...(options.changes ?? [])],
      ...{ softFailedAccepted: false, stateBeforeDiffers: options.elsewhere !== undefined, redacts: options.redacts ?? '', redactedBy: options.redactedBy ?? '' },
    };
    const place = this.log.append({ roomId: this.roomId, roomVersion: this.version.id, event });
    const history: HistoryEvent = { ...stored, ...place };
    this.log.events.set(eventId, history);
    return history;
  }

  /** Stores the event, as the room's state where it is that. */
  #remember(built: BuiltEvent, stateKey: string | undefined, orderKey: number): HistoryEvent {
    const { eventId, pdu, json } = built;
    if (stateKey !== undefined) this.#state.set(slotOf(pdu.type, stateKey), eventId);
    const { roomId } = this;
    const history = { roomId, eventId, pdu, orderKey, partition: 0, sequence: 0 };
    this.log.store(history, { eventId, roomId, roomVersion: this.version.id, pdu: Buffer.from(json), redactedBy: null, orderKey });
    return history;
  }

  #resolve({ type, stateKey, eventId }: StateChange): void {
    if (eventId === '') this.#state.delete(slotOf(type, stateKey));
    else this.#state.set(slotOf(type, stateKey), eventId);
  }

  #change(change: StateChange): StateChange {
    if (change.type !== 'm.room.member') return change;
    const membershipOf = (eventId: string): string => String(this.log.events.get(eventId)?.pdu.content['membership'] ?? '');
    return { ...change, membership: membershipOf(change.eventId), replacedMembership: membershipOf(change.replaces) };
  }

  #visibility(): string {
    const eventId = this.#state.get(slotOf('m.room.history_visibility', ''));
    const visibility = eventId === undefined ? undefined : this.log.events.get(eventId)?.pdu.content['history_visibility'];
    return typeof visibility === 'string' ? visibility : 'shared';
  }
}

function slotOf(type: string, stateKey: string | undefined): string {
  return JSON.stringify([type, stateKey]);
}
