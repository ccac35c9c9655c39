import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { DraftEvent } from '../../../schemas/log/room-input.ts';
import { actingRequester } from '../accounts/standing.ts';
import { jsonObject, parseBody, text } from '../checks/body.ts';
import { contentBytes } from '../checks/event-content.ts';
import { requireEventField, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { memberProfile, type MemberProfile } from '../profile/member-profile.ts';
import { buildCreateEvent } from '../rooms/create-event.ts';
import { requireFreeName, underReservation } from '../rooms/alias-reservation.ts';
import { requireInvitable } from '../rooms/invitable.ts';
import { inviteOthers } from '../rooms/invite-others.ts';
import { planRoom, type Preset, type StateWanted } from '../rooms/plan-room.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

/** Each invitation is an event of the same transaction, or a request to another server. */
const INVITES_MAX = 200;
const INITIAL_STATE_MAX = 200;

const thirdPartyInvite = z.object({ id_server: z.string(), id_access_token: z.string(), medium: z.string(), address: z.string() });

const createRoomBody = z.object({
  visibility: z.enum(['public', 'private']).default('private'),
  room_alias_name: text.optional(),
  name: text.optional(),
  topic: text.optional(),
  invite: z.array(z.string()).max(INVITES_MAX).default([]),
  invite_3pid: z.array(thirdPartyInvite).default([]),
  room_version: z.string().optional(),
  creation_content: jsonObject.and(z.object({ 'm.federate': z.boolean().optional(), type: z.string().optional() })).default({}),
  initial_state: z.array(z.object({ type: text, state_key: text.default(''), content: jsonObject })).max(INITIAL_STATE_MAX).default([]),
  preset: z.enum(['private_chat', 'public_chat', 'trusted_private_chat']).optional(),
  is_direct: z.boolean().default(false),
  power_level_content_override: jsonObject.default({}),
});

type CreateRoomBody = z.infer<typeof createRoomBody>;

/** POST /_matrix/client/v3/createRoom — r0, changed in v1.16 (room version 12) */
export async function createRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'room-creation');
  const body = parseBody(createRoomBody, request.body);
  refuseWhatIsNotThere(body);
  const version = requireVersion(body.room_version ?? context.settings.defaultRoomVersion);
  const creator = requester.userId;
  const invite = [...new Set(body.invite.map(requireUserId))].filter((userId) => userId !== creator);
  await requireInvitable(context, [...invite, ...invitedByState(body)]);
  const alias = body.room_alias_name === undefined ? undefined : requireFreeName(context, request, body.room_alias_name);
  const plan = planRoom({
    creator,
    alias,
    version,
    preset: presetOf(body),
    creationContent: body.creation_content,
    powerLevelOverride: body.power_level_content_override,
    initialState: body.initial_state.map(stateWanted),
    name: body.name,
    topic: body.topic,
    invite,
    isDirect: body.is_direct,
    isEncrypted: isEncrypted(context, body),
    profiles: await profilesOf(context, [creator, ...invite]),
  });
  contentBytes(plan.createContent);
  const { roomId, createEvent, originServerTs } = buildCreateEvent(context, version, creator, plan.createContent);
  const invitesOfOthers = plan.events.filter((event) => concernsOther(context, event));
  const events = plan.events.filter((event) => !invitesOfOthers.includes(event)).map(draftOf);
  const create = () => submitRoomCommand(context, request, { roomId, originServerTs, createRoom: { roomVersion: version.id, sender: creator, createEvent, events, alias: alias ?? '', published: body.visibility === 'public' } }).catch(explainRefusal);
  await (alias === undefined ? create() : underReservation(context, request, { alias, roomId, userId: creator }, create));
  await inviteOthers(context, request, requester, { roomId, invites: invitesOfOthers });
  return ok({ room_id: roomId });
}

/** An invite of a user of another server needs that server's signature: it cannot be made together with the room. */
function concernsOther(context: Context, { type, stateKey }: StateWanted): boolean {
  return type === 'm.room.member' && !isLocalUser(stateKey, context.serverName);
}

function refuseWhatIsNotThere(body: CreateRoomBody): void {
  if (body.invite_3pid.length > 0) throw new MatrixError(403, 'M_THREEPID_DENIED', 'This server cannot invite by e-mail address or telephone number');
}

/** Whom member events of `initial_state` invite. */
function invitedByState({ initial_state: events }: CreateRoomBody): string[] {
  return events.filter(({ type, content }) => type === 'm.room.member' && content['membership'] === 'invite').map(({ state_key: userId }) => userId);
}

function requireVersion(id: string): RoomVersion {
  const version = roomVersion(id);
  if (version === undefined) throw new MatrixError(400, 'M_UNSUPPORTED_ROOM_VERSION', `Room version ${JSON.stringify(id.slice(0, 100))} is not supported`);
  return version;
}

function presetOf({ preset, visibility }: CreateRoomBody): Preset {
  return preset ?? (visibility === 'public' ? 'public_chat' : 'private_chat');
}

/** Whether the operator wants such rooms encrypted. A space has no messages. */
function isEncrypted({ settings: { encryptedRooms = 'off' } }: Context, body: CreateRoomBody): boolean {
  if (encryptedRooms === 'off' || body.creation_content.type === 'm.space') return false;
  return encryptedRooms === 'all' || presetOf(body) !== 'public_chat';
}

function stateWanted(event: CreateRoomBody['initial_state'][number]): StateWanted {
  return { type: requireEventField(event.type, 'event type'), stateKey: requireEventField(event.state_key, 'state key'), content: event.content };
}

async function profilesOf(context: Context, userIds: readonly string[]): Promise<Map<string, MemberProfile>> {
  return new Map(await Promise.all(userIds.map(async (userId) => [userId, await memberProfile(context, userId)] as const)));
}

function draftOf({ type, stateKey, content }: StateWanted): DraftEvent {
  return { type, stateKey, content: contentBytes(content) };
}

/** What the authorisation rules refuse here was asked for by the request's own parameters. */
function explainRefusal(error: unknown): never {
  if (error instanceof MatrixError && error.errcode === 'M_FORBIDDEN') throw new MatrixError(400, 'M_INVALID_ROOM_STATE', `The room cannot be made as asked: ${error.message}`);
  throw error;
}

export const createRoomRoutes: readonly RouteSpec[] = [{ handler: createRoom, method: 'POST', path: `${CLIENT_V3}/createRoom`, idempotent: false }];
