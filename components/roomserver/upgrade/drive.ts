/**
 * Carries upgrades through. A room, its replacement and its aliases have owners of their own, so an upgrade is a sequence of inputs, each with an ID that comes of the upgrade's: repeated, it
 * is done once. The owner of the old room goes through the sequence until its last input has ended the row; whoever dies on the way leaves the row to the next owner.
 */
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { CommandClient } from '../../../pkg/log/commands.ts';
import { createRounds, type Rounds } from '../../../pkg/runtime/rounds.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import type { DraftEvent, RoomInput } from '../../../schemas/log/room-input.ts';
import { readPublished } from '../directory/published-row.ts';
import { readState } from '../storage/read-events.ts';
import { stateRef } from '../storage/refs.ts';
import { restrictedPower, tombstoneOf, withoutAliases } from './restrict.ts';
import { readUnfinished, type UpgradeRow } from './upgrade-row.ts';

export interface UpgraderDeps {
  readonly database: Database;
  readonly runtime: Runtime;
  readonly commands: Pick<CommandClient, 'submitRoomInput'>;
  /** The partitions that this process owns now. */
  readonly owned: () => readonly number[];
}

/** How long an upgrade may lie that another process has left, or that could not go on. */
const EVERY_MS = 10_000;
const AT_ONCE_MAX = 20;
/** Of one step: a process that stops waits no longer for it. */
const STEP_MS_MAX = 5000;
/** The new room is there: by an earlier try, longer ago than inputs are remembered. */
const ROOM_EXISTS = 'M_ROOM_IN_USE';

type Kind = Partial<Pick<RoomInput, 'sendEvent' | 'setAlias' | 'setRoomVisibility' | 'finishUpgrade'>>;
type Content = Readonly<Record<string, unknown>>;

export function createUpgrader(deps: UpgraderDeps): Rounds {
  return createRounds(deps.runtime, {
    name: 'roomserver upgrades',
    everyMs: EVERY_MS,
    failure: 'an upgrade of a room could not go on; it is tried again',
    async round(signal) {
      for (const row of await readUnfinished(deps.database, deps.owned(), AT_ONCE_MAX)) if (!signal.aborted) await carryThrough(deps, row);
      return false;
    },
  });
}

/** The steps of the spec from 2 on. Rejects when one of them has no outcome (yet): the next round begins at the first step again, which is remembered. */
async function carryThrough(deps: UpgraderDeps, row: UpgradeRow): Promise<void> {
  // 2. and 3.: the input has the new room with all that it takes over.
  const made = await deps.commands.submitRoomInput(roomInputCodec.decode(row.newRoom), { deadlineMs: STEP_MS_MAX });
  if (made.errcode !== '' && made.errcode !== ROOM_EXISTS) return finish(deps, row, { refusal: refusalIn(made) });
  // 4.
  const aliases = await moveAliases(deps, row);
  const state = await contentsOf(deps.database, row.roomId, ['m.room.canonical_alias', 'm.room.power_levels']);
  const canonical = withoutAliases(state['m.room.canonical_alias'] ?? {}, aliases);
  if (canonical !== undefined) await send(deps, row, { name: 'canonical', event: canonical });
  // 5.
  const tombstone = await send(deps, row, { name: 'tombstone', event: tombstoneOf(row.newRoomId) });
  if (tombstone.errcode !== '') return finish(deps, row, { refusal: refusalIn(tombstone) });
  await moveListings(deps, row);
  // 6. As far as the user may.
  const levels = state['m.room.power_levels'];
  const restricted = levels && restrictedPower(levels);
  const power = restricted === undefined ? tombstone : await send(deps, row, { name: 'power', event: restricted });
  const seen = [made, tombstone, power].flatMap(({ partition, sequence, errcode }) => (errcode === '' && sequence > 0 ? [[partition, sequence]] : []));
  return finish(deps, row, { replacement_room: row.newRoomId, seen });
}

/** Those that point to the old room, and those that an earlier try has moved: the old room's event may still name them. */
async function moveAliases(deps: UpgraderDeps, { roomId, newRoomId, inputId, sender }: UpgradeRow): Promise<Set<string>> {
  const rows = await deps.database.query<{ alias: string; room_id: string }>('SELECT alias, room_id FROM aliases WHERE room_id = ? OR room_id = ? ORDER BY alias', [roomId, newRoomId]);
  for (const { alias } of rows.filter((row) => row.room_id === roomId)) {
    // Refused when it was deleted, or given to another room, meanwhile.
    await submit(deps, { name: `${inputId}#alias#${alias}`, key: alias }, { setAlias: { roomId: newRoomId, userId: sender, reservedUntilMs: 0, movedFrom: roomId } });
  }
  return new Set(rows.map(({ alias }) => alias));
}

/** The room directory shows the new room instead of the old one; nobody finds neither. */
async function moveListings(deps: UpgraderDeps, { roomId, newRoomId, inputId }: UpgradeRow): Promise<void> {
  const networks = (await readPublished(deps.database, [roomId])).get(roomId) ?? [];
  for (const network of networks) {
    for (const [key, isPublic] of [[newRoomId, true], [roomId, false]] as const) {
      await submit(deps, { name: `${inputId}#${isPublic ? 'list' : 'unlist'}#${network}`, key }, { setRoomVisibility: { isPublic, network } });
    }
  }
}

function send(deps: UpgraderDeps, { roomId, inputId, sender }: UpgradeRow, { name, event }: { name: string; event: DraftEvent }): Promise<Outcome> {
  return submit(deps, { name: `${inputId}#${name}`, key: roomId }, { sendEvent: { sender, deviceId: '', txnId: '', event } });
}

async function finish(deps: UpgraderDeps, { roomId, inputId }: UpgradeRow, result: object): Promise<void> {
  await submit(deps, { name: `${inputId}#end`, key: roomId }, { finishUpgrade: { upgradeId: inputId, resultJson: JSON.stringify(result) } });
}

function submit({ commands, runtime }: UpgraderDeps, { name, key }: { name: string; key: string }, kind: Kind): Promise<Outcome> {
  return commands.submitRoomInput({ inputId: name, traceId: name, originServerTs: runtime.clock.now(), roomId: key, ...kind }, { deadlineMs: STEP_MS_MAX });
}

function refusalIn({ status, errcode, error }: Outcome): object {
  return { status, errcode, error };
}

async function contentsOf(database: Database, roomId: string, types: readonly string[]): Promise<Record<string, Content>> {
  const rows = await readState(database, types.map((type) => stateRef(roomId, type, '')));
  return Object.fromEntries(rows.map((row) => {
    const { type, content } = JSON.parse(Buffer.from(row.json).toString()) as { type: string; content: Content };
    return [type, content];
  }));
}
