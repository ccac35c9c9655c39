/**
 * Wakes long polls. A waiter stands under its user and under the rooms that it wants to hear of; a wake-up is one bit that says "look again". Whoever looks does so *after* it has
 * registered and cleared the bit, so no change falls between the look and the wait. Many waiters are woken in chunks, so that requests of others get their turn, and each chunk when most of those before
 * have looked: what a look holds while it waits for the database would be copied by collections of garbage, and of 2,500 waiters at once that took a third of all CPU.
 */
import type { Departure, DepartureListener } from '../../../pkg/http/departure.ts';
import type { Clock, Timer } from '../../../pkg/runtime/runtime.ts';
import type { Applied } from '../../../schemas/log/envelope.ts';

const WAKE_CHUNK = 100;
/** The next chunk is woken when no more than so many of those before still look; after so long anyway, since looks that hang must keep nobody asleep. */
const LOOKING_MAX = 100;
const LOOKING_MS_MAX = 100;
/** When more are to be woken, who has sent what they are told of is answered first. */
const WAKE_AT_ONCE_MAX = 10;
/** Users whose rooms are remembered from one long poll to the next, so that the next one hears of them from its start. */
const REMEMBERED_USERS_MAX = 20_000;

export type WaitEnd = 'woken' | 'timeout' | 'departed';

export interface Waiter {
  /** Whether the rooms that it hears of are for certain all that its user is in, as far as this process knows the read model. */
  readonly isCertain: boolean;
  /** Begins a look: forgets wake-ups so far. */
  clear(): void;
  /** Rooms to hear of, instead of those before. True: some are new, so changes in them may have been missed, and another look is due. */
  watch(roomIds: readonly string[]): boolean;
  /** Resolves when woken (also if that was since `clear`), when `ms` have passed, or when departure is due. */
  wait(ms: number, departure: Departure): Promise<WaitEnd>;
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
  const lists: Lists = { clock: deps.clock, rooms: new Map(), users: new Map(), all: new Set(), due: new Set(), remembered: new Map(), blanks: 0, looking: 0, rested: undefined };
  const { due } = lists;
  let waking = false;
  const drain = async (): Promise<void> => {
    waking = true;
    if (due.size > WAKE_AT_ONCE_MAX) await deps.clock.yield();
    while (due.size > 0) {
      let places = WAKE_CHUNK;
      for (const poll of due) {
        if (places-- === 0) break;
        due.delete(poll);
        poll.wake();
      }
      if (due.size > 0) await deps.clock.yield();
      if (due.size > 0 && lists.looking > LOOKING_MAX) await untilFewLook(lists);
    }
    waking = false;
  };
  const wake = (polls: LongPoll | ReadonlySet<LongPoll> | undefined): void => {
    if (polls instanceof LongPoll) due.add(polls);
    else for (const poll of polls ?? []) due.add(poll);
    if (!waking && due.size > 0) void drain();
  };
  return {
    waiter: (userId) => new LongPoll(lists, userId),
    applied: ({ rooms, users }) => {
      if (rooms.length === 0 && users.length === 0) {
        lists.blanks += 1;
        wake(lists.all);
      }
      for (const roomId of rooms) wake(lists.rooms.get(roomId));
      for (const userId of users) {
        name(lists, userId);
        wake(lists.users.get(userId));
      }
    },
    wakeRoom: (roomId) => wake(lists.rooms.get(roomId)),
    size: () => lists.all.size,
  };
}

/** Rooms of a user. */
interface Remembered {
  readonly rooms: readonly string[];
  /** `blanks` when they were looked for; -1: the user's memberships may have changed since. */
  certainAt: number;
}

interface Lists {
  readonly clock: Clock;
  readonly rooms: Map<string, OneOrMore>;
  readonly users: Map<string, OneOrMore>;
  readonly all: Set<LongPoll>;
  /** To be woken. */
  readonly due: Set<LongPoll>;
  readonly remembered: Map<string, Remembered>;
  /** How often nobody could be named. */
  blanks: number;
  /** How many were woken and have neither waited again nor gone since. */
  looking: number;
  /** Called when few look. */
  rested: (() => void) | undefined;
}

function untilFewLook(lists: Lists): Promise<void> {
  return new Promise((resolve) => {
    const timer = lists.clock.timer(LOOKING_MS_MAX, () => lists.rested?.());
    lists.rested = () => {
      timer.cancel();
      lists.rested = undefined;
      resolve();
    };
  });
}

/** Nearly all users wait once. */
type OneOrMore = LongPoll | Set<LongPoll>;

/** There is one for each client that waits, tens of thousands of them: no closures, no objects of its own. */
class LongPoll implements Waiter, DepartureListener {
  readonly #lists: Lists;
  readonly #userId: string;
  #rooms: readonly string[];
  #woken = false;
  #clearedAt = -1;
  #isLooking = false;
  #resolve: ((end: WaitEnd) => void) | undefined;
  #timer: Timer | undefined;
  #departure: Departure | undefined;

  constructor(lists: Lists, userId: string) {
    this.#lists = lists;
    this.#userId = userId;
    add(lists.users, userId, this);
    lists.all.add(this);
    this.#rooms = lists.remembered.get(userId)?.rooms ?? [];
    for (const roomId of this.#rooms) add(lists.rooms, roomId, this);
  }

  get isCertain(): boolean {
    const known = this.#lists.remembered.get(this.#userId);
    return known?.certainAt === this.#lists.blanks && known.rooms === this.#rooms;
  }

  clear(): void {
    this.#woken = false;
    this.#clearedAt = this.#lists.blanks;
  }

  /** What is being looked at may have been read before its user's memberships changed. */
  named(): void {
    this.#clearedAt = -1;
  }

  watch(roomIds: readonly string[]): boolean {
    const isNew = roomIds !== this.#rooms && this.#hearOf(roomIds);
    if (!this.isCertain) remember(this.#lists.remembered, this.#userId, { rooms: this.#rooms, certainAt: this.#clearedAt });
    return isNew;
  }

  #hearOf(roomIds: readonly string[]): boolean {
    const gone = new Set(this.#rooms);
    let isNew = false;
    for (const roomId of roomIds) {
      if (gone.delete(roomId)) continue;
      add(this.#lists.rooms, roomId, this);
      isNew = true;
    }
    for (const roomId of gone) remove(this.#lists.rooms, roomId, this);
    if (isNew || gone.size > 0) this.#rooms = roomIds;
    return isNew;
  }

  wake(): void {
    this.#woken = true;
    if (this.#resolve !== undefined) {
      this.#isLooking = true;
      this.#lists.looking += 1;
    }
    this.#end('woken');
  }

  #hasLooked(): void {
    if (!this.#isLooking) return;
    this.#isLooking = false;
    this.#lists.looking -= 1;
    if (this.#lists.looking <= LOOKING_MAX) this.#lists.rested?.();
  }

  departed(): void {
    this.#end('departed');
  }

  wait(ms: number, departure: Departure): Promise<WaitEnd> {
    this.#hasLooked();
    if (departure.isDue) return Promise.resolve('departed');
    if (this.#woken) return Promise.resolve('woken');
    if (ms <= 0) return Promise.resolve('timeout');
    this.#departure = departure;
    this.#timer = this.#lists.clock.timer(ms, () => this.#end('timeout'));
    departure.listen(this);
    return new Promise((resolve) => void (this.#resolve = resolve));
  }

  #end(how: WaitEnd): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#resolve = undefined;
    this.#timer?.cancel();
    this.#departure?.listen(undefined);
    resolve(how);
  }

  close(): void {
    this.#hasLooked();
    for (const roomId of this.#rooms) remove(this.#lists.rooms, roomId, this);
    remove(this.#lists.users, this.#userId, this);
    this.#lists.all.delete(this);
    this.#lists.due.delete(this);
  }
}

function add(lists: Map<string, OneOrMore>, key: string, poll: LongPoll): void {
  const known = lists.get(key);
  if (known === undefined) lists.set(key, poll);
  else if (known instanceof LongPoll) lists.set(key, new Set([known, poll]));
  else known.add(poll);
}

function remove(lists: Map<string, OneOrMore>, key: string, poll: LongPoll): void {
  const known = lists.get(key);
  if (known === poll) lists.delete(key);
  else if (known instanceof Set && known.delete(poll) && known.size === 0) lists.delete(key);
}

function name({ remembered, users }: Lists, userId: string): void {
  const known = remembered.get(userId);
  if (known !== undefined) known.certainAt = -1;
  const polls = users.get(userId);
  if (polls instanceof LongPoll) polls.named();
  else for (const poll of polls ?? []) poll.named();
}

function remember(remembered: Map<string, Remembered>, userId: string, rooms: Remembered): void {
  remembered.delete(userId);
  remembered.set(userId, rooms);
  if (remembered.size <= REMEMBERED_USERS_MAX) return;
  for (const oldest of remembered.keys()) {
    remembered.delete(oldest);
    return;
  }
}
