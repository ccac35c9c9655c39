/**
 * Rows of rooms that many clients ask for at once: when a message wakes everybody in a large room, or when all come back after a lost connection. They are read once for all who ask while
 * the room has not gone on. What tells that is the room's newest sequence number, which whoever asks has just read from the shared tables; so nothing here is ever out of date, in
 * whatever process. Rows may be newer than that number: readers leave out what lies beyond their own position, as always.
 */
import { createRecent } from '../../../pkg/assert/recent.ts';

export interface SharedRoom {
  readonly roomId: string;
  /** The room's newest sequence number, as the tables say now. */
  readonly lastSequence: number;
  /** What the rows depend on beside the room: where they begin, how many they are. */
  readonly bound: number;
}

export interface SharedRows {
  /** The rows of these rooms; `read` finds those that are not here, in any order. */
  get<Row extends { readonly room_id: string }>(kind: string, rooms: readonly SharedRoom[], read: (missing: readonly SharedRoom[]) => Promise<readonly Row[]>): Promise<readonly Row[]>;
  /** Estimated memory in bytes. */
  bytes(): number;
}

/** What an entry and a row cost, roughly. */
const ENTRY_BYTES = 400;
const ROW_BYTES = 800;

const NO_ROWS: readonly never[] = [];

interface Entry {
  readonly lastSequence: number;
  readonly rows: Promise<readonly unknown[]>;
  readonly bytes: number;
}

/** The least recently used go first. */
export function createSharedRows(bytesMax: number): SharedRows {
  const entries = createRecent<Entry>(bytesMax, { weigh: ({ bytes }) => bytes, lazy: true });
  const add = <Row>(key: string, lastSequence: number, rows: Promise<readonly Row[]>): Promise<readonly Row[]> => {
    const entry: Entry = { lastSequence, rows, bytes: ENTRY_BYTES };
    entries.set(key, entry);
    rows.then(
      ({ length }) => {
        if (entries.get(key) !== entry) return;
        const bytes = ENTRY_BYTES + length * ROW_BYTES;
        // One huge room must not drive out all others.
        if (bytes <= bytesMax / 2) entries.set(key, { ...entry, bytes });
        else entries.delete(key);
      },
      () => {
        if (entries.get(key) === entry) entries.delete(key);
      },
    );
    return rows;
  };
  return {
    async get<Row extends { readonly room_id: string }>(kind: string, rooms: readonly SharedRoom[], read: (missing: readonly SharedRoom[]) => Promise<readonly Row[]>): Promise<readonly Row[]> {
      if (rooms.length === 0) return NO_ROWS;
      const found: Promise<readonly Row[]>[] = [];
      const missing: SharedRoom[] = [];
      for (const room of rooms) {
        const key = keyOf(kind, room);
        const entry = entries.get(key);
        if (entry?.lastSequence !== room.lastSequence) {
          missing.push(room);
          continue;
        }
        found.push(entry.rows as Promise<readonly Row[]>);
      }
      if (missing.length > 0) {
        const reading = read(missing).then((rows) => Map.groupBy(rows, (row) => row.room_id));
        for (const room of missing) found.push(add(keyOf(kind, room), room.lastSequence, reading.then((byRoom) => byRoom.get(room.roomId) ?? [])));
      }
      return found.length === 1 ? found[0]! : (await Promise.all(found)).flat();
    },
    bytes: entries.weight,
  };
}

function keyOf(kind: string, { roomId, bound }: SharedRoom): string {
  return `${kind} ${bound} ${roomId}`;
}
