/**
 * Wakes long polls. A waiter stands under its user and under the rooms that it wants to hear of; a wake-up is one bit that says "look again". Whoever looks does so *after* it has
 * registered and cleared the bit, so no change falls between the look and the wait. Many waiters are woken in chunks, so that requests of others get their turn.
 */
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Applied } from '../../../schemas/log/envelope.ts';

const WAKE_CHUNK = 100;
/** Users whose rooms are remembered from one long poll to the next, so that the next one hears of them from its start. */
const REMEMBERED_USERS_MAX = 20_000;

export interface Waiter {
  /** Begins a look: forgets wake-ups so far. */
  clear(): void;
  /** Rooms to hear of, instead of those before. True: some are new, so changes in them may have been missed, and another look is due. */
  watch(roomIds: readonly string[]): boolean;
  /** Resolves when woken (also if that was since `clear`), when `ms` have passed, or when `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<'woken' | 'timeout' | 'aborted'>;
  /** Takes it off all lists. */
  close(): void;
}

export interface Notifier {
  waiter(userId: string): Waiter;
  /** Takes an advance of the read model; without rooms and users it wakes everybody. */
  applied(applied: Pick<Applied, 'rooms' | 'users'>): void;
  wakeRoom(roomId: string): void;
  /** How many wait or look. */
  size(): number;
}

export function createNotifier(deps: { clock: Clock }): Notifier {
  const lists: Lists = { rooms: new Map(), users: new Map(), all: new Set(), remembered: new Map() };
  const due = new Set<LongPoll>();
  let waking = false;
  const drain = async (): Promise<void> => {
    waking = true;
    while (due.size > 0) {
      let places = WAKE_CHUNK;
      for (const poll of due) {
        if (places-- === 0) break;
        due.delete(poll);
        poll.wake();
      }
      if (due.size > 0) await deps.clock.yield();
    }
    waking = false;
  };
  const wake = (polls: Iterable<LongPoll> | undefined): void => {
    for (const poll of polls ?? []) due.add(poll);
    if (!waking && due.size > 0) void drain();
  };
  return {
    waiter: (userId) => new LongPoll({ lists, userId, clock: deps.clock, left: (poll) => due.delete(poll) }),
    applied: ({ rooms, users }) => {
      if (rooms.length === 0 && users.length === 0) wake(lists.all);
      for (const roomId of rooms) wake(lists.rooms.get(roomId));
      for (const userId of users) wake(lists.users.get(userId));
    },
    wakeRoom: (roomId) => wake(lists.rooms.get(roomId)),
    size: () => lists.all.size,
  };
}

interface Lists {
  readonly rooms: Map<string, Set<LongPoll>>;
  readonly users: Map<string, Set<LongPoll>>;
  readonly all: Set<LongPoll>;
  readonly remembered: Map<string, readonly string[]>;
}

interface LongPollOptions {
  readonly lists: Lists;
  readonly userId: string;
  readonly clock: Clock;
  readonly left: (poll: LongPoll) => void;
}

class LongPoll implements Waiter {
  readonly #options: LongPollOptions;
  #rooms: readonly string[] = [];
  #woken = false;
  #resolve: (() => void) | undefined;

  constructor(options: LongPollOptions) {
    this.#options = options;
    add(options.lists.users, options.userId, this);
    options.lists.all.add(this);
    this.#rooms = options.lists.remembered.get(options.userId) ?? [];
    for (const roomId of this.#rooms) add(options.lists.rooms, roomId, this);
  }

  clear(): void {
    this.#woken = false;
  }

  watch(roomIds: readonly string[]): boolean {
    const { lists, userId } = this.#options;
    if (roomIds === this.#rooms) return false;
    const gone = new Set(this.#rooms);
    let isNew = false;
    for (const roomId of roomIds) {
      if (gone.delete(roomId)) continue;
      add(lists.rooms, roomId, this);
      isNew = true;
    }
    for (const roomId of gone) remove(lists.rooms, roomId, this);
    if (isNew || gone.size > 0) {
      this.#rooms = roomIds;
      remember(lists.remembered, userId, roomIds);
    }
    return isNew;
  }

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  async wait(ms: number, signal: AbortSignal): Promise<'woken' | 'timeout' | 'aborted'> {
    if (!this.#woken && !signal.aborted && ms > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#options.clock.timer(ms, () => this.#resolve?.());
        this.#resolve = () => {
          this.#resolve = undefined;
          timer.cancel();
          signal.removeEventListener('abort', aborted);
          resolve();
        };
        const aborted = this.#resolve;
        signal.addEventListener('abort', aborted, { once: true });
      });
    }
    if (signal.aborted) return 'aborted';
    return this.#woken ? 'woken' : 'timeout';
  }

  close(): void {
    for (const roomId of this.#rooms) remove(this.#options.lists.rooms, roomId, this);
    remove(this.#options.lists.users, this.#options.userId, this);
    this.#options.lists.all.delete(this);
    this.#options.left(this);
  }
}

function add(lists: Map<string, Set<LongPoll>>, key: string, poll: LongPoll): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, new Set([poll]));
  else list.add(poll);
}

function remove(lists: Map<string, Set<LongPoll>>, key: string, poll: LongPoll): void {
  const list = lists.get(key);
  if (list?.delete(poll) === true && list.size === 0) lists.delete(key);
}

function remember(remembered: Map<string, readonly string[]>, userId: string, roomIds: readonly string[]): void {
  remembered.delete(userId);
  remembered.set(userId, roomIds);
  if (remembered.size <= REMEMBERED_USERS_MAX) return;
  for (const oldest of remembered.keys()) {
    remembered.delete(oldest);
    return;
  }
}
