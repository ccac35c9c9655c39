/**
 * The heads in memory, least recently used first, within a budget of bytes over all rooms. The budget holds between batches. A batch keeps all heads that it uses, which are no more than it has
 * inputs, and of each only the keys of the state that these inputs ask for.
 */
import { dropState, type RoomHead } from './room-head.ts';

export interface HeadCache {
  /** The head, now the most recently used. */
  get(roomId: string): RoomHead | undefined;
  /** Opens a batch: its result takes in heads until the next `forget`, so that a head of a lost partition does not come back. */
  batch(): { put(head: RoomHead): void };
  /**
   * Counts anew what the heads of `used` weigh and brings the cache back within its budget, the least recently used out first. Between batches only:
   * a head that was advanced and not committed must not be lost.
   */
  trim(used: Iterable<string>): void;
  /** Drops the head of a room whose rows change by another way than its events; it must not be used before they are committed. */
  drop(roomId: string): void;
  /** Drops the heads of a partition. */
  forget(partition: number): void;
  /** What the heads weigh by the last count, and how many they are. */
  size(): { bytes: number; rooms: number };
}

/** A head that takes more than this share of the budget loses its loaded state, which is read again as it is needed: no room, however many of its members speak, puts the others out. */
const HEAD_SHARE_MAX = 16;

export function createHeadCache(bytesMax: number): HeadCache {
  const heads = new Map<string, RoomHead>();
  const counted = new Map<string, number>();
  let bytes = 0;
  let generation = 0;

  function count(roomId: string): void {
    const now = heads.get(roomId)?.bytes;
    bytes += (now ?? 0) - (counted.get(roomId) ?? 0);
    if (now === undefined) counted.delete(roomId);
    else counted.set(roomId, now);
  }

  function drop(roomId: string): void {
    heads.delete(roomId);
    count(roomId);
  }

  return {
    drop,
    get(roomId) {
      const head = heads.get(roomId);
      if (head === undefined) return undefined;
      heads.delete(roomId);
      heads.set(roomId, head);
      return head;
    },
    batch() {
      const opened = generation;
      return {
        put(head) {
          if (generation !== opened) return;
          heads.set(head.roomId, head);
          count(head.roomId);
        },
      };
    },
    trim(used) {
      for (const roomId of used) {
        const head = heads.get(roomId);
        if (head !== undefined && head.bytes > bytesMax / HEAD_SHARE_MAX) dropState(head);
        count(roomId);
      }
      for (const roomId of heads.keys()) {
        if (bytes <= bytesMax) break;
        drop(roomId);
      }
    },
    forget(partition) {
      generation += 1;
      for (const [roomId, head] of heads) if (head.partition === partition) drop(roomId);
    },
    size: () => ({ bytes, rooms: heads.size }),
  };
}
