/** Writes the rows of rooms' states: what changed, and what the current state is. */
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import { stateRef } from '../storage/refs.ts';
import { writeSnapshots } from '../storage/state-snapshots.ts';
import type { AcceptedInput, NewState } from './effects.ts';

export async function writeStates(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  const states: PlacedState[] = [];
  for (const { place: { partition }, effects } of accepted) {
    const { roomId, stateImport } = effects;
    if (stateImport?.reset === true) await voidState(tx, roomId, stateImport.state.stateId);
    if (stateImport !== undefined) await writeImport(tx, { roomId, partition, sequence: stateImport.sequence, state: stateImport.state });
    for (const { sequence, states: news } of effects.events) {
      states.push(...news.map((state) => ({ roomId, partition, sequence: state.isCurrent ? sequence ?? 0 : 0, state })));
    }
  }
  if (states.length === 0) return;
  await writeDeltas(tx, states);
  await writeCurrent(tx, states.filter(({ state }) => state.isCurrent));
  await writeSnapshots(tx, states.map(({ roomId, state: { stateId, depth } }) => ({ roomId, stateId, depth })));
}

interface PlacedState {
  readonly roomId: string;
  readonly partition: number;
  /** 0: of a side branch. */
  readonly sequence: number;
  readonly state: NewState;
}

/** A slice that comes a second time changes nothing. No snapshot is made of what may be half a state. */
async function writeImport(tx: Transaction, slice: PlacedState): Promise<void> {
  if (slice.state.steps.length === 0) return;
  await writeDeltas(tx, [slice], 'ON CONFLICT (room_id, state_id, type, state_key) DO NOTHING');
  await writeCurrent(tx, [slice]);
}

async function voidState(tx: Transaction, roomId: string, fromStateId: number): Promise<void> {
  await tx.run('DELETE FROM current_state WHERE room_id = ?', [roomId]);
  await tx.run('DELETE FROM state_deltas WHERE room_id = ? AND state_id >= ?', [roomId, fromStateId]);
  await tx.run('DELETE FROM state_snapshots WHERE room_id = ? AND state_id >= ?', [roomId, fromStateId]);
  await tx.run('DELETE FROM state_marks WHERE room_id = ? AND state_id >= ?', [roomId, fromStateId]);
}

async function writeDeltas(tx: Transaction, states: readonly PlacedState[], onConflict?: string): Promise<void> {
  const rows = states.flatMap(({ roomId, partition, sequence, state }) => state.steps.map(({ type, stateKey, entry, replaces }): SqlValue[] =>
    [roomId, state.stateId, type, stateKey, state.prevStateId, entry?.eventId ?? '', replaces?.eventId ?? null, state.depth, partition, sequence]));
  if (rows.length === 0) return;
  await tx.insertMany({
    into: 'state_deltas', columns: ['room_id', 'state_id', 'type', 'state_key', 'prev_state_id', 'event_id', 'replaces', 'depth', 'partition', 'sequence'], rows,
    ...(onConflict !== undefined && { onConflict }),
  });
}

/** The last word on each key counts; a statement may not touch the same row twice. */
async function writeCurrent(tx: Transaction, states: readonly PlacedState[]): Promise<void> {
  const current = new Map<string, SqlValue[] | undefined>();
  for (const { roomId, state } of states) {
    for (const { type, stateKey, entry } of state.steps) {
      const ref = stateRef(roomId, type, stateKey);
      const membership = type === 'm.room.member' ? String(entry?.pdu.content.membership) : null;
      current.set(ref, entry === undefined ? undefined : [ref, roomId, type, stateKey, entry.eventId, membership]);
    }
  }
  const gone = [...current].filter(([, row]) => row === undefined).map(([ref]) => ref);
  for (const ref of gone) await tx.run('DELETE FROM current_state WHERE state_ref = ?', [ref]);
  const rows = [...current.values()].filter((row) => row !== undefined);
  if (rows.length === 0) return;
  await tx.insertMany({
    into: 'current_state', columns: ['state_ref', 'room_id', 'type', 'state_key', 'event_id', 'membership'], rows,
    onConflict: 'ON CONFLICT (state_ref) DO UPDATE SET event_id = excluded.event_id, membership = excluded.membership',
  });
}
