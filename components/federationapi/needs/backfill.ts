/** Fetches what precedes the oldest events that are known here (spec: server-server, "Backfilling and retrieving missing events", GET /backfill), and what authorises it. */
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Backfill } from '../../../schemas/log/room-output.ts';
import { authReferences } from '../stage/order-events.ts';
import { stageState } from '../stage/stage-state.ts';
import { failureOf, NeedFailure } from './failure.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { knownIds } from './known-events.ts';
import { eachOnce, listIn, versionOf } from './lists.ts';
import { throughServers } from './through-servers.ts';

interface Source {
  readonly server: string;
  readonly version: RoomVersion;
}

/** A reader waits; so the next server has its turn soon. */
const LIMIT_MS = 4000;
/** Taken of one answer, whatever was asked for. */
const TAKEN_MAX = 500;
/** Events that authorise others are fetched one by one, those that authorise these after them. */
const AUTH = { rounds: 8, events: 200, atOnce: 8 };

/** The first server's answer that has any of the events; staged with what authorises them. Rejects with `NeedFailure` (404 when those that answered have nothing), `FederationError`, `StorageError`. */
export async function backfill(tools: NeedTools, job: NeedJob, wish: Backfill): Promise<Fulfilled> {
  const version = versionOf(job.roomVersion);
  const { server, given } = await throughServers(tools, job, wish.via, async (one) => ({ server: one, given: await question(tools, job, { wish, source: { server: one, version } }) }));
  const known = await knownIds(tools, given.map(({ eventId }) => eventId));
  const fresh = given.filter(({ eventId }) => !known.has(eventId));
  const authorising = await fetchAuthorising(tools, job, { source: { server, version }, fresh });
  const state = await stageState(tools, job, { version, events: [...fresh, ...authorising], stateIds: new Set(fresh.map(({ eventId }) => eventId)), knownStateIds: [...known] });
  return { answer: { origin: server, roomVersion: version.id }, state };
}

async function question(tools: NeedTools, job: NeedJob, { wish, source: { server, version } }: { wish: Backfill; source: Source }): Promise<IntactEvent[]> {
  const body = await tools.ask(job, {
    destination: server, method: 'GET', path: `/_matrix/federation/v1/backfill/${encodeURIComponent(job.roomId)}`, query: { v: wish.eventIds, limit: String(wish.limit) }, limitMs: LIMIT_MS,
  });
  const given = eachOnce(await tools.intact(job, listIn(body, 'pdus', TAKEN_MAX), { version }));
  const asked = new Set(wish.eventIds);
  if (!given.some(({ eventId }) => asked.has(eventId))) throw new NeedFailure(404, 'M_NOT_FOUND', 'The other server has none of the events');
  return given;
}

/** What authorises the events and is neither among them nor known here. What cannot be had is left out, and what hangs on it is not taken in. */
async function fetchAuthorising(tools: NeedTools, job: NeedJob, { source, fresh }: { source: Source; fresh: readonly IntactEvent[] }): Promise<IntactEvent[]> {
  const referencesOf = authReferences(source.version);
  const seen = new Set(fresh.map(({ eventId }) => eventId));
  const found: IntactEvent[] = [];
  let level = fresh;
  for (let round = 0; round < AUTH.rounds && level.length > 0; round += 1) {
    const cited = [...new Set(level.flatMap(referencesOf))].filter((eventId) => !seen.has(eventId));
    const known = await knownIds(tools, cited);
    const lacking = cited.filter((eventId) => !known.has(eventId)).slice(0, Math.max(0, AUTH.events - found.length));
    for (const eventId of cited) seen.add(eventId);
    const next: IntactEvent[] = [];
    for (let from = 0; from < lacking.length; from += AUTH.atOnce) {
      const events = await Promise.all(lacking.slice(from, from + AUTH.atOnce).map((eventId) => askEvent(tools, job, { source, eventId })));
      next.push(...events.filter((event) => event !== undefined));
    }
    found.push(...next);
    level = next;
  }
  return found;
}

/** undefined when the server does not give it, or something else instead. */
async function askEvent(tools: NeedTools, job: NeedJob, { source: { server, version }, eventId }: { source: Source; eventId: string }): Promise<IntactEvent | undefined> {
  try {
    const body = await tools.ask(job, { destination: server, method: 'GET', path: `/_matrix/federation/v1/event/${encodeURIComponent(eventId)}`, limitMs: LIMIT_MS });
    const [event] = await tools.intact(job, listIn(body, 'pdus', 1), { version });
    return event?.eventId === eventId ? event : undefined;
  } catch (error) {
    if (failureOf(error) === undefined || job.signal.aborted) throw error;
    return undefined;
  }
}
