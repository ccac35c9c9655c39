/** Presence as the routes here use it: what a client is told of whom it shares rooms with, and that its own user is there. */
import { decodePresenceTold, encodePresence, PRESENCE_ASK_CHANNEL, PRESENCE_CHANNEL, PRESENCE_SEEN_CHANNEL, PRESENCE_USERS_MAX } from '../../../pkg/log/presence-signals.ts';
import type { AppliedPositions } from '../../../pkg/log/applied.ts';
import type { LogDriver, Subscription } from '../../../pkg/log/log.ts';
import type { Runtime, Timer } from '../../../pkg/runtime/runtime.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import type { PresenceKind, PresenceSeen } from '../../../schemas/log/presence.ts';
import type { Notifier } from '../notifier/notifier.ts';
import type { SoftPlace, SyncPosition } from '../token/sync-token.ts';
import { createPresenceBoard, type SeenPresence } from './presence-board.ts';
import { createPresentUsers } from './present-users.ts';
import { createRoomWakes } from './room-wakes.ts';
import { createRoomsOfUsers } from './rooms-of-users.ts';

export interface PresenceAudience {
  readonly userId: string;
  readonly since: SyncPosition | undefined;
  /** Rooms that the user has joined; `entered`: since the client's token. */
  readonly rooms: () => ReadonlySet<string>;
  readonly entered: ReadonlySet<string>;
  /** Others who have just come into rooms of the user. */
  readonly newcomers: readonly string[];
}

export interface PresenceReader {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** See `PresentUsers`. */
  enter(who: { readonly userId: string; readonly deviceId: string }, kind: PresenceKind): () => void;
  get(userId: string): SeenPresence | undefined;
  /** To be taken before `news` of the same answer, with no await between it and the positions of the answer. */
  places(since: SyncPosition | undefined): readonly SoftPlace[];
  /** Whether there is nothing of anybody that a client at `since` does not have. */
  isCurrent(since: SyncPosition): boolean;
  news(audience: PresenceAudience): Promise<SeenPresence[]>;
}

export interface PresenceReaderDeps {
  readonly runtime: Pick<Runtime, 'clock' | 'logger' | 'instanceId'>;
  readonly database: Reader;
  readonly driver: Pick<LogDriver, 'signal' | 'listen'>;
  readonly appliedPositions: Pick<AppliedPositions, 'onApplied'>;
  readonly notifier: Pick<Notifier, 'wakeRoom' | 'size'>;
  /** Rooms with more members tell nobody of presence. */
  readonly roomMembersMax: number;
}

/** Of one answer. */
const NEWS_MAX = 500;
const INITIAL_MAX = 1000;
/** Whose rooms are looked at for one answer. */
const CANDIDATES_MAX = 500;
/** The waiting clients of a room are woken no more often than this. */
const WAKE_EVERY_MS = 2000;
const ASK_EVERY_MS = 10_000;

export function createPresenceReader(deps: PresenceReaderDeps): PresenceReader {
  return new PresenceOfProcess(deps);
}

class PresenceOfProcess implements PresenceReader {
  readonly #deps: PresenceReaderDeps;
  readonly #board = createPresenceBoard();
  readonly #rooms: ReturnType<typeof createRoomsOfUsers>;
  readonly #present: ReturnType<typeof createPresentUsers>;
  readonly #changed = new Set<string>();
  readonly #wakes: ReturnType<typeof createRoomWakes>;
  #look: Timer | undefined;
  #askedAt = -ASK_EVERY_MS;
  #listening: Subscription | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: PresenceReaderDeps) {
    this.#deps = deps;
    const { clock, instanceId } = deps.runtime;
    this.#rooms = createRoomsOfUsers({ ...deps, clock });
    this.#wakes = createRoomWakes({ clock, everyMs: WAKE_EVERY_MS, wakeRoom: (roomId) => deps.notifier.wakeRoom(roomId) });
    this.#present = createPresentUsers({
      clock, lastActive: (userId) => this.#board.get(userId)?.lastActiveMs,
      tell: (users) => {
        for (let at = 0; at < users.length; at += PRESENCE_USERS_MAX) this.#signal({ from: instanceId, users: users.slice(at, at + PRESENCE_USERS_MAX) });
      },
    });
  }

  async start(): Promise<void> {
    const { appliedPositions, driver } = this.#deps;
    this.#unsubscribe = appliedPositions.onApplied(({ rooms, users }) => {
      if (users.length > 0) this.#rooms.forget(users);
      else if (rooms.length === 0) this.#rooms.forgetAll();
    });
    this.#listening = await driver.listen(PRESENCE_CHANNEL, (value) => this.#receive(value));
    this.#ask();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    await this.#listening?.close();
    this.#look?.cancel();
    this.#wakes.close();
    this.#present.close();
  }

  enter(who: { readonly userId: string; readonly deviceId: string }, kind: PresenceKind): () => void {
    return this.#present.enter(who, kind);
  }

  get(userId: string): SeenPresence | undefined {
    return this.#board.get(userId);
  }

  places(since: SyncPosition | undefined): readonly SoftPlace[] {
    return this.#board.places(since);
  }

  isCurrent(since: SyncPosition): boolean {
    return this.#board.isCurrent(since);
  }

  async news({ userId, since, rooms, entered, newcomers }: PresenceAudience): Promise<SeenPresence[]> {
    const shown = new Map<string, SeenPresence>();
    const show = (found: readonly SeenPresence[]): void => found.forEach((one) => shown.set(one.userId, one));
    show(await this.#among(rooms, since));
    if (since !== undefined && entered.size > 0) show(await this.#among(() => entered, undefined));
    if (newcomers.length > 0) show(await this.#sharing(rooms(), this.#board.newsAmong(newcomers, undefined)));
    shown.delete(userId);
    return [...shown.values()].slice(0, since === undefined ? INITIAL_MAX : NEWS_MAX);
  }

  /** News of users in these rooms. Where few have changed it is asked in which rooms they are; otherwise, who is in the rooms. */
  async #among(rooms: () => ReadonlySet<string>, since: SyncPosition | undefined): Promise<SeenPresence[]> {
    const news = this.#board.news(since, CANDIDATES_MAX);
    if (news === undefined) return this.#board.newsAmong(await this.#rooms.membersOf([...rooms()]), since);
    return news.length === 0 ? [] : this.#sharing(rooms(), news);
  }

  async #sharing(rooms: ReadonlySet<string>, users: readonly SeenPresence[]): Promise<SeenPresence[]> {
    if (users.length === 0) return [];
    const theirs = await this.#rooms.of(users.map(({ userId }) => userId));
    return users.filter(({ userId }) => isShared(rooms, theirs.get(userId)));
  }

  #receive(value: Uint8Array): void {
    const told = decodePresenceTold(value);
    if (told === undefined) return;
    const { changed, isGap } = this.#board.receive(told);
    if (isGap) this.#ask();
    if (changed.length === 0 || this.#deps.notifier.size() === 0) return;
    for (const userId of changed) this.#changed.add(userId);
    this.#look ??= this.#deps.runtime.clock.timer(0, () => void this.#wakeRooms());
  }

  /** Wakes who shares a room with those who have changed. */
  async #wakeRooms(): Promise<void> {
    this.#look = undefined;
    const changed = [...this.#changed];
    this.#changed.clear();
    try {
      this.#wakes.wake(new Set([...(await this.#rooms.of(changed)).values()].flatMap((rooms) => [...rooms])));
    } catch (error) {
      this.#deps.runtime.logger.warn({ error }, 'whom to tell of presence could not be read');
    }
  }

  #ask(): void {
    const now = this.#deps.runtime.clock.monotonic();
    if (now - this.#askedAt < ASK_EVERY_MS) return;
    this.#askedAt = now;
    this.#deps.driver.signal(PRESENCE_ASK_CHANNEL, new Uint8Array(0));
  }

  #signal(seen: PresenceSeen): void {
    this.#deps.driver.signal(PRESENCE_SEEN_CHANNEL, encodePresence(seen));
  }
}

function isShared(own: ReadonlySet<string>, theirs: ReadonlySet<string> = new Set()): boolean {
  const [few, many] = own.size < theirs.size ? [own, theirs] : [theirs, own];
  for (const roomId of few) if (many.has(roomId)) return true;
  return false;
}
