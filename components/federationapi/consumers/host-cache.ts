/** Which other servers are in which rooms, in memory: what the tables say after every batch so far. The rooms used last stay. */
import type { RoomHosts } from '../storage/joined-hosts.ts';

/** Rooms and servers in them, together. */
const ENTRIES_MAX = 200_000;

export interface HostCache {
  get(roomId: string): RoomHosts | undefined;
  /** Notes what the room has now, with its partition of room-output. */
  set(roomId: string, partition: number, hosts: RoomHosts): void;
  /** Drops the rooms that were not used for the longest time, if there are too many; between two batches. */
  shrink(): void;
  forget(partition: number): void;
}

interface Room {
  readonly partition: number;
  readonly hosts: RoomHosts;
  readonly entries: number;
}

export function createHostCache(entriesMax = ENTRIES_MAX): HostCache {
  /** The one used last is the last. */
  const rooms = new Map<string, Room>();
  let entries = 0;

  function drop(roomId: string): void {
    entries -= rooms.get(roomId)?.entries ?? 0;
    rooms.delete(roomId);
  }

  return {
    get(roomId) {
      const room = rooms.get(roomId);
      if (room === undefined) return undefined;
      rooms.delete(roomId);
      rooms.set(roomId, room);
      return room.hosts;
    },
    set(roomId, partition, hosts) {
      drop(roomId);
      rooms.set(roomId, { partition, hosts, entries: 1 + hosts.size });
      entries += 1 + hosts.size;
    },
    shrink() {
      for (const roomId of rooms.keys()) {
        if (entries <= entriesMax) return;
        drop(roomId);
      }
    },
    forget(partition) {
      for (const [roomId, room] of rooms) if (room.partition === partition) drop(roomId);
    },
  };
}
