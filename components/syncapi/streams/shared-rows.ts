/**
 * Rows of rooms that many clients ask for at once: when a message wakes everybody in a large room, or when all come back after a lost connection. They are read once for all who ask while
 * the room has not gone on. What tells that is the room's newest sequence number, which whoever asks has just read from the shared tables; so nothing here is ever out of date, in
 * whatever process. Rows may be newer than that number: readers leave out what lies beyond their own position, as always.
 */

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
  /** How many had been put to the end before it. */
  movedAt?: number;
}

/** The least recently used go first. */
export function createSharedRows(bytesMax: number): SharedRows {
  const entries = new Map<string, Entry>();
  let [bytes, moved] = [0, 0];
  const remove = (key: string): void => {
    bytes -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  };
  const put = (key: string, entry: Entry): void => {
    remove(key);
    entries.set(key, entry);
    entry.movedAt = moved += 1;
    bytes += entry.bytes;
    for (const oldest of entries.keys()) {
      if (bytes <= bytesMax) break;
      remove(oldest);
    }
  };
  const add = <Row>(key: string, lastSequence: number, rows: Promise<readonly Row[]>): Promise<readonly Row[]> => {
    const entry: Entry = { lastSequence, rows, bytes: ENTRY_BYTES };
    put(key, entry);
    rows.then(
      ({ length }) => {
        if (entries.get(key) !== entry) return;
        remove(key);
        const cost = ENTRY_BYTES + length * ROW_BYTES;
        // One huge room must not drive out all others.
        if (cost <= bytesMax / 2) put(key, { ...entry, bytes: cost });
      },
      () => {
        if (entries.get(key) === entry) remove(key);
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
        // What thousands ask for is not moved for each of them: the newer half stays where it is.
        if (moved - entry.movedAt! > entries.size / 2) put(key, entry);
        found.push(entry.rows as Promise<readonly Row[]>);
      }
      if (missing.length > 0) {
        const reading = read(missing).then((rows) => Map.groupBy(rows, (row) => row.room_id));
        for (const room of missing) found.push(add(keyOf(kind, room), room.lastSequence, reading.then((byRoom) => byRoom.get(room.roomId) ?? [])));
      }
      return found.length === 1 ? found[0]! : (await Promise.all(found)).flat();
    },
    bytes: () => bytes,
  };
}

function keyOf(kind: string, { roomId, bound }: SharedRoom): string {
  return `${kind} ${bound} ${roomId}`;
}
