/** A join of a room that this server is not in (spec: server-server, "Joining Rooms", and rooms/, "restricted"). */
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RemoteMembership } from '../../../schemas/log/room-output.ts';
import { stageState } from '../stage/stage-state.ts';
import type { Staged } from '../storage/stages.ts';
import type { Fulfilled, NeedJob, NeedTools } from './job.ts';
import { eachOnce, idsByKey, listIn, malformed, STATE_EVENTS_MAX } from './lists.ts';
import { makeMembership, type MadeMembership } from './make-membership.ts';
import { askEitherVersion } from './older-api.ts';
import { addSignatureFrom } from './signatures.ts';
import { throughServers } from './through-servers.ts';

const SEND_LIMIT_MS = 90_000;
/** That a server may name as being in a room. */
const SERVERS_MAX = 100_000;
export const STATE_BYTES_MAX = 256 * 1024 * 1024;

/** The join, with the state of the room staged. Rejects with `NeedFailure`, `FederationError`, `StorageError`. */
export async function remoteJoin(tools: NeedTools, job: NeedJob, wish: RemoteMembership): Promise<Fulfilled> {
  const content = JSON.parse(Buffer.from(wish.content).toString()) as Record<string, unknown>;
  return throughServers(tools, job, wish.via, async (server) => {
    const made = await makeMembership(tools, job, { server, userId: wish.userId, membership: 'join', content });
    return tools.bigAnswers.run(server, async () => joined(tools, job, { server, made, body: await sendJoin(tools, job, server, made) }));
  });
}

async function sendJoin(tools: NeedTools, job: NeedJob, server: string, { eventId, json }: MadeMembership): Promise<Readonly<Record<string, unknown>>> {
  const question = { destination: server, json, query: { omit_members: 'true' }, limitMs: SEND_LIMIT_MS, insistent: true, responseBytesMax: STATE_BYTES_MAX };
  return askEitherVersion(tools, job, { endpoint: 'send_join', eventId, question });
}

async function joined(tools: NeedTools, job: NeedJob, { server, made, body }: { server: string; made: MadeMembership; body: Readonly<Record<string, unknown>> }): Promise<Fulfilled> {
  const { version, eventId } = made;
  const pdu = await signedByAuthoriser(tools, made, body['event']);
  const membersOmitted = body['members_omitted'] === true;
  const staged = await stageAnswer(tools, job, { version, body, citedBy: membersOmitted ? pdu : undefined });
  return {
    answer: { origin: server, eventId, pdu: Buffer.from(eventText(pdu, version)), roomVersion: version.id, ...(membersOmitted && { membersOmitted, serversInRoom: serversIn(body) }) },
    state: staged,
  };
}

/** The event as it was sent; in a restricted room with the signature of the server that authorised it. */
async function signedByAuthoriser(tools: NeedTools, { pdu, version, authorisedBy }: MadeMembership, returned: unknown): Promise<Pdu> {
  if (authorisedBy === undefined || authorisedBy === tools.serverName) return pdu;
  const signed = await addSignatureFrom(tools, { event: pdu, version }, { signer: authorisedBy, returned });
  if (signed === undefined) throw malformed(`the join is not signed by ${authorisedBy}, which is said to authorise it`);
  return signed;
}

interface JoinAnswer {
  readonly version: RoomVersion;
  readonly body: Readonly<Record<string, unknown>>;
  /** The join whose state lacks its members. */
  readonly citedBy: Pdu | undefined;
}

async function stageAnswer(tools: NeedTools, job: NeedJob, { version, body, citedBy }: JoinAnswer): Promise<Staged> {
  const state = listIn(body, 'state', STATE_EVENTS_MAX);
  const chain = listIn(body, 'auth_chain', STATE_EVENTS_MAX);
  const all = await tools.intact(job, [...state, ...chain], { version });
  const inState = eachOnce(all.slice(0, state.length));
  checkCreate(inState, version);
  return stageState(tools, job, { version, events: eachOnce(all), stateIds: idsByKey([...inState, ...(citedBy === undefined ? [] : membersCited(citedBy, eachOnce(all)))]) });
}

/** Memberships that the join stands on: in the state before it they are what the template said, and the join is judged by them. */
function membersCited(join: Pdu, events: readonly IntactEvent[]): IntactEvent[] {
  const cited = new Set(authEventIds(join));
  return events.filter(({ eventId, pdu }) => cited.has(eventId) && pdu.type === 'm.room.member');
}

/** Throws `NeedFailure` (502) when there are none: nobody would hear of what is said here. */
function serversIn(body: Readonly<Record<string, unknown>>): string[] {
  return listIn(body, 'servers_in_room', SERVERS_MAX).filter((server): server is string => typeof server === 'string' && isServerName(server));
}

function checkCreate(state: readonly IntactEvent[], version: RoomVersion): void {
  const create = state.find(({ pdu }) => pdu.type === 'm.room.create' && pdu.state_key === '');
  if (create === undefined) throw malformed('the state has no create event');
  const { room_version: versionId = '1' } = create.pdu.content;
  if (versionId !== version.id) throw malformed(`the room is of version ${JSON.stringify(versionId)?.slice(0, 40)}, not ${version.id} as was said`);
}
