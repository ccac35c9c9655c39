/** Restricted joins (spec: client-server, "Restricted rooms"): which rooms let a user in, and which local member answers for it. */
import { actionPower, creatorsOf, roomPower, userPower, type StateLookup } from '../../../pkg/matrix/auth/power-levels.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import { isJoinedTo, type Picture } from './picture.ts';
import { forbidden, refused } from './refused.ts';
import { knowsState, membershipOf, stateEntry, type RoomHead } from './room-head.ts';

type Content = Readonly<Record<string, unknown>>;

export const UNABLE_TO_AUTHORISE = 'M_UNABLE_TO_AUTHORISE_JOIN';

/** Whether the join rule asks for a member who authorises a join. */
export function isRestricted(joinRules: Content | undefined): boolean {
  return joinRules?.join_rule === 'restricted' || joinRules?.join_rule === 'knock_restricted';
}

/** Room IDs under `allow` whose members may join. */
export function allowedRooms(joinRules: Content | undefined): string[] {
  if (!isRestricted(joinRules) || !Array.isArray(joinRules?.allow)) return [];
  const rooms: string[] = [];
  for (const condition of joinRules.allow as { type?: unknown; room_id?: unknown }[]) {
    const { type, room_id: roomId } = condition ?? {};
    if (type === 'm.room_membership' && typeof roomId === 'string' && !roomId.includes('\0') && roomId.isWellFormed()) rooms.push(roomId);
  }
  return rooms;
}

/** Local users with power of their own, strongest first: the creators, then those whom the power levels name. */
export function powerfulUsers(head: RoomHead, serverName: string): string[] {
  const create = stateEntry(head, 'm.room.create', '')?.pdu;
  const levels = (stateEntry(head, 'm.room.power_levels', '')?.pdu.content.users ?? {}) as Record<string, unknown>;
  const named = Object.keys(levels).sort((left, right) => Number(levels[right]) - Number(levels[left]) || (left < right ? -1 : 1));
  const creators = create === undefined ? [] : creatorsOf(create, head.version);
  return [...new Set([...creators, ...named])].filter((userId) => isLocalUser(userId, serverName));
}

/** Whether everyone who is joined may invite, so that any local member can authorise. */
export function membersMayInvite(head: RoomHead): boolean {
  const power = roomPower(lookupIn(head), head.version);
  return userPower(power, '') >= actionPower(power, 'invite');
}

/**
 * The member who authorises the user's join, or why nobody does. undefined: the join needs nobody (another rule, or already invited or joined). The head must hold
 * the user's membership.
 */
export function chooseAuthoriser(picture: Picture, head: RoomHead, user: string, serverName: string): string | RejectedOutcome | undefined {
  const joinRules = stateEntry(head, 'm.room.join_rules', '')?.pdu.content;
  const membership = membershipOf(head, user);
  if (!isRestricted(joinRules) || membership === 'join' || membership === 'invite' || membership === 'ban') return undefined;
  if (!allowedRooms(joinRules).some((roomId) => isJoinedTo(picture, roomId, user))) {
    return forbidden('You are neither invited nor a member of a room whose members may join');
  }
  const power = roomPower(lookupIn(head), head.version);
  const inviteLevel = actionPower(power, 'invite');
  for (const candidate of candidatesOf(picture, head, serverName)) {
    const joined = knowsState(head, 'm.room.member', candidate) && membershipOf(head, candidate) === 'join';
    if (joined && userPower(power, candidate) >= inviteLevel) return candidate;
  }
  return refused(400, UNABLE_TO_AUTHORISE, 'No member of the room on this server may authorise the join');
}

function candidatesOf(picture: Picture, head: RoomHead, serverName: string): string[] {
  const inMemory: string[] = [];
  for (const entry of head.state.values()) {
    if (entry?.pdu.type === 'm.room.member' && isLocalUser(entry.pdu.state_key ?? '', serverName)) inMemory.push(entry.pdu.state_key!);
  }
  const others = [...inMemory, ...(picture.authorisers.get(head.roomId) ?? [])].sort();
  return [...new Set([...powerfulUsers(head, serverName), ...others])];
}

/** The head's state as event authorisation wants it. */
export function lookupIn(head: RoomHead): StateLookup {
  return (type, stateKey) => stateEntry(head, type, stateKey)?.pdu;
}
