/**
 * Who is typing: soft state of a partition's owner, in memory only, sequenced as (epoch of the lease, counter). Each change of a room sends the room's whole list as a
 * signal; when a name runs out the list is sent again, when the last does, an empty one.
 */
import { typingCodec } from '../../../pkg/log/codec.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import type { Clock, Timer } from '../../../pkg/runtime/runtime.ts';
import type { TypingChange } from '../input/effects.ts';

export const TYPING_CHANNEL = 'typing';

/** Clients renew within 30 s (spec: client-server, "Typing Notifications"); nobody types longer than this without saying so again. */
export const TYPING_MS_MAX = 120_000;
export const TYPING_MS_DEFAULT = 30_000;

export interface Typing {
  set(place: { readonly partition: number; readonly epoch: number }, change: TypingChange): void;
  /** Drops a partition's rooms without a word: their next owner starts with a newer epoch, and readers let old names run out by themselves. */
  forget(partition: number): void;
}

interface TypingRoom {
  readonly partition: number;
  /** Wall-clock ms at which each user's name runs out. */
  readonly until: Map<string, number>;
  epoch: number;
  timer: Timer | undefined;
}

export function createTyping({ clock, driver }: { clock: Clock; driver: Pick<LogDriver, 'signal'> }): Typing {
  const rooms = new Map<string, TypingRoom>();
  /** Never goes back in the life of the process, so that (epoch, counter) never does. */
  const counters = new Map<number, number>();

  function publish(roomId: string, room: TypingRoom): void {
    const counter = (counters.get(room.partition) ?? 0) + 1;
    counters.set(room.partition, counter);
    driver.signal(TYPING_CHANNEL, typingCodec.encode({
      roomId, partition: room.partition, epoch: room.epoch, counter, userIds: [...room.until.keys()].sort(), expiresMs: Math.max(0, ...room.until.values()),
    }));
  }

  function schedule(roomId: string, room: TypingRoom): void {
    room.timer?.cancel();
    if (room.until.size === 0) {
      rooms.delete(roomId);
      return;
    }
    room.timer = clock.timer(Math.max(1, Math.min(...room.until.values()) - clock.now()), () => expire(roomId, room));
  }

  function expire(roomId: string, room: TypingRoom): void {
    if (rooms.get(roomId) !== room) return;
    const before = room.until.size;
    for (const [userId, until] of room.until) if (until <= clock.now()) room.until.delete(userId);
    if (room.until.size < before) publish(roomId, room);
    schedule(roomId, room);
  }

  return {
    set({ partition, epoch }, { roomId, userId, typing, timeoutMs }) {
      const room = rooms.get(roomId) ?? { partition, until: new Map<string, number>(), epoch, timer: undefined };
      room.epoch = epoch;
      const was = room.until.has(userId);
      if (!typing && !was) return;
      rooms.set(roomId, room);
      if (typing) room.until.set(userId, clock.now() + Math.min(timeoutMs > 0 ? timeoutMs : TYPING_MS_DEFAULT, TYPING_MS_MAX));
      else room.until.delete(userId);
      publish(roomId, room);
      schedule(roomId, room);
    },
    forget(partition) {
      for (const [roomId, room] of rooms) {
        if (room.partition !== partition) continue;
        room.timer?.cancel();
        rooms.delete(roomId);
      }
    },
  };
}
