/** Fetches the state before an event (spec: server-server, "Retrieving events", state_ids, state and event). */
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { AboutEvent } from '../../../schemas/log/room-output.ts';
import { stageState } from '../stage/stage-state.ts';
import { failureOf, mayPass } from './failure.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { knownIds } from './known-events.ts';
import { eventIdsIn, idsByKey, listIn, malformed, STATE_EVENTS_MAX, versionOf } from './lists.ts';
import { STATE_BYTES_MAX } from './remote-join.ts';

interface Wanted {
  readonly wish: AboutEvent;
  readonly version: RoomVersion;
}

const IDS_LIMIT_MS = 20_000;
const IDS_BYTES_MAX = 64 * 1024 * 1024;
const STATE_LIMIT_MS = 90_000;
const EVENT_LIMIT_MS = 15_000;
/** Beyond so many unknown events the state is fetched as a whole, when they are most of it. */
const SINGLE_MIN = 10;
/** Events that are fetched one by one, at most. */
const SINGLE_MAX = 1000;
const SINGLE_AT_ONCE = 8;
/** In a row: the server gives no more. */
const REFUSALS_MAX = 20;
/** When less is left, what the origin still does not answer for is its own trouble, and not that of the way. */
const LAST_MS = 16_000;

/**
 * The state and its auth chain, staged but for what is known here. What the origin names and says no to is left out; rejects with `NeedFailure` or `FederationError` when it gives nothing of
 * what is unknown, also when it did not answer for some of it and may well when it is asked again: others are judged by this state, and it is not to have holes; and with `StorageError`.
 */
export async function stateAt(tools: NeedTools, job: NeedJob, wish: AboutEvent): Promise<Fulfilled> {
  const version = versionOf(job.roomVersion);
  return tools.bigAnswers.run(wish.origin, async () => {
    const { state, chain } = await askIds(tools, job, { wish, version });
    const all = [...new Set([...state, ...chain])];
    const known = await knownIds(tools, all);
    const unknown = all.filter((eventId) => !known.has(eventId));
    const events = await fetchEvents(tools, job, { wish, version }, { unknown, isMost: unknown.length > SINGLE_MIN && unknown.length * 2 > all.length });
    if (unknown.length > 0 && events.length === 0) throw malformed('it gives none of the events that it names');
    const stateIds = new Set(state);
    const staged = await stageState(tools, job, {
      version, events, stateIds: idsByKey(events.filter(({ eventId }) => stateIds.has(eventId))), knownStateIds: state.filter((eventId) => known.has(eventId)),
    });
    return { answer: { origin: wish.origin, roomVersion: version.id }, state: staged };
  });
}

async function askIds(tools: NeedTools, job: NeedJob, { wish, version }: Wanted): Promise<{ state: string[]; chain: string[] }> {
  const body = await tools.ask(job, {
    destination: wish.origin, method: 'GET', path: `/_matrix/federation/v1/state_ids/${encodeURIComponent(job.roomId)}`, query: { event_id: wish.eventId },
    limitMs: IDS_LIMIT_MS, responseBytesMax: IDS_BYTES_MAX,
  });
  const limit = { version, max: STATE_EVENTS_MAX };
  return { state: eventIdsIn(body, 'pdu_ids', limit), chain: eventIdsIn(body, 'auth_chain_ids', limit) };
}

async function fetchEvents(tools: NeedTools, job: NeedJob, wanted: Wanted, { unknown, isMost }: { unknown: readonly string[]; isMost: boolean }): Promise<IntactEvent[]> {
  const lacking = new Set(unknown);
  const found: IntactEvent[] = [];
  const take = (events: readonly (IntactEvent | undefined)[]): void => {
    for (const event of events) if (event !== undefined && lacking.delete(event.eventId)) found.push(event);
  };
  const intact = (values: readonly unknown[]) => tools.intact(job, values, { version: wanted.version, patient: true });
  if (isMost || unknown.length > SINGLE_MAX) take(await intact(await askState(tools, job, wanted)));
  take(await intact(await askEach(tools, job, wanted, { eventIds: [...lacking].slice(0, SINGLE_MAX), hasSome: found.length > 0 })));
  return found;
}

/** What is given under these IDs, unverified. `hasSome`: the origin has given others before. */
async function askEach(tools: NeedTools, job: NeedJob, wanted: Wanted, { eventIds, hasSome }: { eventIds: readonly string[]; hasSome: boolean }): Promise<unknown[]> {
  const isLast = job.deadlineMs - tools.clock.now() < LAST_MS;
  const found: unknown[] = [];
  let refusals = 0;
  let silence: unknown;
  for (let from = 0; from < eventIds.length && refusals < REFUSALS_MAX; from += SINGLE_AT_ONCE) {
    const given = await Promise.all(eventIds.slice(from, from + SINGLE_AT_ONCE).map((eventId) => askEvent(tools, job, wanted, { eventId, insistent: isLast })));
    const values = given.flatMap(({ value }) => (value === undefined ? [] : [value]));
    found.push(...values);
    silence ??= given.find(({ failure }) => failure !== undefined)?.failure;
    if (silence !== undefined && !isLast) throw silence;
    refusals = values.length === 0 ? refusals + given.length : 0;
  }
  if (silence !== undefined && ((found.length === 0 && !hasSome) || refusals >= REFUSALS_MAX)) throw silence;
  return found;
}

async function askState(tools: NeedTools, job: NeedJob, { wish }: Wanted): Promise<unknown[]> {
  const body = await tools.ask(job, {
    destination: wish.origin, method: 'GET', path: `/_matrix/federation/v1/state/${encodeURIComponent(job.roomId)}`, query: { event_id: wish.eventId },
    limitMs: STATE_LIMIT_MS, responseBytesMax: STATE_BYTES_MAX,
  });
  return [...listIn(body, 'pdus', STATE_EVENTS_MAX), ...listIn(body, 'auth_chain', STATE_EVENTS_MAX)];
}

interface Given {
  /** undefined when the server does not give it. */
  readonly value: unknown;
  /** Why the server may well give it when it is asked again. */
  readonly failure?: unknown;
}

async function askEvent(tools: NeedTools, job: NeedJob, { wish }: Wanted, { eventId, insistent }: { eventId: string; insistent: boolean }): Promise<Given> {
  try {
    const body = await tools.ask(job, {
      destination: wish.origin, method: 'GET', path: `/_matrix/federation/v1/event/${encodeURIComponent(eventId)}`, limitMs: EVENT_LIMIT_MS, insistent,
    });
    return { value: listIn(body, 'pdus', 1)[0] };
  } catch (error) {
    if (failureOf(error) === undefined || job.signal.aborted) throw error;
    return { value: undefined, ...(mayPass(error) && { failure: error }) };
  }
}
