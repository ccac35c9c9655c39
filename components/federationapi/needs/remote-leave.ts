/** A leave of a room that this server is not in: an invite is declined (spec: server-server, "Leaving Rooms (Rejecting Invites)"). */
import type { RemoteMembership } from '../../../schemas/log/room-output.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { makeMembership } from './make-membership.ts';
import { askEitherVersion } from './older-api.ts';
import { throughServers } from './through-servers.ts';

const SEND_LIMIT_MS = 20_000;

/** The leave, which another server has taken. Rejects with `NeedFailure`, `FederationError`. */
export async function remoteLeave(tools: NeedTools, job: NeedJob, wish: RemoteMembership): Promise<Fulfilled> {
  const content = JSON.parse(Buffer.from(wish.content).toString()) as Record<string, unknown>;
  return throughServers(tools, job, wish.via, async (server) => {
    const { eventId, json, version } = await makeMembership(tools, job, { server, userId: wish.userId, membership: 'leave', content });
    await askEitherVersion(tools, job, { endpoint: 'send_leave', eventId, question: { destination: server, json, limitMs: SEND_LIMIT_MS, insistent: true } });
    return { answer: { origin: server, eventId, pdu: Buffer.from(json), roomVersion: version.id } };
  });
}
