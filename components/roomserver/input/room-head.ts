/**
 * The head of a room in the owner's memory: what the next event follows and stands on. Its state is loaded key by key, as inputs ask for it; a room that was made here
 * is known completely.
 */
import type { EventReference } from '../../../pkg/matrix/events/references.ts';
import type { PolicyServer } from '../../../pkg/matrix/policy/policy-server.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { NewEvent, NewState, RoomRow, StateEntry, StateStep } from './effects.ts';

export type { StateEntry } from './effects.ts';

/** Which server looks at the room's events (`policy/policing.ts`): by which state event; undefined: nobody by that event. */
export interface Policing {
  readonly entry: StateEntry;
  readonly server: PolicyServer | undefined;
}

export interface RoomHead {
  readonly roomId: string;
  readonly version: RoomVersion;
  readonly partition: number;
  readonly creator: string;
  readonly createEventId: string;
  orderKey: number;
  depth: number;
  stateId: number;
  stateDepth: number;
  lastStateId: number;
  extremities: readonly string[];
  /** Events up to this depth were purged: what comes of them again is not taken in. */
  readonly purgedDepth: number;
  /** Not all of its members are known (`partial/partial-row.ts`); undefined: they are. */
  readonly partial: number | undefined;
  /** By event ID: how new events name the extremities, where their IDs are not enough (`references.ts`). */
  readonly references: Map<string, EventReference>;
  /** By `stateKeyOf`; null: known to be absent. */
  readonly state: Map<string, StateEntry | null>;
  /** Every key that has a value is in `state`. */
  complete: boolean;
  /** Of a room with `m.room.policy`, once somebody has looked. */
  policing: Policing | undefined;
  /** Rough size in memory. */
  bytes: number;
}

const HEAD_BYTES = 1000;
const NOTHING_PURGED = -1;

/** Types and state keys hold no NUL (`check-input.ts`), so that it may part them. */
export function stateKeyOf(type: string, stateKey: string): string {
  return `${type}\u0000${stateKey}`;
}

export function headOf(row: RoomRow, version: RoomVersion, complete: boolean): RoomHead {
  return {
    roomId: row.roomId, version, partition: row.partition, creator: row.creator, createEventId: row.createEventId,
    orderKey: row.orderKey, depth: row.depth, stateId: row.stateId, stateDepth: row.stateDepth, lastStateId: row.lastStateId, extremities: row.extremities,
    purgedDepth: row.purgedDepth ?? NOTHING_PURGED, partial: row.partial, references: new Map(), state: new Map(), complete, policing: undefined, bytes: HEAD_BYTES + extremityBytes(row.extremities),
  };
}

export function rowOf(head: RoomHead): RoomRow {
  return {
    roomId: head.roomId, roomVersion: head.version.id, partition: head.partition, creator: head.creator, createEventId: head.createEventId,
    orderKey: head.orderKey, depth: head.depth, stateId: head.stateId, stateDepth: head.stateDepth, lastStateId: head.lastStateId, extremities: head.extremities,
  };
}

/** The row of the room after `event`. `extremities`: those of the room then. */
export function rowAfter(head: RoomHead, event: NewEvent, extremities: readonly string[]): RoomRow {
  const current = currentStateOf(event);
  return {
    ...rowOf(head), orderKey: event.orderKey ?? head.orderKey, depth: event.verdict === 'accepted' ? Math.max(head.depth, event.pdu.depth) : head.depth, extremities,
    stateId: current?.stateId ?? head.stateId, stateDepth: current?.depth ?? head.stateDepth,
    lastStateId: event.states.reduce((last, state) => Math.max(last, state.stateId), head.lastStateId),
  };
}

/** The new current state that came with the event. */
export function currentStateOf(event: NewEvent): NewState | undefined {
  return event.states.find((state) => state.isCurrent);
}

/** Whether the value of the key, or its absence, is in memory. */
export function knowsState(head: RoomHead, type: string, stateKey: string): boolean {
  return head.complete || head.state.has(stateKeyOf(type, stateKey));
}

/** The current state event of the key. Throws when it was not loaded: `load` missed something that `decide` needs. */
export function stateEntry(head: RoomHead, type: string, stateKey: string): StateEntry | undefined {
  const entry = head.state.get(stateKeyOf(type, stateKey));
  if (entry === undefined && !head.complete) throw new Error(`state of type ${type} was not loaded`);
  return entry ?? undefined;
}

/** The membership of a user now; `leave` for who never was in the room. The key must be loaded. */
export function membershipOf(head: RoomHead, userId: string): string {
  const membership = stateEntry(head, 'm.room.member', userId)?.pdu.content.membership;
  return typeof membership === 'string' ? membership : 'leave';
}

export function setState(head: RoomHead, type: string, stateKey: string, entry: StateEntry | null): void {
  const key = stateKeyOf(type, stateKey);
  head.bytes += sizeOf(key, entry) - sizeOf(key, head.state.get(key));
  head.state.set(key, entry);
}

/** Forgets the loaded state; it is read again as it is needed. */
export function dropState(head: RoomHead): void {
  head.state.clear();
  head.complete = false;
  head.bytes = HEAD_BYTES + extremityBytes(head.extremities);
}

/** Moves the head to what the room is after one of its events. */
export function advance(head: RoomHead, row: RoomRow, steps: readonly StateStep[]): void {
  head.orderKey = row.orderKey;
  head.depth = row.depth;
  head.stateId = row.stateId;
  head.stateDepth = row.stateDepth;
  head.lastStateId = row.lastStateId;
  head.bytes += extremityBytes(row.extremities) - extremityBytes(head.extremities);
  head.extremities = row.extremities;
  for (const { type, stateKey, entry } of steps) setState(head, type, stateKey, entry ?? null);
}

/** Each is a short text. */
function extremityBytes(extremities: readonly string[]): number {
  return extremities.length * 80;
}

/** An estimate: parsed JSON weighs a few times its text, and most state events are small. */
function sizeOf(key: string, entry: StateEntry | null | undefined): number {
  if (entry === undefined) return 0;
  return 100 + key.length * 2 + (entry === null ? 0 : 1200 + contentBytes(entry.pdu.content));
}

function contentBytes(value: unknown): number {
  if (typeof value === 'string') return 24 + value.length * 2;
  if (typeof value !== 'object' || value === null) return 16;
  let bytes = 64;
  for (const [key, inner] of Object.entries(value)) bytes += key.length + contentBytes(inner);
  return bytes;
}
