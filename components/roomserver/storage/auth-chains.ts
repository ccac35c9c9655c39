/**
 * The places of state events in chains (`pkg/matrix/state-res/chain-cover.ts`), by which auth chains are compared without being walked. An event continues the chain of the event that its
 * `auth_events` has at its own key, if it is the first to do so; others begin a chain. So a chain is the history of one key of the state on one branch. What else an event cites is a link, unless
 * an earlier event of its chain cites the same, or something after it. Create events are in every auth chain: nothing links to them.
 */
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { Position } from '../../../pkg/matrix/state-res/chain-cover.ts';
import { slotOf, type Slot } from '../../../pkg/matrix/state-res/slot.ts';
import type { SqlRow, SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import { isStorable } from '../query/stored-event.ts';

/** A state event that is to have a place. */
export interface Unchained {
  readonly eventId: string;
  readonly roomId: string;
  /** Whose owner writes: chains are numbered in each partition on their own. */
  readonly partition: number;
  readonly slot: Slot;
  readonly type: string;
  readonly authEvents: readonly string[];
}

/** More than there can be partitions. Once given out, the number of a chain is its number in whatever partition its room is. */
const PARTITIONS_MAX = 4096;
const CREATE = 'm.room.create';
/** Events without a place are read this many at a time. */
const PAGE = 1000;

export function unchained(eventId: string, pdu: Pdu, { roomId, partition }: Pick<Unchained, 'roomId' | 'partition'>): Unchained {
  return { eventId, roomId, partition, slot: slotOf(pdu.type, pdu.state_key!), type: pdu.type, authEvents: authEventIds(pdu) };
}

/** What was found for state events. */
export interface Chained {
  readonly places: ReadonlyMap<string, Position>;
  /** All links that were written. */
  readonly links: readonly NewLink[];
  /** Whether other events of their rooms got their places with them. */
  readonly caughtUp: boolean;
}

/**
 * Finds places for state events, writes the links between their chains and hands out the places, which belong into the events' rows, in the same transaction. What has a place already keeps it
 * and is not in the answer. The auth events must be stored, or among the events.
 */
export async function placeInChains(tx: Transaction, events: readonly Unchained[]): Promise<Chained> {
  if (events.length === 0) return { places: new Map(), links: [], caughtUp: false };
  const chaining = await beginChaining(tx, events);
  const roomsBehind = roomsWithout(chaining);
  if (roomsBehind.size === 0) return { ...await assign(tx, chaining), caughtUp: false };
  // Written by an older version of the program.
  for (const [roomId, partition] of roomsBehind) await placeRoomInChains(tx, roomId, partition);
  return { ...await assign(tx, await beginChaining(tx, events)), caughtUp: true };
}

/** Finds places for all state events of a room that have none, and writes them into their rows. */
export async function placeRoomInChains(tx: Transaction, roomId: string, partition: number): Promise<void> {
  const events = await readUnchained(tx, roomId, partition);
  if (events.length === 0) return;
  const { places } = await assign(tx, await beginChaining(tx, events));
  for (const [eventId, { chain, seq }] of places) await tx.run('UPDATE events SET auth_chain = ?, auth_seq = ? WHERE event_id = ?', [chain, seq, eventId]);
}

/** The same for every room: what the migration that brings the chains does. */
export async function placeAllInChains(tx: Transaction): Promise<void> {
  const rooms = await tx.query<{ room_id: string; partition: number }>(
    'SELECT room_id, MAX(partition) AS partition FROM events WHERE state_key IS NOT NULL AND auth_chain IS NULL GROUP BY room_id');
  for (const { room_id: roomId, partition } of rooms) await placeRoomInChains(tx, roomId, partition);
}

interface UnchainedSql extends SqlRow {
  event_id: string; json: Uint8Array;
}

async function readUnchained(tx: Transaction, roomId: string, partition: number): Promise<Unchained[]> {
  const events: Unchained[] = [];
  for (let last = ''; ;) {
    const rows = await tx.query<UnchainedSql>(
      'SELECT event_id, json FROM events WHERE room_id = ? AND state_key IS NOT NULL AND auth_chain IS NULL AND event_id > ? ORDER BY event_id LIMIT ?', [roomId, last, PAGE]);
    for (const row of rows) events.push(unchained(row.event_id, JSON.parse(unpackText(row.json)) as Pdu, { roomId, partition }));
    if (rows.length < PAGE) return events;
    last = rows.at(-1)!.event_id;
  }
}

/** An event that is cited, or that is to have a place and is stored already. */
interface Known {
  readonly roomId: string;
  readonly partition: number;
  readonly type: string;
  readonly slot: Slot | undefined;
  readonly position: Position | undefined;
  /** Whether its chain goes on after it. */
  readonly continued: boolean;
}

interface Chaining {
  readonly events: ReadonlyMap<string, Unchained>;
  readonly known: ReadonlyMap<string, Known>;
}

interface KnownSql extends SqlRow {
  event_id: string; room_id: string; partition: number; type: string; state_key: string | null; auth_chain: number | null; auth_seq: number | null; next_seq: number | null;
}

async function beginChaining(tx: Transaction, list: readonly Unchained[]): Promise<Chaining> {
  const events = new Map(list.map((event) => [event.eventId, event]));
  const ids = new Set(list.flatMap(({ eventId, authEvents }) => [eventId, ...authEvents.filter(isStorable)]));
  const rows = await tx.queryIn<KnownSql>(
    `SELECT e.event_id, e.room_id, e.partition, e.type, e.state_key, e.auth_chain, e.auth_seq, n.auth_seq AS next_seq
     FROM events e LEFT JOIN events n ON n.auth_chain = e.auth_chain AND n.auth_seq = e.auth_seq + 1 WHERE e.event_id IN (??)`, [], [...ids]);
  return { events, known: new Map(rows.map((row) => [row.event_id, knownEvent(row)])) };
}

function knownEvent(row: KnownSql): Known {
  return {
    roomId: row.room_id, partition: row.partition, type: row.type, slot: row.state_key === null ? undefined : slotOf(row.type, row.state_key),
    position: row.auth_chain === null ? undefined : { chain: row.auth_chain, seq: row.auth_seq! }, continued: row.next_seq !== null,
  };
}

/** Rooms with stored state events that have no place, and their partitions. */
function roomsWithout({ known }: Chaining): Map<string, number> {
  const rooms = new Map<string, number>();
  for (const { roomId, partition, slot, position } of known.values()) if (slot !== undefined && position === undefined) rooms.set(roomId, partition);
  return rooms;
}

/** The event at `origin`, and with it all after it in its chain, has the target in its auth chain. */
export interface NewLink {
  readonly origin: Position;
  readonly target: Position;
}

async function assign(tx: Transaction, { events, known }: Chaining): Promise<Pick<Chained, 'places' | 'links'>> {
  const places = new Map<string, Position>();
  const continued = new Set([...known.values()].filter((one) => one.continued).map(({ position }) => keyOf(position!)));
  const counters = await readCounters(tx, events.values());
  const links: NewLink[] = [];
  for (const event of inOrder(events, known)) {
    const cited = event.authEvents.flatMap((eventId) => {
      const position = places.get(eventId) ?? known.get(eventId)?.position;
      const { slot, type, roomId } = events.get(eventId) ?? known.get(eventId) ?? {};
      return position === undefined || roomId !== event.roomId ? [] : [{ position, slot, type }];
    });
    const before = cited.find(({ slot }) => slot === event.slot)?.position;
    const goesOn = before !== undefined && !continued.has(keyOf(before));
    const position = goesOn ? { chain: before.chain, seq: before.seq + 1 } : { chain: counters.next(event.partition), seq: 1 };
    if (goesOn) continued.add(keyOf(before));
    places.set(event.eventId, position);
    const linked = cited.filter(({ position: { chain }, type }) => type !== CREATE && chain !== position.chain).map(({ position: target }) => ({ origin: position, target }));
    // Rejected events may cite two events of a chain: the later one says it all.
    links.push(...linked.sort((left, right) => right.target.seq - left.target.seq));
  }
  const [written] = await Promise.all([writeLinks(tx, links), writeCounters(tx, counters.changed())]);
  return { places, links: written };
}

function keyOf({ chain, seq }: Position): string {
  return `${chain}/${seq}`;
}

/** Those that have no place yet, each after the ones that it cites. */
function inOrder(events: ReadonlyMap<string, Unchained>, known: ReadonlyMap<string, Known>): Unchained[] {
  const order: Unchained[] = [];
  const seen = new Set<string>();
  // A stack with the ways back on it: chains are as long as senders like.
  const stack: { readonly event: Unchained; next: number }[] = [];
  const visit = (eventId: string): void => {
    const event = events.get(eventId);
    if (event === undefined || seen.has(eventId)) return;
    seen.add(eventId);
    if (known.get(eventId)?.position === undefined) stack.push({ event, next: 0 });
  };
  for (const eventId of events.keys()) {
    visit(eventId);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (top.next < top.event.authEvents.length) visit(top.event.authEvents[top.next++]!);
      else order.push(stack.pop()!.event);
    }
  }
  return order;
}

interface Counters {
  /** The number of a new chain. */
  next(partition: number): number;
  /** Partitions that have new chains, and how many chains they have by now. */
  changed(): [partition: number, last: number][];
}

async function readCounters(tx: Transaction, events: Iterable<Unchained>): Promise<Counters> {
  const partitions = [...new Set(Array.from(events, ({ partition }) => partition))];
  const rows = await tx.queryIn<{ partition: number; last: number }>('SELECT partition, last FROM auth_chain_counters WHERE partition IN (??)', [], partitions);
  const last = new Map(rows.map((row) => [row.partition, row.last]));
  const changed = new Set<number>();
  return {
    next(partition) {
      if (partition >= PARTITIONS_MAX) throw new RangeError(`there is no partition ${partition}`);
      const count = (last.get(partition) ?? 0) + 1;
      last.set(partition, count);
      changed.add(partition);
      return count * PARTITIONS_MAX + partition;
    },
    changed: () => [...changed].map((partition) => [partition, last.get(partition)!]),
  };
}

async function writeCounters(tx: Transaction, rows: readonly (readonly [partition: number, last: number])[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.insertMany({ into: 'auth_chain_counters', columns: ['partition', 'last'], rows, onConflict: 'ON CONFLICT (partition) DO UPDATE SET last = excluded.last' });
}

interface ReachedSql extends SqlRow {
  origin_chain: number; target_chain: number; reached: number;
}

/** Only what the chain does not reach already is written, and is the answer. The links of a chain come in its order. */
async function writeLinks(tx: Transaction, links: readonly NewLink[]): Promise<readonly NewLink[]> {
  const continuing = [...new Set(links.filter(({ origin }) => origin.seq > 1).map(({ origin }) => origin.chain))];
  const reached = new Map<string, number>();
  const rows = await tx.queryIn<ReachedSql>('SELECT origin_chain, target_chain, target_seq AS reached FROM auth_links WHERE origin_chain IN (??)', [], continuing);
  const note = (origin: number, target: number, seq: number): boolean => {
    const key = `${origin}/${target}`;
    if ((reached.get(key) ?? 0) >= seq) return false;
    reached.set(key, seq);
    return true;
  };
  for (const row of rows) note(row.origin_chain, row.target_chain, row.reached);
  const fresh = links.filter(({ origin, target }) => note(origin.chain, target.chain, target.seq));
  if (fresh.length === 0) return fresh;
  await tx.insertMany({
    into: 'auth_links', columns: ['origin_chain', 'origin_seq', 'target_chain', 'target_seq'],
    rows: fresh.map(({ origin, target }): SqlValue[] => [origin.chain, origin.seq, target.chain, target.seq]),
  });
  return fresh;
}
