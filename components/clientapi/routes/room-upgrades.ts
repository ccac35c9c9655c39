import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { actingRequester } from '../accounts/standing.ts';
import type { StoredEvent } from '../../../schemas/ports/room-query.ts';
import { parseBody } from '../checks/body.ts';
import { contentBytes } from '../checks/event-content.ts';
import { requireRoomId, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { memberProfile } from '../profile/member-profile.ts';
import { buildCreateEvent } from '../rooms/create-event.ts';
import { followUpgrade } from '../rooms/follow-upgrade.ts';
import { planUpgrade, UPGRADED_TYPES } from '../rooms/plan-upgrade.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

const upgradeBody = z.object({ new_version: z.string(), additional_creators: z.array(z.string()).default([]) });

/** They are events of the new room that are made at once, and travel in one record. */
const BANS_MAX = 1000;

/** How long the answer waits for the read model of what it tells of. */
const APPLIED_WAIT_MS_MAX = 5000;

/** POST /_matrix/client/v3/rooms/{roomId}/upgrade — r0, changed in v1.16 (additional_creators) */
export async function upgradeRoom(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId: sender } = await actingRequester(context, request, 'room-creation');
  const oldRoomId = requireRoomId(request.params['roomId']);
  const body = parseBody(upgradeBody, request.body);
  const version = roomVersion(body.new_version);
  if (version === undefined) throw new MatrixError(400, 'M_UNSUPPORTED_ROOM_VERSION', `Room version ${JSON.stringify(body.new_version.slice(0, 100))} is not supported`);
  const additionalCreators = version.privilegedCreators ? body.additional_creators.map(requireUserId) : [];
  const plan = planUpgrade({ sender, version, additionalCreators, oldRoomId, profile: await memberProfile(context, sender), ...(await oldRoom(context, oldRoomId)) });
  const { roomId: newRoomId, createEvent, originServerTs } = buildCreateEvent(context, version, sender, plan.createContent);
  const events = plan.events.map(({ type, stateKey, content }) => ({ type, stateKey, content: contentBytes(content) }));
  const newRoom = { roomVersion: version.id, sender, createEvent, events, alias: '' };
  const result = await submitRoomCommand(context, request, { roomId: oldRoomId, originServerTs, upgradeRoom: { sender, newRoomId, newRoom } });
  await untilSeen(context, result['seen']);
  await followUpgrade(context, request, { userId: sender, roomId: String(result['replacement_room']) });
  return ok({ replacement_room: result['replacement_room'] });
}

/** What the plan needs of the old room. Throws 404 M_NOT_FOUND. */
async function oldRoom({ roomQuery }: Pick<Context, 'roomQuery'>, roomId: string): Promise<{ oldVersion: RoomVersion; state: Pdu[]; bans: Pdu[]; lastEventId: string | undefined; aliases: string[] }> {
  const [events, tip, aliases, bans] = await Promise.all([
    roomQuery.currentState(roomId, UPGRADED_TYPES.map((type) => [type, ''] as const)), roomQuery.roomTip(roomId), roomQuery.aliasesOf(roomId), roomQuery.bannedMembers(roomId, BANS_MAX),
  ]);
  const oldVersion = roomVersion(tip?.roomVersion ?? '');
  if (tip === undefined || oldVersion === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'This server does not know the room');
  const pdusOf = (stored: readonly StoredEvent[]) => stored.map(({ pdu }) => JSON.parse(Buffer.from(pdu).toString()) as Pdu);
  return { oldVersion, state: pdusOf(events), bans: pdusOf(bans), lastEventId: tip.extremities.at(-1), aliases };
}

/** Both rooms have changed, in partitions of their own: the outcome names what the user's next /sync should have. */
async function untilSeen({ appliedPositions }: Pick<Context, 'appliedPositions'>, seen: unknown): Promise<void> {
  if (!Array.isArray(seen)) return;
  await Promise.all((seen as [number, number][]).map(([partition, sequence]) => appliedPositions.waitFor('room-output', partition, sequence, APPLIED_WAIT_MS_MAX)));
}

export const roomUpgradesRoutes: readonly RouteSpec[] = [{ handler: upgradeRoom, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/upgrade`, idempotent: false }];
