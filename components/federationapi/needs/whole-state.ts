/** Fetches the state before a join which had to go without its members (MSC3902, "Resynchronisation"): as a whole, because nearly all of it is unknown here. */
import type { WholeState } from '../../../schemas/log/room-output.ts';
import { stageState } from '../stage/stage-state.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { eachOnce, idsByKey, listIn, malformed, STATE_EVENTS_MAX, versionOf } from './lists.ts';
import { STATE_BYTES_MAX } from './remote-join.ts';
import { throughServers } from './through-servers.ts';

/** Some servers put such an answer together for minutes. */
const LIMIT_MS = 10 * 60_000;

/** The state and its auth chain, staged. Rejects with `NeedFailure`, `FederationError`, `StorageError`. */
export async function wholeState(tools: NeedTools, job: NeedJob, { via, eventId }: WholeState): Promise<Fulfilled> {
  const version = versionOf(job.roomVersion);
  return throughServers(tools, job, via, (server) => tools.bigAnswers.run(server, async () => {
    const body = await tools.ask(job, {
      destination: server, method: 'GET', path: `/_matrix/federation/v1/state/${encodeURIComponent(job.roomId)}`, query: { event_id: eventId }, limitMs: LIMIT_MS, responseBytesMax: STATE_BYTES_MAX,
    });
    const state = listIn(body, 'pdus', STATE_EVENTS_MAX);
    const all = await tools.intact(job, [...state, ...listIn(body, 'auth_chain', STATE_EVENTS_MAX)], { version, patient: true });
    const inState = eachOnce(all.slice(0, state.length));
    if (!inState.some(({ pdu }) => pdu.type === 'm.room.create')) throw malformed('the state has no create event');
    return { answer: { origin: server, roomVersion: version.id }, state: await stageState(tools, job, { version, events: eachOnce(all), stateIds: idsByKey(inState) }) };
  }));
}
