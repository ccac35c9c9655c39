/** A knock on a room that this server is not in (spec: server-server, "Knocking upon a room"). */
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RemoteMembership } from '../../../schemas/log/room-output.ts';
import { describedIn, isWhole, strippedOf } from '../verify/room-description.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { makeMembership } from './make-membership.ts';
import { throughServers } from './through-servers.ts';

const SEND_LIMIT_MS = 30_000;

/** The knock, which another server has taken, with what that server tells of the room. Rejects with `NeedFailure`, `FederationError`. */
export async function remoteKnock(tools: NeedTools, job: NeedJob, wish: RemoteMembership): Promise<Fulfilled> {
  const content = JSON.parse(Buffer.from(wish.content).toString()) as Record<string, unknown>;
  return throughServers(tools, job, wish.via, async (server) => {
    const { eventId, json, version } = await makeMembership(tools, job, { server, userId: wish.userId, membership: 'knock', content });
    const path = `/_matrix/federation/v1/send_knock/${encodeURIComponent(job.roomId)}/${encodeURIComponent(eventId)}`;
    const answer = await tools.ask(job, { destination: server, method: 'PUT', path, json, limitMs: SEND_LIMIT_MS, insistent: true });
    const strippedState = await described(tools, job, { version, roomState: answer['knock_room_state'] });
    return { answer: { origin: server, eventId, pdu: Buffer.from(json), roomVersion: version.id, strippedState } };
  });
}

/** Without what is not as its sender signed it; of rooms whose ID is a hash, without everything that nobody signed. */
async function described(tools: NeedTools, job: NeedJob, { version, roomState }: { version: RoomVersion; roomState: unknown }): Promise<Uint8Array> {
  const entries = describedIn(roomState);
  const whole = entries.filter(isWhole);
  const intact = await tools.intact(job, whole, { version });
  const good = new Set<object>(whole.filter((_, index) => intact[index] !== undefined));
  return strippedOf(entries.filter((entry) => good.has(entry) || (!isWhole(entry) && version.roomIdFormat === 'domain')));
}
