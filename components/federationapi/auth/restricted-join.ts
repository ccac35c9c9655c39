/** Restricted rooms (spec: server-server, "Restricted rooms"): whether this server can answer for a user of another one, and which member here does. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { actionPower, creatorsOf, roomPower, userPower, type StateLookup } from '../../../pkg/matrix/auth/power-levels.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { membershipIn, readEntries } from './room-state.ts';

export interface AuthorisingPorts {
  readonly serverName: string;
  readonly roomQuery: Pick<RoomQuery, 'currentState' | 'hasJoinedMember' | 'someJoinedMembers'>;
}

/** Conditions of one room that are looked at: each costs reads. */
const CONDITIONS_MAX = 50;
const CANDIDATES_MAX = 50;
const MEMBERS_MAX = 10;

/** Whether a join under these rules needs a member who authorises it, from somebody with this membership. */
export function needsAuthoriser(joinRules: Readonly<Record<string, unknown>> | undefined, version: RoomVersion, membership: string | undefined): boolean {
  if (membership === 'join' || membership === 'invite') return false;
  const rule = joinRules?.['join_rule'];
  return (rule === 'restricted' && version.restrictedJoin) || (rule === 'knock_restricted' && version.knockRestricted);
}

/**
 * Throws `MatrixError` unless the user is in one of the rooms whose members may join: 400 M_UNABLE_TO_AUTHORISE_JOIN when this server is not in all of them and cannot know,
 * 403 M_FORBIDDEN when it knows that the user is in none.
 */
export async function requireAllowed(ports: AuthorisingPorts, joinRules: Readonly<Record<string, unknown>> | undefined, userId: string): Promise<void> {
  let isSure = true;
  for (const roomId of allowedRooms(joinRules)) {
    if (!(await ports.roomQuery.hasJoinedMember(roomId, ports.serverName))) {
      isSure = false;
      continue;
    }
    const { state } = await readEntries(ports, roomId, [['m.room.member', userId]]);
    if (membershipIn(state, userId) === 'join') return;
  }
  if (!isSure) throw new MatrixError(400, 'M_UNABLE_TO_AUTHORISE_JOIN', 'This server is not in the rooms whose members may join');
  throw new MatrixError(403, 'M_FORBIDDEN', `${userId} is neither invited nor a member of a room whose members may join`);
}

/**
 * A local member who may invite. `state`: has the create event and the power levels. Throws `MatrixError` 400 M_UNABLE_TO_GRANT_JOIN when there is none: another server may have one.
 */
export async function chooseAuthoriser(ports: AuthorisingPorts, about: { roomId: string; version: RoomVersion; state: StateLookup }): Promise<string> {
  const { roomId, version, state } = about;
  const power = roomPower(state, version);
  const needed = actionPower(power, 'invite');
  const strong = powerfulUsers(state, version, ports.serverName).filter((userId) => userPower(power, userId) >= needed).slice(0, CANDIDATES_MAX);
  const { state: members } = await readEntries(ports, roomId, strong.map((userId) => ['m.room.member', userId] as const));
  const joined = strong.find((userId) => membershipIn(members, userId) === 'join');
  if (joined !== undefined) return joined;
  // '' is nobody, and has what everybody has.
  const others = userPower(power, '') >= needed ? await ports.roomQuery.someJoinedMembers(roomId, ports.serverName, MEMBERS_MAX) : [];
  const other = others.find((userId) => userPower(power, userId) >= needed);
  if (other === undefined) throw new MatrixError(400, 'M_UNABLE_TO_GRANT_JOIN', 'No member of the room on this server may invite');
  return other;
}

function allowedRooms(joinRules: Readonly<Record<string, unknown>> | undefined): string[] {
  const allow = joinRules?.['allow'];
  if (!Array.isArray(allow)) return [];
  return (allow as ({ type?: unknown; room_id?: unknown } | null)[])
    .flatMap((condition) => (condition?.type === 'm.room_membership' && typeof condition.room_id === 'string' ? [condition.room_id] : []))
    .slice(0, CONDITIONS_MAX);
}

/** Local users with power of their own, strongest first. */
function powerfulUsers(state: StateLookup, version: RoomVersion, serverName: string): string[] {
  const create = state('m.room.create', '');
  const power = roomPower(state, version);
  const users = power.levels?.['users'];
  const named = typeof users === 'object' && users !== null ? Object.keys(users) : [];
  const all = [...new Set([...(create === undefined ? [] : creatorsOf(create, version)), ...named])];
  return all.filter((userId) => isUserId(userId) && isLocalUser(userId, serverName)).sort((left, right) => userPower(power, right) - userPower(power, left));
}
