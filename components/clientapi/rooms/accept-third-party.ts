/** Invites by third-party identifier that a user has got a signature for (Client-Server API, "Third-party invites"): the invite that such a join stands on. */
import { hasValidKey } from '../../../pkg/federation/key-validity.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { contentBytes } from '../checks/event-content.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { memberProfile } from '../profile/member-profile.ts';

export interface Acceptance {
  readonly roomId: string;
  readonly userId: string;
  /** `third_party_signed` as it came: all of it is signed. */
  readonly signed: Readonly<Record<string, unknown>> & { readonly token: string };
}

/**
 * Has the inviter's invite follow from the pending one, when that is of a user here; the authorisation rules check the signature, and for whom it is. Throws 403 M_FORBIDDEN when the room, as it is
 * known here, has no such pending invite, and when no valid key of it has signed. Of a room that is not known here other servers decide.
 */
export async function acceptThirdParty(context: Context, request: ApiRequest, { roomId, userId, signed }: Acceptance): Promise<void> {
  if ((await context.roomQuery.roomVersion(roomId)) === undefined) return;
  const [stored] = await context.roomQuery.currentState(roomId, [['m.room.third_party_invite', signed.token]]);
  const pending = stored && (JSON.parse(Buffer.from(stored.pdu).toString()) as { sender: string; content: Record<string, unknown> });
  if (pending === undefined) throw new MatrixError(403, 'M_FORBIDDEN', 'The room has no such pending invite');
  if (!isLocalUser(pending.sender, context.serverName)) return;
  if (!(await hasValidKey(context.signedTransport ?? {}, pending.content, signed))) throw new MatrixError(403, 'M_FORBIDDEN', 'The invite is not signed with a key of it that is still valid');
  const { display_name: displayName } = pending.content;
  const content = { membership: 'invite', third_party_invite: { ...(typeof displayName === 'string' && { display_name: displayName }), signed }, ...await memberProfile(context, userId) };
  const event = { type: 'm.room.member', stateKey: userId, content: contentBytes(content) };
  await submitRoomCommand(context, request, { roomId, sendEvent: { sender: pending.sender, deviceId: '', txnId: '', event } });
}
