/**
 * Scripted histories: rooms whose events are really built and signed, and the room-output records that the roomserver would make of them. Several rooms share a `HistoryLog`,
 * which numbers the records of each partition and answers questions about events as the roomserver would. No authorisation: a script may do what it likes.
 */
import { roomOutputCodec } from '../../pkg/log/codec.ts';
import { partitionOf, type PartitionMap } from '../../pkg/log/partition-map.ts';
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import type { Pdu } from '../../pkg/matrix/events/pdu.ts';
import { redact } from '../../pkg/matrix/events/redact.ts';
import { roomVersion, type RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import type { ReceiptSet, RoomEvent, RoomOutput } from '../../schemas/log/room-output.ts';
import type { RoomQuery, StoredEvent } from '../../schemas/ports/room-query.ts';

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
  readonly deviceId?: string;
  readonly txnId?: string;
}

export class RoomHistory {
  readonly log: HistoryLog;
  readonly roomId: string;
  readonly version: RoomVersion;
  /** Event IDs in timeline order. */
  readonly timeline: string[] = [];
  readonly #state = new Map<string, string>();

  /** A room with its creator joined. */
  constructor(log: HistoryLog, options: { name: string; creator: string; version?: string; visibility?: string }) {
    this.log = log;
    const version = roomVersion(options.version ?? '12');
    if (version === undefined) throw new Error('no such room version');
    this.version = version;
    const isHashed = version.roomIdFormat === 'create-hash';
    const content = { room_version: version.id, 'test.name': options.name, ...(version.creatorInContent ? { creator: options.creator } : {}) };
    const create = this.#build('m.room.create', options.creator, content, { roomId: isHashed ? undefined : `!${options.name}:${HISTORY_SERVER}`, stateKey: '' });
    this.roomId = isHashed ? `!${create.eventId.slice(1)}` : `!${options.name}:${HISTORY_SERVER}`;
    this.#append(create, { stateKey: '' });
    this.member(options.creator, 'join');
    if (options.visibility !== undefined) this.state('m.room.history_visibility', '', { history_visibility: options.visibility }, options.creator);
  }

  /** Sends a message; its event. */
  say(sender: string, body: string, options: SendOptions = {}): HistoryEvent {
    return this.send('m.room.message', sender, { msgtype: 'm.text', body }, options);
  }

  send(type: string, sender: string, content: Record<string, unknown>, options: SendOptions = {}): HistoryEvent {
    return this.#append(this.#build(type, sender, content, { roomId: this.roomId, ...options }), options);
  }

  state(type: string, stateKey: string, content: Record<string, unknown>, sender: string): HistoryEvent {
    return this.send(type, sender, content, { stateKey });
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

  receipt(userId: string, eventId: string, more: Partial<ReceiptSet> = {}): void {
    const receipt: ReceiptSet = { userId, receiptType: 'm.read', eventId, ts: START_MS + this.log.records.length, ...more };
    this.log.append({ roomId: this.roomId, roomVersion: this.version.id, receipt });
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
      prevEvents: this.timeline.slice(-1),
      authEvents: [],
      depth: this.timeline.length + 1,
      originServerTs: START_MS + this.log.records.length,
      serverName: HISTORY_SERVER,
      signingKey: KEY,
    });
  }

  #append(built: { eventId: string; pdu: Pdu; json: string }, options: SendOptions): HistoryEvent {
    const { eventId, pdu, json } = built;
    const orderKey = this.timeline.push(eventId);
    const slot = JSON.stringify([pdu.type, options.stateKey]);
    const isState = options.stateKey !== undefined;
    const replaces = (isState && this.#state.get(slot)) || '';
    const visibility = this.#visibility();
    if (isState) this.#state.set(slot, eventId);
    const event: RoomEvent = {
      ...{ eventId, orderKey, pdu: Buffer.from(json), historyVisibility: visibility, deviceId: options.deviceId ?? '', txnId: options.txnId ?? '' },
      stateDelta: isState ? [{ type: pdu.type, stateKey: options.stateKey ?? '', eventId, replaces }] : [],
      ...{ softFailedAccepted: false, stateBeforeDiffers: false, redacts: options.redacts ?? '' },
    };
    const place = this.log.append({ roomId: this.roomId, roomVersion: this.version.id, event });
    const stored = { eventId, roomId: this.roomId, roomVersion: this.version.id, pdu: event.pdu, redactedBy: null, orderKey };
    const history: HistoryEvent = { roomId: this.roomId, eventId, pdu, orderKey, ...place };
    this.log.store(history, stored);
    return history;
  }

  #visibility(): string {
    const eventId = this.#state.get(JSON.stringify(['m.room.history_visibility', '']));
    const visibility = eventId === undefined ? undefined : this.log.events.get(eventId)?.pdu.content['history_visibility'];
    return typeof visibility === 'string' ? visibility : 'shared';
  }
}
