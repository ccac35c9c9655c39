/** What inputs of upkeep stand on; read as decisions find it lacking. */
import type { Database } from '../../../pkg/storage/database.ts';
import type { PurgeHistory, RoomInput } from '../../../schemas/log/room-input.ts';
import { loadState } from '../input/load-state.ts';
import type { Picture } from '../input/picture.ts';
import { powerfulUsers } from '../input/restricted-join.ts';
import type { RoomHead } from '../input/room-head.ts';
import { isStorable } from '../query/stored-event.ts';
import { readSomeJoined } from '../storage/read-events.ts';
import { readPurge, type PurgeRow } from './purge-row.ts';

export interface PurgeFacts {
  /** The newest purge of the room; decisions move it on. */
  row: PurgeRow | undefined;
  /** Order key of the first event that stays; undefined: there is no such event. */
  firstKept: number | undefined;
  /** Of all events of the room; below 0 where there is history from before this server came. */
  readonly lowestKey: number;
  /** Lowest order key of the room's forward extremities. */
  readonly oldestExtremity: number;
}

export interface UpkeepFacts {
  /** By room: some local members. */
  readonly members: Map<string, readonly string[]>;
  /** By room. */
  readonly purges: Map<string, PurgeFacts>;
  /** IDs of the inputs that were looked up. */
  readonly known: Set<string>;
}

export function createUpkeepFacts(): UpkeepFacts {
  return { members: new Map(), purges: new Map(), known: new Set() };
}

/** Ordinary members that are looked at. */
const MEMBERS_MAX = 20;

export async function loadUpkeep({ database, serverName }: { database: Database; serverName: string }, facts: UpkeepFacts, { picture, input }: { picture: Picture; input: RoomInput }): Promise<void> {
  const head = picture.heads.get(input.roomId);
  facts.known.add(input.inputId);
  if (head === undefined) return;
  if (input.joinBranches) {
    const members = await readSomeJoined(database, input.roomId, `:${serverName}`, MEMBERS_MAX);
    await loadState(database, [...powerfulUsers(head, serverName), ...members].map((stateKey) => ({ head, type: 'm.room.member', stateKey })));
    facts.members.set(input.roomId, members);
  }
  if (!input.purgeHistory && !input.purgeSlice) return;
  const before = facts.purges.get(input.roomId);
  const row = before === undefined ? await readPurge(database, input.roomId) : before.row;
  const firstKept = input.purgeHistory ? await firstKeptOf(database, head, input.purgeHistory) : undefined;
  const lowest = await database.query<{ lowest: number | null }>('SELECT MIN(order_key) AS lowest FROM events WHERE room_id = ?', [input.roomId]);
  facts.purges.set(input.roomId, { row, firstKept, lowestKey: lowest[0]?.lowest ?? 1, oldestExtremity: await oldestExtremity(database, head) });
}

async function firstKeptOf(database: Database, { roomId, orderKey }: RoomHead, { eventId, beforeTs }: PurgeHistory): Promise<number | undefined> {
  if (eventId !== '') {
    if (!isStorable(eventId)) return undefined;
    const rows = await database.query<{ order_key: number }>('SELECT order_key FROM events WHERE room_id = ? AND event_id = ? AND order_key IS NOT NULL', [roomId, eventId]);
    return rows[0]?.order_key;
  }
  const rows = await database.query<{ order_key: number | null }>('SELECT MIN(order_key) AS order_key FROM events WHERE room_id = ? AND origin_server_ts >= ? AND order_key IS NOT NULL', [roomId, beforeTs]);
  // The newest event stays in any case.
  return rows[0]?.order_key ?? orderKey;
}

async function oldestExtremity(database: Database, { extremities }: RoomHead): Promise<number> {
  const rows = await database.queryIn<{ order_key: number | null }>('SELECT order_key FROM events WHERE event_id IN (??)', [], [...extremities]);
  return Math.min(Number.MAX_SAFE_INTEGER, ...rows.flatMap((row) => row.order_key ?? []));
}
