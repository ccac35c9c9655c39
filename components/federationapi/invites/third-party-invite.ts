/** Invites that follow from third-party invites (spec: server-server, "Third-party invites"): what is shown for them, and how this server makes them for rooms that it is in. */
import type { FederationTransport } from '../../../pkg/federation/transport.ts';
import { hasValidKey } from '../../../pkg/federation/key-validity.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { isJsonObject } from '../../../pkg/http/json.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { CommandClient } from '../../../pkg/log/commands.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';

/** What an identity server has signed: that the user owns what was invited. */
export interface SignedInvite {
  readonly mxid: string;
  readonly token: string;
  readonly [key: string]: unknown;
}

export interface InviteWish {
  readonly roomId: string;
  /** Who had sent the third-party invite. */
  readonly sender: string;
  /** All of it is signed. */
  readonly signed: SignedInvite;
}

export interface IssuingDeps {
  readonly commands: Pick<CommandClient, 'submitRoomInput'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly roomQuery: Pick<RoomQuery, 'currentState'>;
  /** Where keys are asked after. */
  readonly transport: Pick<FederationTransport, 'web'>;
}

/** The invited user's server has to sign. */
const INVITE_MS_MAX = 60_000;

/** Throws `MatrixError` 400 M_BAD_JSON. */
export function signedIn(value: unknown): SignedInvite {
  if (!isJsonObject(value) || !isStorable(value['token']) || !isUserId(value['mxid']) || !isJsonObject(value['signatures'])) {
    throw new MatrixError(400, 'M_BAD_JSON', 'signed has no valid mxid, token and signatures');
  }
  return value as SignedInvite;
}

/** What may name something in a room. */
export function isStorable(text: unknown): text is string {
  return typeof text === 'string' && text.length <= 255 && !text.includes('\0') && text.isWellFormed();
}

/**
 * Issues the invite on behalf of its sender, who is a user here, and resolves when it is in the room; at once for users who are in it or invited already. Throws `MatrixError`: 403 M_FORBIDDEN when
 * the room has no such pending invite of that sender, or its keys are no longer valid, and what the room's owner says.
 */
export async function issueInvite({ commands, clock, roomQuery, transport }: IssuingDeps, request: Pick<ApiRequest, 'traceId'>, { roomId, sender, signed }: InviteWish): Promise<void> {
  const stored = await roomQuery.currentState(roomId, [['m.room.third_party_invite', signed.token], ['m.room.member', signed.mxid]]);
  const state = stored.map(({ pdu }) => JSON.parse(Buffer.from(pdu).toString()) as Pdu);
  const pending = state.find(({ type }) => type === 'm.room.third_party_invite');
  if (pending?.sender !== sender) throw new MatrixError(403, 'M_FORBIDDEN', 'The room has no such pending invite');
  const membership = state.find(({ type }) => type === 'm.room.member')?.content.membership;
  if (membership === 'join' || membership === 'invite') return;
  if (!(await hasValidKey(transport, pending.content, signed))) throw new MatrixError(403, 'M_FORBIDDEN', 'The invite is not signed with a key of it that is still valid');
  const { display_name: displayName } = pending.content;
  const content = { membership: 'invite', third_party_invite: { ...(typeof displayName === 'string' && { display_name: displayName }), signed } };
  const event = { type: 'm.room.member', stateKey: signed.mxid, content: Buffer.from(JSON.stringify(content)) };
  const outcome = await commands.submitRoomInput({
    inputId: '', traceId: request.traceId, originServerTs: clock.now(), roomId, sendEvent: { sender, deviceId: '', txnId: '', event },
  }, { deadlineMs: INVITE_MS_MAX });
  if (outcome.errcode !== '') throw new MatrixError(outcome.status, outcome.errcode, outcome.error);
}
