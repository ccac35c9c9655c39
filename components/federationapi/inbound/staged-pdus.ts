/**
 * Events whose signers' keys could not be had: kept, and tried again for some hours; and those that were given up because their server did not give what comes before them: fetched once more, until
 * they have their place: as part of a state they may be known before. Their sender was told that all is well, and does not send them again. Every other time another server of the room is asked for
 * them: who gives one is asked for what comes before it, and the first may have gone, or lie about that. What lies behind such an event is nowhere else to be heard of.
 */
import { LogUnavailable } from '../../../pkg/log/log.ts';
import type { Runtime, Task } from '../../../pkg/runtime/runtime.ts';
import { StorageError, type Database } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { readJoinedHosts } from '../storage/joined-hosts.ts';
import { deleteStagedPdus, takeDuePdus, type DuePdu, type StagedPdu } from '../storage/staged-pdus.ts';
import type { FetchEvents } from './fetch-named.ts';
import { keepPdus, pauseMs } from './keep-pdus.ts';
import type { PduReceiver } from './receive-pdus.ts';

export interface StagedPdus {
  /** Keeps events of one server; the IDs of those that it has room for. Rejects with `StorageError`. */
  add(pdus: readonly StagedPdu[]): Promise<Set<string>>;
  start(): Promise<void>;
  stop(): Promise<void>;
  health(): string | undefined;
}

const GIVE_UP_MS = 6 * 3_600_000;
const AT_ONCE = 50;
/** Between looks; after a full batch sooner. */
const LOOK_MS = 15_000;
const FULL_MS = 1000;

export interface StagedPdusDeps {
  readonly runtime: Runtime;
  readonly database: Database;
  readonly receiver: PduReceiver;
  readonly roomQuery: Pick<RoomQuery, 'placedEventIds'>;
  readonly fetch: FetchEvents;
}

export function createStagedPdus({ runtime, database, receiver, roomQuery, fetch }: StagedPdusDeps): StagedPdus {
  const { clock, random, logger } = runtime;
  let task: Task | undefined;

  async function tryAgain(): Promise<number> {
    const nowMs = clock.now();
    const due = await takeDuePdus(database, { nowMs, limit: AT_ONCE, retryAtMs: (attempts) => nowMs + pauseMs(attempts + 1, random) });
    const old = due.filter(({ stagedAtMs }) => nowMs - stagedAtMs > GIVE_UP_MS);
    if (old.length > 0) logger.warn({ events: old.map(({ eventId }) => eventId) }, 'events were given up: a server did not give what they need');
    await deleteStagedPdus(database, old);
    const { whole = [], named = [] } = Object.groupBy(due.filter((pdu) => !old.includes(pdu)), ({ pdu }) => (pdu.byteLength > 0 ? 'whole' : 'named'));
    for (const [origin, ofOrigin] of Map.groupBy(whole, (pdu) => pdu.origin)) await tryThose(origin, ofOrigin);
    const others = await otherServers(named);
    for (const [server, ofServer] of Map.groupBy(named, (pdu) => others.get(pdu) ?? pdu.origin)) await fetchThose(server, ofServer);
    return due.length;
  }

  /** Who is asked instead of the origin, for every other attempt, where anybody else is in the room. */
  async function otherServers(pdus: readonly DuePdu[]): Promise<Map<DuePdu, string>> {
    const turned = pdus.filter(({ attempts }) => attempts % 2 === 1);
    const hosts = await readJoinedHosts(database, [...new Set(turned.map(({ roomId }) => roomId))]);
    return new Map(turned.flatMap((pdu) => {
      const others = [...(hosts.get(pdu.roomId)?.keys() ?? [])].filter((server) => server !== pdu.origin);
      return others.length === 0 ? [] : [[pdu, others[Math.floor(random.float() * others.length)]!]];
    }));
  }

  /** Whether they find their place shows later: they stay until they have one, or are refused. */
  async function fetchThose(server: string, pdus: readonly DuePdu[]): Promise<void> {
    const placed = await roomQuery.placedEventIds(pdus.map(({ eventId }) => eventId));
    const wanted = pdus.filter(({ eventId }) => !placed.has(eventId));
    const values = await fetch(server, wanted.map(({ eventId }) => eventId));
    const { results } = values.length === 0 ? { results: new Map<string, string | undefined>() } : await receiver.receive(server, values, '');
    // A copy that is refused is spoiled, or the event is no good: the second one tells.
    await deleteStagedPdus(database, pdus.filter(({ eventId, attempts }) => placed.has(eventId) || (attempts > 0 && results.get(eventId) !== undefined)));
  }

  /** What is checked, whichever way that ended, needs not be kept any more. */
  async function tryThose(origin: string, pdus: readonly DuePdu[]): Promise<void> {
    const values = pdus.map(({ pdu }) => JSON.parse(Buffer.from(pdu).toString()) as unknown);
    const { lacking } = await receiver.receive(origin, values, '');
    const still = new Set(lacking.map(({ eventId }) => eventId));
    await deleteStagedPdus(database, pdus.filter(({ eventId }) => !still.has(eventId)));
  }

  async function work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let tried = 0;
      try {
        tried = await tryAgain();
      } catch (error) {
        if (!(error instanceof LogUnavailable) && !(error instanceof StorageError && error.kind !== 'bug')) throw error;
        logger.warn({ error }, 'events that wait for other servers could not be tried again; they stay');
      }
      await clock.sleep(tried === AT_ONCE ? FULL_MS : LOOK_MS, signal);
    }
  }

  return {
    add: (pdus) => keepPdus({ clock, random, database }, pdus),
    start: async () => {
      task ??= runtime.tasks.spawn('events that wait for other servers', work);
    },
    stop: async () => {
      await task?.stop();
      task = undefined;
    },
    health: () => undefined,
  };
}
