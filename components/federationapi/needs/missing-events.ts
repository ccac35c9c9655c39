/** Fetches what lies between an event and what is known here (spec: server-server, "Retrieving events", get_missing_events). */
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { MissingEvents } from '../../../schemas/log/room-output.ts';
import { orderByReferences } from '../stage/order-events.ts';
import { failureOf, mayPass } from './failure.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { listIn, versionOf } from './lists.ts';

const LIMIT_MS = 15_000;
/** Asked for at once; servers give as few as they like. */
const ASKED_MAX = 100;
/** Taken of one answer, whatever was asked for. */
const TAKEN_MAX = 500;
/** All in all: a gap that is wider is bridged by the state after it. */
export const GAP_EVENTS_MAX = 600;
const QUESTIONS_MAX = 40;
const LATEST_MAX = 50;
const APPENDED_AT_ONCE = 20;
/**
 * While more of the need's time is left, a server that goes silent half way is asked again from the beginning. With less, what came is the answer: only of needs that fail are events fetched later, so
 * what lies before it is bridged by a state for good.
 */
const LAST_MS = 14_000;

/**
 * Asks again and again, until nothing is missing or the origin gives nothing new, and appends what came, the oldest first. Rejects with `NeedFailure` or `FederationError` when nothing
 * came at all because of it, and with `StorageError`.
 */
export async function missingEvents(tools: NeedTools, job: NeedJob, asked: MissingEvents): Promise<Fulfilled> {
  const version = versionOf(job.roomVersion);
  const wish = { ...asked, minDepth: Math.max(asked.minDepth, await floorOf(tools, job, asked.earliest)) };
  const found = new Map<string, IntactEvent>();
  let latest = [wish.eventId];
  for (let questions = 0; questions < QUESTIONS_MAX && latest.length > 0 && found.size < GAP_EVENTS_MAX; questions += 1) {
    const before = found.size;
    const given = await question(tools, job, { wish, latest, version }).catch((error: unknown) => {
      // What came before is of use all the same.
      if (before === 0 || failureOf(error) === undefined || job.signal.aborted || (mayPass(error) && job.deadlineMs - tools.clock.now() > LAST_MS)) throw error;
      return [];
    });
    for (const event of given) {
      if (found.size < GAP_EVENTS_MAX && event.eventId !== wish.eventId && !found.has(event.eventId)) found.set(event.eventId, event);
    }
    if (found.size === before) break;
    latest = await openEnds(tools, wish, found);
  }
  await appendOldestFirst(tools, job, { origin: wish.origin, events: [...found.values()] });
  return { answer: { origin: wish.origin } };
}

/**
 * The depth below which nothing of the room is known: what is concurrent with the join of this server hangs on history that nobody asked for. As far as it is easily told: the depth of
 * the oldest event by time, or of an extremity where that is less.
 */
async function floorOf({ roomQuery, roomHistoryQuery }: NeedTools, { roomId }: NeedJob, earliest: readonly string[]): Promise<number> {
  const oldest = await roomHistoryQuery.timestampToEvent(roomId, 0, 'f');
  const events = await roomQuery.eventsById([...earliest, ...(oldest === undefined ? [] : [oldest.eventId])]);
  return events.reduce((least, { pdu }) => Math.min(least, (JSON.parse(Buffer.from(pdu).toString()) as Pdu).depth), events.length === 0 ? 0 : Number.MAX_SAFE_INTEGER);
}

async function question(tools: NeedTools, job: NeedJob, { wish, latest, version }: { wish: MissingEvents; latest: readonly string[]; version: RoomVersion }): Promise<IntactEvent[]> {
  const body = await tools.ask(job, {
    destination: wish.origin, method: 'POST', path: `/_matrix/federation/v1/get_missing_events/${encodeURIComponent(job.roomId)}`,
    body: { earliest_events: wish.earliest, latest_events: latest, limit: ASKED_MAX, min_depth: wish.minDepth }, limitMs: LIMIT_MS,
  });
  const events = await tools.intact(job, listIn(body, 'events', TAKEN_MAX), { version, patient: true });
  return events.filter((event) => event !== undefined);
}

/** Of the events found, those that follow events which are neither found nor have a place here: the next question starts from them. */
async function openEnds({ roomQuery }: NeedTools, wish: MissingEvents, found: ReadonlyMap<string, IntactEvent>): Promise<string[]> {
  const earliest = new Set(wish.earliest);
  const lacking = ({ pdu }: IntactEvent): string[] => prevEventIds(pdu).filter((eventId) => !found.has(eventId) && !earliest.has(eventId));
  const candidates = [...found.values()].filter((event) => event.pdu.depth > wish.minDepth && lacking(event).length > 0);
  const placed = await roomQuery.placedEventIds(candidates.flatMap(lacking));
  return candidates.filter((event) => lacking(event).some((eventId) => !placed.has(eventId))).map(({ eventId }) => eventId).slice(0, LATEST_MAX);
}

async function appendOldestFirst(tools: NeedTools, job: NeedJob, { origin, events }: { origin: string; events: readonly IntactEvent[] }): Promise<void> {
  const byDepth = [...events].sort((a, b) => a.pdu.depth - b.pdu.depth || (a.eventId < b.eventId ? -1 : 1));
  const ordered = await orderByReferences(tools.clock, byDepth, ({ pdu }) => prevEventIds(pdu));
  for (let from = 0; from < ordered.length; from += APPENDED_AT_ONCE) {
    await tools.append(job, ordered.slice(from, from + APPENDED_AT_ONCE).map(({ eventId, bytes }) => ({
      inputId: `need:${job.needId}:${eventId}`, kind: { receivePdu: { eventId, pdu: bytes, origin, needId: job.needId, relay: false } },
    })));
  }
}
