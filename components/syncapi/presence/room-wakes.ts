/** Wakes rooms not too often: the first time at once, and again when the pause is over, however often it was asked for. */
import type { Clock, Timer } from '../../../pkg/runtime/runtime.ts';

export interface RoomWakes {
  wake(roomIds: Iterable<string>): void;
  close(): void;
}

export function createRoomWakes({ clock, everyMs, wakeRoom }: { readonly clock: Clock; readonly everyMs: number; readonly wakeRoom: (roomId: string) => void }): RoomWakes {
  const woken = new Set<string>();
  const waiting = new Set<string>();
  let timer: Timer | undefined;

  function wake(roomIds: Iterable<string>): void {
    for (const roomId of roomIds) {
      if (woken.has(roomId)) {
        waiting.add(roomId);
      } else {
        woken.add(roomId);
        wakeRoom(roomId);
      }
    }
    if (woken.size > 0) timer ??= clock.timer(everyMs, again);
  }

  function again(): void {
    timer = undefined;
    const due = [...waiting];
    waiting.clear();
    woken.clear();
    wake(due);
  }

  return { wake, close: () => timer?.cancel() };
}
