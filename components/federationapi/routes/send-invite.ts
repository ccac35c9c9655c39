/** PUT /invite in both versions (spec: server-server, "Inviting to a room"): a user here is invited by one of another server; this server signs that it has heard of it. */
import { must } from '../../../pkg/assert/assert.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { isJsonObject } from '../../../pkg/http/json.ts';
import { limitExceeded } from '../../../pkg/http/rate-limit.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { blocksInvites, INVITE_PERMISSION } from '../../../pkg/matrix/invites/invite-permission.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { addSignature } from '../../../pkg/matrix/signing/sign-event.ts';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';
import type { UserQuery } from '../../../schemas/ports/user-query.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import { requireLetIn } from '../auth/room-access.ts';
import type { FederationapiDeps } from '../deps.ts';
import type { KeyRing } from '../fetch/key-ring.ts';
import { describedIn, isWhole, strippedOf } from '../verify/room-description.ts';
import { verifyPdus } from '../verify/verify-pdus.ts';
import { submitInput, type SubmittingDeps } from './submit-input.ts';

export interface InviteDeps extends Pick<SubmittingDeps, 'commands'>, Pick<FederationapiDeps, 'limits'> {
  readonly settings: Pick<FederationapiDeps['settings'], 'pendingInvitesMax'>;
  readonly syncQuery: Pick<SyncQuery, 'pendingInvites'>;
  readonly signingKey: SigningKey;
  readonly roomQuery: Pick<RoomQuery, 'currentState'>;
  readonly userQuery: Pick<UserQuery, 'account' | 'accountData' | 'appservices'>;
  /** For the events that describe the room. */
  readonly impatientKeys: Pick<KeyRing, 'keys'>;
}

/** People look at their invites now and then. */
const RETRY_FULL_MS = 3_600_000;

export function sendInviteRoutes(deps: InviteDeps, auth: AuthDeps): Route[] {
  const { signingKey, commands, userQuery } = deps;
  const { clock, serverName } = auth;

  /** JSON of the answer. */
  async function receive(origin: string, request: ApiRequest, { version, value, roomState }: Invite): Promise<string> {
    const { roomId = '', eventId = '' } = request.params;
    // Before anything that costs.
    deps.limits?.take('server-invite', origin);
    await requireLetIn(deps, origin, roomId);
    const [event] = await verifyPdus({ keyRing: auth.keyRing, clock }, { values: [value], version, roomId });
    if (event === undefined || 'outcome' in event) throw invalid(event?.reason ?? 'There is no event');
    await requireInvite(event, { origin, eventId });
    await requireRoomForMore(event.pdu.state_key ?? '');
    const strippedState = await describedBy(roomState, { version, roomId });
    const signed = addSignature(event.pdu, version, serverName, signingKey);
    await submitInput({ commands, clock }, request, {
      inputId: `invite:${eventId}`, roomId, receiveInvite: { eventId, pdu: Buffer.from(eventText(signed, version)), origin, roomVersion: version.id, strippedState },
    });
    return JSON.stringify({ event: { ...(value as object), signatures: signed.signatures } });
  }

  /** Throws `MatrixError` unless it invites a user that this server has, on behalf of a user of `origin`. */
  async function requireInvite({ eventId, pdu, redacted }: IntactEvent, expected: { origin: string; eventId: string }): Promise<void> {
    if (redacted) throw invalid('The hash of the event is wrong');
    if (eventId !== expected.eventId) throw invalid('The event has another ID than the path says');
    if (pdu.type !== 'm.room.member' || pdu.content.membership !== 'invite') throw invalid('The event is no invite');
    if (domainOf(pdu.sender) !== expected.origin) throw invalid('The event is not of a user of your server');
    const invited = pdu.state_key ?? '';
    if (!isLocalUser(invited, serverName)) throw invalid('The invited user is not of this server');
    const account = await userQuery.account(invited);
    const isThere = account !== undefined && !account.isDeactivated;
    // An application service may yet make its user.
    if (!isThere && userQuery.appservices?.isExclusive(invited) !== true) throw new MatrixError(403, 'M_FORBIDDEN', 'There is no such user here');
    if (blocksInvites(await userQuery.accountData(invited, '', INVITE_PERMISSION))) throw new MatrixError(403, 'M_INVITE_BLOCKED', 'This user takes no invites');
  }

  /** Throws `MatrixError` 429 M_LIMIT_EXCEEDED when the user has been invited too often lately, or has too many invites waiting. */
  async function requireRoomForMore(userId: string): Promise<void> {
    deps.limits?.take('invited-user', userId);
    const { pendingInvitesMax } = deps.settings;
    if (pendingInvitesMax !== undefined && (await deps.syncQuery.pendingInvites(userId)) >= pendingInvitesMax) throw limitExceeded(RETRY_FULL_MS);
  }

  /**
   * What the user will see of the room, in JSON. Whole events must be what their senders signed, and of the room; where only their essence came, as older servers send
   * it, nothing can be checked. Rooms whose ID is the hash of their create event take nothing but whole events, that one among them. Throws `MatrixError` 400 M_INVALID_PARAM.
   */
  async function describedBy(roomState: unknown, room: { version: RoomVersion; roomId: string }): Promise<Uint8Array> {
    if (roomState !== undefined && !Array.isArray(roomState)) throw new MatrixError(400, 'M_BAD_JSON', 'invite_room_state must be a list');
    const entries = describedIn(roomState);
    const isStrict = room.version.roomIdFormat === 'create-hash';
    if (isStrict && (entries.length !== (roomState ?? []).length || !entries.every(isWhole))) throw invalid('An entry of invite_room_state is no event of this room version');
    if (isStrict && !entries.some(({ type, state_key: stateKey }) => type === 'm.room.create' && stateKey === '')) throw invalid('invite_room_state has no m.room.create event');
    const whole = entries.filter(isWhole);
    const verified = await verifyPdus({ keyRing: deps.impatientKeys, clock }, { values: whole, ...room });
    const bad = new Set<object>();
    for (const [index, result] of verified.entries()) {
      if (!('outcome' in result)) continue;
      if (isStrict && result.lacksKeysOf === undefined) throw invalid(`An event in invite_room_state is not valid: ${result.reason}`);
      bad.add(whole[index]!);
    }
    return strippedOf(entries.filter((entry) => !bad.has(entry)));
  }

  const common = { method: 'PUT', role: 'federationapi', idempotent: true, raw: true } as const;
  return [
    {
      ...common, operationId: 'sendInviteV1', path: '/_matrix/federation/v1/invite/{roomId}/{eventId}',
      handle: authenticated(auth, async (request, origin): Promise<ApiResponse> => ({ status: 200, json: `[200,${await receive(origin, request, olderInvite(request.body))}]` })),
    },
    {
      ...common, operationId: 'sendInviteV2', path: '/_matrix/federation/v2/invite/{roomId}/{eventId}',
      handle: authenticated(auth, async (request, origin): Promise<ApiResponse> => ({ status: 200, json: await receive(origin, request, inviteIn(request.body)) })),
    },
  ];
}

interface Invite {
  readonly version: RoomVersion;
  readonly value: unknown;
  readonly roomState: unknown;
}

/** Throws `MatrixError`. */
function inviteIn(body: unknown): Invite {
  const { room_version: versionId, event: value, invite_room_state: roomState } = body as Record<string, unknown>;
  if (versionId === undefined || value === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'room_version or event is missing');
  const version = typeof versionId === 'string' ? roomVersion(versionId) : undefined;
  if (version === undefined) throw incompatible(versionId);
  return { version, value, roomState };
}

/** The body is the event itself, of a room of version 1 or 2: they do not differ in what is looked at here, and only the create event may tell which it is. */
function olderInvite(body: unknown): Invite {
  const { unsigned } = body as Record<string, unknown>;
  const roomState = isJsonObject(unsigned) ? unsigned['invite_room_state'] : undefined;
  const create = describedIn(roomState).find(({ type }) => type === 'm.room.create');
  return { version: must(roomVersion(create?.content['room_version'] === '2' ? '2' : '1'), 'a room version'), value: body, roomState };
}

function incompatible(versionId: unknown): MatrixError {
  const named = typeof versionId === 'string' ? versionId.slice(0, 40) : '';
  return new MatrixError(400, 'M_INCOMPATIBLE_ROOM_VERSION', 'This server does not support the version of the room', { fields: { room_version: named } });
}

function invalid(reason: string): MatrixError {
  return new MatrixError(400, 'M_INVALID_PARAM', reason);
}
