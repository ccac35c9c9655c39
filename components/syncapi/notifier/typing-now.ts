/**
 * Who types where, from the owners' signals. Soft: kept in memory only and lost with the process. Places are (epoch, counter) of the partition's owner; a client whose place is of an
 * older epoch gets the full current value. Notices run out by themselves: the token says when somebody was last seen typing, so that the end is told too.
 */
import type { Clock, Timer } from '../../../pkg/runtime/runtime.ts';
import type { TypingNow } from '../../../schemas/log/envelope.ts';
import { rememberLast } from '../token/remember-last.ts';
import { hasSeenAll, isLater, laterPlaces } from '../token/soft-places.ts';
import type { SyncPosition, SoftPlace } from '../token/sync-token.ts';

/** Longest notice that is believed, in ms: bounds what is kept. */
const NOTICE_MS_MAX = 2 * 60_000;
const ROOMS_MAX = 50_000;

export interface TypingBoard {
  /** Takes a signal; calls `wake` with the room now and again when the notice has run out. */
  receive(notice: TypingNow): void;
  /** Whether there is nothing in any room that a client at `since` does not have. */
  isCurrent(since: SyncPosition): boolean;
  /** For each room with news for a client at `since`, who types there now; rooms that the client `entered` only if somebody does. */
  changes(rooms: readonly TypingRoom[], since: SyncPosition | undefined): Map<string, readonly string[]>;
  /** The place after an answer to a client that was at `since`; never behind it. */
  advance(since: SyncPosition | undefined, rooms: readonly TypingRoom[]): Pick<SyncPosition, 'typing' | 'typingAtMs'>;
  close(): void;
}

export interface TypingRoom {
  readonly roomId: string;
  readonly partition: number;
  readonly entered: boolean;
}

export function createTypingBoard(deps: { clock: Clock; wake: (roomId: string) => void }): TypingBoard {
  return new Board(deps);
}

class Board implements TypingBoard {
  readonly #clock: Clock;
  readonly #wake: (roomId: string) => void;
  readonly #startedMs: number;
  readonly #notices = new Map<string, TypingNow>();
  readonly #places = new Map<number, SoftPlace>();
  readonly #timers = new Map<string, Timer>();
  /** The places in order, until one moves. */
  #sorted: readonly SoftPlace[] = [];
  readonly #newest = rememberLast(laterPlaces);
  readonly #isCurrent = rememberLast(hasSeenAll);

  constructor(deps: { clock: Clock; wake: (roomId: string) => void }) {
    this.#clock = deps.clock;
    this.#wake = deps.wake;
    this.#startedMs = deps.clock.now();
  }

  receive(notice: TypingNow): void {
    const known = this.#notices.get(notice.roomId);
    if (known !== undefined && !isLater(notice, known)) return;
    this.#notices.delete(notice.roomId);
    this.#notices.set(notice.roomId, notice);
    const place = this.#places.get(notice.partition);
    if (place === undefined || isLater(notice, place)) {
      this.#places.set(notice.partition, { partition: notice.partition, epoch: notice.epoch, counter: notice.counter });
      this.#sorted = [...this.#places.values()].sort((a, b) => a.partition - b.partition);
    }
    this.#dropOldest();
    this.#watchEnd(notice);
    this.#wake(notice.roomId);
  }

  isCurrent({ typing, typingAtMs }: SyncPosition): boolean {
    return typingAtMs === 0 && this.#isCurrent(this.#sorted, typing);
  }

  changes(rooms: readonly TypingRoom[], since: SyncPosition | undefined): Map<string, readonly string[]> {
    const changed = new Map<string, readonly string[]>();
    const seen = new Map(since?.typing.map((place) => [place.partition, place]));
    for (const room of rooms) {
      const notice = this.#notices.get(room.roomId);
      const users = this.#usersOf(notice);
      const isDue = since === undefined || room.entered ? users.length > 0 : this.#isNews(notice, seen.get(room.partition), since.typingAtMs);
      if (isDue) changed.set(room.roomId, users);
    }
    return changed;
  }

  advance(since: SyncPosition | undefined, rooms: readonly TypingRoom[]): Pick<SyncPosition, 'typing' | 'typingAtMs'> {
    const typing = since === undefined ? this.#sorted : this.#newest(this.#sorted, since.typing);
    const someoneTypes = rooms.some((room) => this.#usersOf(this.#notices.get(room.roomId)).length > 0);
    return { typing, typingAtMs: someoneTypes ? this.#clock.now() : 0 };
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #usersOf(notice: TypingNow | undefined): readonly string[] {
    return notice !== undefined && this.#clock.now() < endOf(notice, this.#clock.now()) ? notice.userIds : [];
  }

  #isNews(notice: TypingNow | undefined, seen: SoftPlace | undefined, typingAtMs: number): boolean {
    // This process knows nothing of what the client saw: it may have missed the end.
    const isForgotten = typingAtMs > 0 && typingAtMs < this.#startedMs;
    if (notice === undefined) return isForgotten;
    if (seen === undefined || isLater(notice, seen)) return true;
    const hasRunOut = typingAtMs > 0 && notice.userIds.length > 0 && notice.expiresMs > typingAtMs && notice.expiresMs <= this.#clock.now();
    return hasRunOut || isForgotten;
  }

  #watchEnd(notice: TypingNow): void {
    this.#timers.get(notice.roomId)?.cancel();
    this.#timers.delete(notice.roomId);
    if (notice.userIds.length === 0) return;
    const ms = Math.max(0, endOf(notice, this.#clock.now()) - this.#clock.now());
    this.#timers.set(
      notice.roomId,
      this.#clock.timer(ms, () => {
        this.#timers.delete(notice.roomId);
        this.#wake(notice.roomId);
      }),
    );
  }

  #dropOldest(): void {
    if (this.#notices.size <= ROOMS_MAX) return;
    for (const roomId of this.#notices.keys()) {
      this.#notices.delete(roomId);
      this.#timers.get(roomId)?.cancel();
      this.#timers.delete(roomId);
      return;
    }
  }
}

function endOf(notice: TypingNow, nowMs: number): number {
  return Math.min(notice.expiresMs, nowMs + NOTICE_MS_MAX);
}
