/**
 * PUT /send_join, /send_leave and /send_knock (spec: server-server, "Joining Rooms", "Leaving Rooms", "Knocking upon a room"): takes the membership event of another server's user into its
 * room and passes it on to the others. The first versions of the first two, which the spec does not describe any more, answer the same in a list, after the status.
 */
import type { Semaphore } from '../../../pkg/assert/semaphore.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { isJsonObject } from '../../../pkg/http/json.ts';
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { STRIPPED_TYPES } from '../../../pkg/matrix/events/stripped-types.ts';
import { validateEvent } from '../../../pkg/matrix/events/validate-event.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { addSignature } from '../../../pkg/matrix/signing/sign-event.ts';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { RoomHistoryQuery, RoomQuery } from '../../../schemas/ports/room-query.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import { needsAuthoriser, requireAllowed } from '../auth/restricted-join.ts';
import { membershipIn, readEntries } from '../auth/room-state.ts';
import { verifyPdus } from '../verify/verify-pdus.ts';
import { joinAnswers } from './join-answer.ts';
import { requireRoom } from './membership-templates.ts';
import { submitInput, type SubmittingDeps } from './submit-input.ts';

export interface MembershipDeps extends Pick<SubmittingDeps, 'commands'> {
  readonly signingKey: SigningKey;
  readonly roomQuery: Pick<RoomQuery, 'roomVersion' | 'currentState' | 'hasJoinedMember' | 'someJoinedMembers' | 'eventsById' | 'lacksMembers'>;
  readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'stateIdsAt' | 'partialStateBefore' | 'joinedHosts'>;
}

/** JSON before and after the object that counts. */
type Around = readonly [before: string, after: string];

const ANSWERS: readonly { readonly version: 1 | 2; readonly around: Around }[] = [{ version: 1, around: ['[200,', ']'] }, { version: 2, around: ['', ''] }];

/** `turns`: see `createCollectionTurns`. */
export function sendMembershipRoutes(deps: MembershipDeps, auth: AuthDeps, turns: Semaphore): Route[] {
  const { signingKey, roomQuery, commands } = deps;
  const { clock, serverName } = auth;
  const ports = { roomQuery, serverName };
  const answers = joinAnswers(deps, auth);

  /** The event, in its room. Throws `MatrixError` when it is not what it should be, or when the room refuses it. */
  async function receive(origin: string, request: ApiRequest, membership: 'join' | 'leave' | 'knock'): Promise<IntactEvent> {
    const { roomId = '', eventId = '' } = request.params;
    const version = await requireRoom(ports, origin, roomId);
    const value = membershipEvent(request.body, { origin, roomId, membership, version });
    const signed = membership === 'join' ? await authorised(value, version) : value;
    const [event] = await verifyPdus({ keyRing: auth.keyRing, clock }, { values: [signed], version, roomId });
    if (event === undefined || 'outcome' in event) throw invalid(event?.reason ?? 'There is no event');
    if (event.redacted) throw invalid('The hash of the event is wrong');
    if (event.eventId !== eventId) throw invalid('The event has another ID than the path says');
    const receivePdu = { eventId, pdu: event.bytes, origin, needId: '', relay: true };
    const { verdict, reason, signatures } = await submitInput({ commands, clock }, request, { inputId: `relay:${eventId}`, roomId, receivePdu });
    if (verdict !== 'accepted') throw new MatrixError(403, 'M_FORBIDDEN', typeof reason === 'string' ? reason : `The room does not allow this ${membership}`);
    return isJsonObject(signatures) ? withSignatures(event, signatures as Pdu['signatures'], version) : event;
  }

  /** A join that names a user here who answers for it gets this server's signature, if it deserves it. */
  async function authorised(event: Pdu, version: RoomVersion): Promise<Pdu> {
    const authoriser = event.content.join_authorised_via_users_server;
    if (!version.restrictedJoin || typeof authoriser !== 'string' || !isUserId(authoriser) || !isLocalUser(authoriser, serverName)) return event;
    const { state } = await readEntries(ports, event.room_id!, [['m.room.join_rules', ''], ['m.room.member', event.sender]]);
    const joinRules = state('m.room.join_rules', '')?.content;
    if (needsAuthoriser(joinRules, version, membershipIn(state, event.sender))) await requireAllowed(ports, joinRules, event.sender);
    return addSignature(event, version, serverName, signingKey);
  }

  async function sendKnock(origin: string, request: ApiRequest): Promise<ApiResponse> {
    const { roomId } = await receive(origin, request, 'knock');
    return { status: 200, json: `{"knock_room_state":[${(await description(roomId)).join(',')}]}` };
  }

  /** JSON of the whole events that tell what the room is. */
  async function description(roomId: string): Promise<string[]> {
    const events = await roomQuery.currentState(roomId, STRIPPED_TYPES.map((type) => [type, ''] as const));
    return events.map(({ pdu }) => Buffer.from(pdu).toString());
  }

  const common = { role: 'federationapi', method: 'PUT', idempotent: true, raw: true } as const;
  const knock: Route = { ...common, operationId: 'sendKnock', path: '/_matrix/federation/v1/send_knock/{roomId}/{eventId}', handle: authenticated(auth, (request, origin) => sendKnock(origin, request)) };
  return [knock, ...ANSWERS.flatMap(({ version, around }): Route[] => [
    {
      ...common, operationId: `sendJoinV${version}`, path: `/_matrix/federation/v${version}/send_join/{roomId}/{eventId}`,
      handle: authenticated(auth, async (request, origin) => {
        const isPartial = version === 2 && omitsMembers(request);
        const event = await receive(origin, request, 'join');
        return turns.run(() => (isPartial ? answers.partial(event, origin) : answers.whole(event, around)));
      }),
    },
    {
      ...common, operationId: `sendLeaveV${version}`, path: `/_matrix/federation/v${version}/send_leave/{roomId}/{eventId}`,
      handle: authenticated(auth, async (request, origin) => {
        await receive(origin, request, 'leave');
        return { status: 200, json: around.join('{}') };
      }),
    },
  ])];
}

/** Whether the server takes the state without members. Throws `MatrixError` 400 M_INVALID_PARAM for what is no boolean. */
function omitsMembers({ query }: ApiRequest): boolean {
  const value = query.get('omit_members');
  if (value !== null && value !== 'true' && value !== 'false') throw invalid('omit_members is neither true nor false');
  return value === 'true';
}

/** Throws `MatrixError` 400 M_INVALID_PARAM unless it is the membership of a user of `origin`, by that user. */
function membershipEvent(value: unknown, expected: { origin: string; roomId: string; membership: string; version: RoomVersion }): Pdu {
  const validity = validateEvent(isJsonObject(value) ? value : undefined, expected.version);
  if (!validity.valid) throw invalid(validity.reason);
  const { pdu } = validity;
  if (pdu.room_id !== expected.roomId) throw invalid('The event is of another room than the path says');
  if (pdu.type !== 'm.room.member' || pdu.content.membership !== expected.membership) throw invalid(`The event is no ${expected.membership}`);
  if (pdu.sender !== pdu.state_key || domainOf(pdu.sender) !== expected.origin) throw invalid('The event is not of a user of your server, by that user');
  return pdu;
}

/** As the room has it: signed by its policy server, which the owner has asked. */
function withSignatures(event: IntactEvent, signatures: Pdu['signatures'], version: RoomVersion): IntactEvent {
  const pdu = { ...event.pdu, signatures };
  return { ...event, pdu, bytes: Buffer.from(eventText(pdu, version)) };
}

function invalid(reason: string): MatrixError {
  return new MatrixError(400, 'M_INVALID_PARAM', reason);
}
