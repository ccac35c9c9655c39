/** What a batch of room-output records changes, as rows. Pure. */
import type { StateChange } from '../../../schemas/log/room-output.ts';
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { OPEN, slotOf, type MembershipRow } from '../storage/rows.ts';
import type { DecodedRoomOutput } from './decoded.ts';

export interface NewState {
  readonly slot: string;
  readonly from: number;
  to: number;
  readonly roomId: string;
  readonly type: string;
  readonly eventId: string;
}

/** New intervals in order, and for each slot when its open one ends. */
export interface StatePlan {
  readonly ends: Map<string, number>;
  readonly begins: NewState[];
}

/** State intervals of the batch: each change ends what stood there before, in the tables or in the batch itself. */
export function planState(records: readonly SequencedRecord<DecodedRoomOutput>[]): StatePlan {
  const ends = new Map<string, number>();
  const begins: NewState[] = [];
  const last = new Map<string, NewState>();
  for (const { sequence, output } of records) {
    for (const change of output.record.event?.stateDelta ?? []) {
      const slot = slotOf(output.record.roomId, change.type, change.stateKey);
      endInterval({ slot, sequence, last: last.get(slot), ends, replaced: change.replaces !== '' });
      last.delete(slot);
      if (change.eventId === '') continue;
      const begun = { slot, from: sequence, to: OPEN, roomId: output.record.roomId, type: change.type, eventId: change.eventId };
      begins.push(begun);
      last.set(slot, begun);
    }
  }
  return { ends, begins };
}

function endInterval(at: { slot: string; sequence: number; last: { to: number } | undefined; ends: Map<string, number>; replaced: boolean }): void {
  if (at.last !== undefined) at.last.to = at.sequence;
  else if (at.replaced && !at.ends.has(at.slot)) at.ends.set(at.slot, at.sequence);
}

export interface NewMembership {
  readonly slot: string;
  readonly userId: string;
  readonly roomId: string;
  readonly from: number;
  to: number;
  readonly membership: string;
  readonly eventId: string;
  readonly partition: number;
}

export interface MembershipPlan {
  readonly ends: Map<string, number>;
  readonly begins: NewMembership[];
  /** By room: how many more are joined and invited. */
  readonly counts: Map<string, { joined: number; invited: number }>;
  /** Users whose membership or profile in a room changed. */
  readonly users: Set<string>;
}

/** Members whose state changes in this batch. */
export function memberChanges(records: readonly SequencedRecord<DecodedRoomOutput>[]): (readonly [roomId: string, userId: string])[] {
  const pairs = new Map<string, readonly [string, string]>();
  for (const { output } of records) {
    for (const change of output.record.event?.stateDelta ?? []) {
      if (change.type === 'm.room.member') pairs.set(slotOf(output.record.roomId, change.type, change.stateKey), [output.record.roomId, change.stateKey]);
    }
  }
  return [...pairs.values()];
}

/**
 * Membership intervals of the batch: only a change of the membership itself begins a new one. `current` are the open intervals of `memberChanges`; `memberships` tells
 * the membership that a state event which is not in the batch sets.
 */
export function planMemberships(
  records: readonly SequencedRecord<DecodedRoomOutput>[],
  current: readonly MembershipRow[],
  memberships: ReadonlyMap<string, string>,
): MembershipPlan {
  const plan: MembershipPlan = { ends: new Map(), begins: [], counts: new Map(), users: new Set() };
  const now = new Map<string, string>(current.map((row) => [slotOf(row.room_id, 'm.room.member', row.user_id), row.membership]));
  const last = new Map<string, NewMembership>();
  for (const record of records) {
    for (const change of record.output.record.event?.stateDelta ?? []) {
      if (change.type !== 'm.room.member') continue;
      plan.users.add(change.stateKey);
      const membership = membershipSetBy(change, record.output, memberships);
      const slot = slotOf(record.output.record.roomId, change.type, change.stateKey);
      const before = now.get(slot) ?? '';
      if (membership === before) continue;
      now.set(slot, membership);
      count(plan, record.output.record.roomId, { before, membership });
      endInterval({ slot, sequence: record.sequence, last: last.get(slot), ends: plan.ends, replaced: before !== '' });
      last.delete(slot);
      if (membership === '') continue;
      const begun = newMembership(record, change, { slot, membership });
      plan.begins.push(begun);
      last.set(slot, begun);
    }
  }
  return plan;
}

function newMembership(record: SequencedRecord<DecodedRoomOutput>, change: StateChange, of: { slot: string; membership: string }): NewMembership {
  const { partition, sequence, output } = record;
  return { ...of, userId: change.stateKey, roomId: output.record.roomId, from: sequence, to: OPEN, eventId: change.eventId, partition };
}

function membershipSetBy(change: StateChange, output: DecodedRoomOutput, memberships: ReadonlyMap<string, string>): string {
  if (change.eventId === '') return '';
  if (change.eventId === output.record.event?.eventId && output.pdu !== undefined) return membershipOf(output.pdu);
  return memberships.get(change.eventId) ?? '';
}

/** `content.membership`, empty when it is none. */
export function membershipOf(pdu: Pdu): string {
  const membership = pdu.content['membership'];
  return typeof membership === 'string' ? membership : '';
}

function count(plan: MembershipPlan, roomId: string, change: { before: string; membership: string }): void {
  const counts = plan.counts.get(roomId) ?? { joined: 0, invited: 0 };
  counts.joined += Number(change.membership === 'join') - Number(change.before === 'join');
  counts.invited += Number(change.membership === 'invite') - Number(change.before === 'invite');
  plan.counts.set(roomId, counts);
}
