/** The room in which this server speaks to a user (Client-Server API, "Server Notices"): there is one for each, made with the first notice. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import { must } from '../../../pkg/assert/assert.ts';
import { userId as userIdOf } from '../../../pkg/matrix/ids/user-id.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { ServerNoticesSettings } from '../../../schemas/config/settings.ts';
import { contentBytes } from '../checks/event-content.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand, submitUserCommand } from '../outcome/submit.ts';
import { memberProfile } from '../profile/member-profile.ts';
import { buildCreateEvent } from './create-event.ts';
import { currentMember } from './current-member.ts';
import { planRoom, type StateWanted } from './plan-room.ts';

type Asking = Pick<ApiRequest, 'traceId' | 'logger'>;

export interface MemberChange {
  readonly roomId: string;
  readonly sender: string;
  readonly userId: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** Below what one needs to say anything: users are not to answer. */
const USERS_LEVEL = -10;

/** Throws 403 M_CANNOT_LEAVE_SERVER_NOTICE_ROOM when the user rejects the invite to the room of this server's notices; who has joined it may leave. */
export async function requireMayGo(context: Pick<Context, 'settings' | 'userQuery' | 'roomQuery'>, { roomId, sender, userId, content }: MemberChange): Promise<void> {
  if (context.settings.serverNotices === undefined || content['membership'] !== 'leave' || sender !== userId) return;
  if ((await context.userQuery.noticeRoom(userId)) !== roomId || (await currentMember(context.roomQuery, roomId, userId))?.membership !== 'invite') return;
  throw new MatrixError(403, 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM', 'The invite to the room of this server\'s notices cannot be rejected');
}

/**
 * The user's room, and in whose name this server speaks there. Makes the room when there is none, or when the present one is not of that sender; invites the user, or invites them again when they
 * have left. However many do so at once, there is one room: those that were made beside it are never seen by anybody.
 */
export async function noticeRoomFor(context: Context, request: Asking, notices: ServerNoticesSettings, userId: string): Promise<{ roomId: string; sender: string }> {
  const sender = userIdOf(notices.localpart, context.serverName);
  await requireSender(context, request, notices, sender);
  const present = await context.userQuery.noticeRoom(userId);
  const isUsable = present !== undefined && (await currentMember(context.roomQuery, present, sender))?.membership === 'join';
  const roomId = isUsable ? present : await claimRoom(context, request, { notices, sender, userId, replaces: present ?? '' });
  const { membership } = (await currentMember(context.roomQuery, roomId, userId)) ?? {};
  if (membership !== 'join' && membership !== 'invite') {
    const content = contentBytes({ membership: 'invite', ...await memberProfile(context, userId) });
    await submitRoomCommand(context, request, { roomId, sendEvent: { sender, deviceId: '', txnId: '', event: { type: 'm.room.member', stateKey: userId, content } } });
  }
  return { roomId, sender };
}

/** The account of the sender, whom nobody can log in as. Throws 400 M_USER_IN_USE when the name is that of a person. */
async function requireSender(context: Context, request: Asking, { displayName, avatarUrl }: ServerNoticesSettings, sender: string): Promise<void> {
  const secret = await context.userQuery.loginSecret(sender);
  if (secret !== undefined && secret.passwordHash !== '') throw new MatrixError(400, 'M_USER_IN_USE', `${sender} is the account of somebody: server_notices_localpart has to name another one`);
  if (secret === undefined) {
    await submitUserCommand(context, request, { userId: sender, register: { passwordHash: '', kind: 'user' } }).catch((error: unknown) => {
      // Somebody else is just sending the first notice.
      if (!(error instanceof MatrixError) || error.errcode !== 'M_USER_IN_USE') throw error;
    });
  }
  const profile = await memberProfile(context, sender);
  for (const [key, wanted, is] of [['displayname', displayName, profile.displayname ?? ''], ['avatar_url', avatarUrl, profile.avatar_url ?? '']] as const) {
    if (wanted === is) continue;
    await submitUserCommand(context, request, { userId: sender, setProfileField: { key, value: wanted === '' ? new Uint8Array(0) : Buffer.from(JSON.stringify(wanted)) } });
  }
}

interface Claim {
  readonly notices: ServerNoticesSettings;
  readonly sender: string;
  readonly userId: string;
  /** Room that can be used no more; empty: none. */
  readonly replaces: string;
}

/** First the room, then its claim: whoever dies in between leaves a room that nobody knows of. */
async function claimRoom(context: Context, request: Asking, { notices, sender, userId, replaces }: Claim): Promise<string> {
  const version = must(roomVersion(context.settings.defaultRoomVersion), 'the default room version');
  const avatar: StateWanted[] = notices.avatarUrl === '' ? [] : [{ type: 'm.room.avatar', stateKey: '', content: { url: notices.avatarUrl } }];
  const plan = planRoom({
    creator: sender, version, preset: 'private_chat', creationContent: { 'm.federate': false }, powerLevelOverride: { users_default: USERS_LEVEL }, initialState: avatar,
    name: notices.roomName, invite: [], isDirect: false, profiles: new Map([[sender, await memberProfile(context, sender)]]),
  });
  const { roomId, createEvent, originServerTs } = buildCreateEvent(context, version, sender, plan.createContent);
  const events = plan.events.map(({ type, stateKey, content }) => ({ type, stateKey, content: contentBytes({ ...content }) }));
  await submitRoomCommand(context, request, { roomId, originServerTs, createRoom: { roomVersion: version.id, sender, createEvent, events, alias: '' } });
  const { room_id: claimed } = await submitUserCommand(context, request, { userId, setNoticeRoom: { roomId, replaces } });
  return String(claimed);
}
