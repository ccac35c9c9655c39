/** Fetches the auth chain of an event (spec: server-server, "Retrieving event authorization information"). */
import type { AboutEvent } from '../../../schemas/log/room-output.ts';
import { stageState } from '../stage/stage-state.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { eachOnce, listIn, versionOf } from './lists.ts';
import { withoutKnown } from './known-events.ts';

const LIMIT_MS = 20_000;
const BYTES_MAX = 64 * 1024 * 1024;
const CHAIN_EVENTS_MAX = 50_000;

/** The chain, staged without what is known here. Rejects with `NeedFailure`, `FederationError`, `StorageError`. */
export async function eventAuth(tools: NeedTools, job: NeedJob, wish: AboutEvent): Promise<Fulfilled> {
  const version = versionOf(job.roomVersion);
  return tools.bigAnswers.run(wish.origin, async () => {
    const body = await tools.ask(job, {
      destination: wish.origin, method: 'GET', path: `/_matrix/federation/v1/event_auth/${encodeURIComponent(job.roomId)}/${encodeURIComponent(wish.eventId)}`,
      limitMs: LIMIT_MS, responseBytesMax: BYTES_MAX,
    });
    const chain = eachOnce(await tools.intact(job, listIn(body, 'auth_chain', CHAIN_EVENTS_MAX), { version, patient: true }));
    const events = await withoutKnown(tools, chain.filter(({ eventId }) => eventId !== wish.eventId));
    const staged = await stageState(tools, job, { version, events, stateIds: new Set() });
    return { answer: { origin: wish.origin, roomVersion: version.id }, state: staged };
  });
}
