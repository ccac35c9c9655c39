/** GET /make_join, /make_leave and /make_knock (spec: server-server, "Joining Rooms", "Leaving Rooms", "Knocking upon a room"): what a server needs to make the membership event of its user. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { authTypesFor, type StateKey } from '../../../pkg/matrix/auth/auth-types.ts';
import { authorize } from '../../../pkg/matrix/auth/authorize.ts';
import { referenceTo, type EventReference } from '../../../pkg/matrix/events/references.ts';
import { PREV_EVENTS_MAX } from '../../../pkg/matrix/events/validate-event.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import { chooseAuthoriser, needsAuthoriser, requireAllowed } from '../auth/restricted-join.ts';
import { pduOf, requireLetIn, requireMembers } from '../auth/room-access.ts';
import { membershipIn, readEntries } from '../auth/room-state.ts';
import { must } from '../../../pkg/assert/assert.ts';

export interface TemplatePorts {
  readonly roomQuery: Pick<RoomQuery, 'roomTip' | 'roomVersion' | 'currentState' | 'eventsById' | 'hasJoinedMember' | 'someJoinedMembers' | 'lacksMembers'>;
}

interface Wish {
  readonly roomId: string;
  readonly userId: string;
  readonly version: RoomVersion;
}

export function membershipTemplateRoutes({ roomQuery }: TemplatePorts, auth: AuthDeps): Route[] {
  const ports = { roomQuery, serverName: auth.serverName };

  async function wishOf(origin: string, { params }: ApiRequest): Promise<Wish> {
    const { roomId = '', userId = '' } = params;
    if (!isUserId(userId)) throw new MatrixError(400, 'M_INVALID_PARAM', 'That is not a user ID');
    if (domainOf(userId) !== origin) throw new MatrixError(403, 'M_FORBIDDEN', 'Servers speak for their own users only');
    return { roomId, userId, version: await requireRoom(ports, origin, roomId) };
  }

  async function makeJoin(origin: string, request: ApiRequest): Promise<ApiResponse> {
    const wish = await wishOf(origin, request);
    const { roomId, userId, version } = wish;
    requireSupported(request, version);
    const { state } = await readEntries(ports, roomId, [...ALWAYS, ['m.room.join_rules', ''], ['m.room.member', userId]]);
    const joinRules = state('m.room.join_rules', '')?.content;
    if (!needsAuthoriser(joinRules, version, membershipIn(state, userId))) return template(wish, { membership: 'join' });
    if (membershipIn(state, userId) === 'ban') throw new MatrixError(403, 'M_FORBIDDEN', `${userId} is banned from the room`);
    await requireAllowed(ports, joinRules, userId);
    const authoriser = await chooseAuthoriser(ports, { roomId, version, state });
    return template(wish, { membership: 'join', join_authorised_via_users_server: authoriser });
  }

  async function makeKnock(origin: string, request: ApiRequest): Promise<ApiResponse> {
    const wish = await wishOf(origin, request);
    requireSupported(request, wish.version);
    return template(wish, { membership: 'knock' });
  }

  /** Throws `MatrixError` 403 M_FORBIDDEN when the room would not take the event. */
  async function template({ roomId, userId, version }: Wish, content: Record<string, unknown>): Promise<ApiResponse> {
    const draft = { type: 'm.room.member', sender: userId, state_key: userId, content };
    const { state, eventIds } = await readEntries({ roomQuery }, roomId, authTypesFor(draft, version));
    const { state: withCreate } = await readEntries({ roomQuery }, roomId, ALWAYS.slice(0, 1));
    const tip = must(await roomQuery.roomTip(roomId), 'the tip of a room');
    const event = {
      ...draft, room_id: roomId, origin: auth.serverName, origin_server_ts: auth.clock.now(), depth: Math.min(tip.depth + 1, Number.MAX_SAFE_INTEGER),
      auth_events: await referencesTo(eventIds, version), prev_events: await referencesTo(tip.extremities.slice(0, PREV_EVENTS_MAX), version),
    };
    const lookup = (type: string, stateKey: string) => state(type, stateKey) ?? withCreate(type, stateKey);
    const verdict = authorize({ event: { ...event, auth_events: [], prev_events: [...tip.extremities], hashes: { sha256: '' }, signatures: {} }, version, roomId, state: lookup, signedBy: () => true });
    if (!verdict.allowed) throw new MatrixError(403, 'M_FORBIDDEN', verdict.reason);
    return { status: 200, body: { room_version: version.id, event } };
  }

  async function referencesTo(eventIds: readonly string[], version: RoomVersion): Promise<EventReference[]> {
    if (version.eventFormat === 'ids') return [...eventIds];
    return (await roomQuery.eventsById(eventIds)).map((event) => referenceTo({ eventId: event.eventId, pdu: pduOf(event) }, version));
  }

  const common = { role: 'federationapi', method: 'GET', idempotent: true, raw: true } as const;
  return [
    { ...common, operationId: 'makeJoin', path: '/_matrix/federation/v1/make_join/{roomId}/{userId}', handle: authenticated(auth, (request, origin) => makeJoin(origin, request)) },
    {
      ...common, operationId: 'makeLeave', path: '/_matrix/federation/v1/make_leave/{roomId}/{userId}',
      handle: authenticated(auth, async (request, origin) => template(await wishOf(origin, request), { membership: 'leave' })),
    },
    { ...common, operationId: 'makeKnock', path: '/_matrix/federation/v1/make_knock/{roomId}/{userId}', handle: authenticated(auth, (request, origin) => makeKnock(origin, request)) },
  ];
}

/** Throws `MatrixError` 400 M_INCOMPATIBLE_ROOM_VERSION when the asking server has not said that it runs the version. */
function requireSupported({ query }: ApiRequest, version: RoomVersion): void {
  const supported = query.has('ver') ? query.getAll('ver') : ['1'];
  if (supported.includes(version.id)) return;
  throw new MatrixError(400, 'M_INCOMPATIBLE_ROOM_VERSION', `Your server does not support room version ${version.id}`, { fields: { room_version: version.id } });
}

const ALWAYS: readonly StateKey[] = [['m.room.create', ''], ['m.room.power_levels', '']];

/** The version of a room that this server is in. Throws `MatrixError`: 404 M_NOT_FOUND when it is not, 403 M_FORBIDDEN when the room shuts `origin` out. */
export async function requireRoom(
  ports: { readonly serverName: string; readonly roomQuery: Pick<RoomQuery, 'roomVersion' | 'hasJoinedMember' | 'currentState' | 'lacksMembers'> }, origin: string, roomId: string,
): Promise<RoomVersion> {
  const version = roomVersion((await ports.roomQuery.roomVersion(roomId)) ?? '');
  if (version === undefined || !(await ports.roomQuery.hasJoinedMember(roomId, ports.serverName))) throw new MatrixError(404, 'M_NOT_FOUND', 'This server is not in the room');
  await requireLetIn(ports, origin, roomId);
  // As for a room that it is not in: another server can help.
  await requireMembers(ports, roomId, { status: 404, errcode: 'M_NOT_FOUND' });
  return version;
}
