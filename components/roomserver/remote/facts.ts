/**
 * What decisions about other servers stand on, beyond the heads of rooms: needs and their answers, memberships outside, who of this server is in a room, slices of staged states. It is read
 * only for the few inputs that ask for it (`load-facts.ts`), and holds what the batch has done so far.
 */
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { AuthEvent } from '../../../pkg/matrix/auth/check-auth-events.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import type { StagedEvent } from '../../../schemas/ports/staged-state.ts';
import { isReadAnew, type NeedRow, type OutsideRow, type RoomEffects, type StateEntry } from '../input/effects.ts';
import type { HistoryFacts } from '../history/facts.ts';
import { knowsState, membershipOf, type RoomHead } from '../input/room-head.ts';
import { stateRef } from '../storage/refs.ts';
import type { PartialRow } from '../partial/partial-row.ts';
import type { UpgradeRow } from '../upgrade/upgrade-row.ts';

/** A need of an input, and its answer once there is one. */
export interface RemoteNeed extends NeedRow {
  readonly roomId: string;
  readonly answer: Answer | undefined;
}

export type OutsideMember = Pick<OutsideRow, 'membership' | 'eventId' | 'sender' | 'origin' | 'roomVersion' | 'bytes'>;

export interface RoomPresence {
  /** Some users of this server who are joined by the tables. */
  readonly joinedHere: readonly string[];
  /** Some servers with joined members, as far as this server knows. */
  readonly servers: readonly string[];
}

/** What the end of a remote join stands on. */
export interface Landing {
  /** Of the state that was imported for it. */
  readonly stateId: number;
  /** Whether any of it was. */
  readonly isImported: boolean;
  /** What the join is authorised by, by state reference. */
  readonly state: ReadonlyMap<string, StateEntry>;
}

export interface RemoteFacts {
  /** IDs of the inputs that have been read for. */
  readonly read: Set<string>;
  /** By need ID; null: closed by this batch. */
  readonly needs: Map<string, RemoteNeed | null>;
  /** By state reference of the membership. */
  readonly outside: Map<string, OutsideMember | null>;
  /** Leaves by which rooms were forgotten (`forgottenRef`). */
  readonly forgotten: Set<string>;
  /** By room ID: its newest upgrade. */
  readonly upgrades: Map<string, UpgradeRow>;
  /** By room ID: rows of rooms whose members are fetched later. */
  readonly partials: Map<string, PartialRow>;
  /** State references of staged states that have an event in the current state. */
  readonly taken: Set<string>;
  readonly rooms: Map<string, RoomPresence>;
  readonly landings: Map<string, Landing>;
  /** By input ID; imports without one wait for the next batch. */
  readonly slices: Map<string, readonly StagedEvent[]>;
  /** Events of staged states, and what authorises them; null: not known. */
  readonly events: Map<string, AuthEvent | null>;
  /** By input ID: of those about history. */
  readonly histories: Map<string, HistoryFacts>;
  /** Rooms that history was put into by this batch. */
  readonly historyPlaced: Set<string>;
  /** Rooms that this server has come into by this batch: their heads are read anew for the next one. */
  readonly arrived: Set<string>;
}

export function createFacts(): RemoteFacts {
  return { read: new Set(), needs: new Map(), outside: new Map(), forgotten: new Set(), upgrades: new Map(), partials: new Map(), taken: new Set(), rooms: new Map(), landings: new Map(), slices: new Map(), events: new Map(), histories: new Map(), historyPlaced: new Set(), arrived: new Set() };
}

/** Plays what an input did, accepted or parked, into the facts. */
export function noteEffects(facts: RemoteFacts, effects: RoomEffects): void {
  const { roomId, needs, outside } = effects;
  noteOfRoom(facts, effects);
  for (const need of needs?.opened ?? []) facts.needs.set(need.needId, { ...need, roomId, answer: undefined });
  const answered = needs?.answered && facts.needs.get(needs.answered.needId);
  if (answered) facts.needs.set(answered.needId, { ...answered, answer: answerIn(needs.answered!.answer) });
  for (const needId of needs?.closed ?? []) facts.needs.set(needId, null);
  if (outside !== undefined) facts.outside.set(memberRef(roomId, outside.userId), outside);
  for (const { kind, eventId, pdu, verdict } of effects.events) if (kind === 'outlier') facts.events.set(eventId, { event: pdu, rejected: verdict === 'rejected' });
  if (isReadAnew(effects)) facts.arrived.add(roomId);
  if (effects.partial !== undefined) facts.partials.delete(roomId);
}

function noteOfRoom(facts: RemoteFacts, { roomId, forgotten, upgrade, history, events }: RoomEffects): void {
  if (history !== undefined && events.length > 0) facts.historyPlaced.add(roomId);
  if (forgotten !== undefined) facts.forgotten.add(forgottenRef(roomId, forgotten.userId, forgotten.eventId));
  if (upgrade !== undefined) facts.upgrades.set(roomId, upgrade);
}

/** The answer in an encoded Answer input. */
export function answerIn(record: Uint8Array): Answer {
  return roomInputCodec.decode(record).answer!;
}

/** A user's leave of a room. */
export function forgottenRef(roomId: string, userId: string, eventId: string): string {
  return JSON.stringify([roomId, userId, eventId]);
}

export function memberRef(roomId: string, userId: string): string {
  return stateRef(roomId, 'm.room.member', userId);
}

/** Whether a user of this server is seen to be joined by what is in memory of the room. */
export function isSeenIn(head: RoomHead, serverName: string): boolean {
  for (const entry of head.state.values()) if (entry !== null && isLocalJoin(entry.pdu, serverName)) return true;
  return false;
}

/** Whether a user of this server is joined to the room. Its presence must have been read. */
export function isServerIn(facts: RemoteFacts, head: RoomHead, serverName: string): boolean {
  if (isSeenIn(head, serverName)) return true;
  const joined = facts.rooms.get(head.roomId)?.joinedHere ?? [];
  // What is in memory is newer than the tables.
  return joined.some((userId) => !knowsState(head, 'm.room.member', userId) || membershipOf(head, userId) === 'join');
}

function isLocalJoin({ type, state_key: userId, content }: Pdu, serverName: string): boolean {
  return type === 'm.room.member' && userId !== undefined && content.membership === 'join' && isLocalUser(userId, serverName);
}
