/** A join of a room that this server is not in (spec: server-server, "Joining Rooms", and rooms/, "restricted"). */
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
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
export const STATE_BYTES_MAX = 256 * 1024 * 1024;

/** The join, with the state of the room staged. Rejects with `NeedFailure`, `FederationError`, `StorageError`. */
export async function remoteJoin(tools: NeedTools, job: NeedJob, wish: RemoteMembership): Promise<Fulfilled> {
  const content = JSON.parse(Buffer.from(wish.content).toString()) as Record<string, unknown>;
  return throughServers(tools, job, wish.via, async (server) => {
    const made = await makeMembership(tools, job, { server, userId: wish.userId, membership: 'join', content });
    return tools.bigAnswers.run(async () => joined(tools, job, { server, made, body: await sendJoin(tools, job, server, made) }));
  });
}

async function sendJoin(tools: NeedTools, job: NeedJob, server: string, { eventId, json }: MadeMembership): Promise<Readonly<Record<string, unknown>>> {
  const question = { destination: server, json, limitMs: SEND_LIMIT_MS, insistent: true, responseBytesMax: STATE_BYTES_MAX };
  return askEitherVersion(tools, job, { endpoint: 'send_join', eventId, question });
}

async function joined(tools: NeedTools, job: NeedJob, { server, made, body }: { server: string; made: MadeMembership; body: Readonly<Record<string, unknown>> }): Promise<Fulfilled> {
  const { version, eventId } = made;
  if (body['members_omitted'] === true) throw malformed('it leaves out members, which was not asked for');
  const pdu = await signedByAuthoriser(tools, made, body['event']);
  const staged = await stageAnswer(tools, job, { version, body });
  return {
    answer: { origin: server, eventId, pdu: Buffer.from(eventText(pdu, version)), roomVersion: version.id },
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

async function stageAnswer(tools: NeedTools, job: NeedJob, { version, body }: { version: RoomVersion; body: Readonly<Record<string, unknown>> }): Promise<Staged> {
  const state = listIn(body, 'state', STATE_EVENTS_MAX);
  const chain = listIn(body, 'auth_chain', STATE_EVENTS_MAX);
  const all = await tools.intact(job, [...state, ...chain], version);
  const inState = eachOnce(all.slice(0, state.length));
  checkCreate(inState, version);
  return stageState(tools, job, { version, events: eachOnce(all), stateIds: idsByKey(inState) });
}

function checkCreate(state: readonly IntactEvent[], version: RoomVersion): void {
  const create = state.find(({ pdu }) => pdu.type === 'm.room.create' && pdu.state_key === '');
  if (create === undefined) throw malformed('the state has no create event');
  const { room_version: versionId = '1' } = create.pdu.content;
  if (versionId !== version.id) throw malformed(`the room is of version ${JSON.stringify(versionId)?.slice(0, 40)}, not ${version.id} as was said`);
}
