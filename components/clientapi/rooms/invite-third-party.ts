/** Invites by e-mail address or the like (Client-Server API, "Third-party invites"): of whoever has bound it, or of whoever will. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import { authorize } from '../../../pkg/matrix/auth/authorize.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import { contentBytes } from '../checks/event-content.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { lookUp, storeInvite, type StoredInvite, type ThirdPartyId } from './identity-server.ts';

export interface ThirdPartyWish extends ThirdPartyId {
  readonly roomId: string;
  readonly id_server: string;
  readonly id_access_token?: string | undefined;
}

const TOLD: readonly (readonly [type: string, key: string, as: string])[] = [
  ['m.room.name', 'name', 'room_name'], ['m.room.avatar', 'url', 'room_avatar_url'], ['m.room.canonical_alias', 'alias', 'room_alias'], ['m.room.join_rules', 'join_rule', 'room_join_rules'],
  ['m.room.create', 'type', 'room_type'],
];

/**
 * The user to invite, where the identity server knows one; else undefined, and a third-party invite is in the room. Throws `MatrixError`: 403 M_THREEPID_DENIED for identity servers that the settings
 * do not name, 400 M_MISSING_PARAM without a token for it, 403 M_FORBIDDEN when the user may not invite: nobody is written to then.
 */
export async function inviteThirdParty(context: Context, request: ApiRequest, requester: Requester, wish: ThirdPartyWish): Promise<string | undefined> {
  const { roomId, id_server: host, id_access_token: accessToken } = wish;
  if (context.settings.inviteIdentityServers?.includes(host) !== true) throw new MatrixError(403, 'M_THREEPID_DENIED', 'This server cannot invite by e-mail address or telephone number with that identity server');
  if (accessToken === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'id_access_token is missing');
  const state = await requireMayInvite(context, roomId, requester.userId);
  const [transport, access] = [context.signedTransport ?? {}, { host, accessToken }];
  const userId = await lookUp(transport, access, wish);
  if (userId !== undefined) return userId;
  const profile = state('m.room.member', requester.userId)?.content ?? {};
  const more = { room_id: roomId, sender: requester.userId, ...textsOf({ sender_display_name: profile.displayname, sender_avatar_url: profile.avatar_url }), ...textsOf(told(state)) };
  const stored = await storeInvite(transport, access, { id: wish, more });
  const event = { type: 'm.room.third_party_invite', stateKey: stored.token, content: contentBytes(contentOf(stored)) };
  await submitRoomCommand(context, request, { roomId, sendEvent: { sender: requester.userId, deviceId: requester.deviceId, txnId: '', event } });
  return undefined;
}

type State = (type: string, stateKey: string) => Pdu | undefined;

/** As the room is known here; its owner decides in the end. */
async function requireMayInvite({ roomQuery }: Context, roomId: string, sender: string): Promise<State> {
  const version = roomVersion((await roomQuery.roomVersion(roomId)) ?? '');
  if (version === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'This server does not know the room');
  const keys = [...TOLD.map(([type]) => [type, ''] as const), ['m.room.power_levels', ''], ['m.room.member', sender]] as const;
  const pdus = (await roomQuery.currentState(roomId, keys)).map(({ pdu }) => JSON.parse(Buffer.from(pdu).toString()) as Pdu);
  const state: State = (type, stateKey) => pdus.find((pdu) => pdu.type === type && pdu.state_key === stateKey);
  const event = { type: 'm.room.third_party_invite', state_key: 'token', sender, room_id: roomId, content: {}, depth: 2, origin_server_ts: 0, prev_events: ['$'], auth_events: [], hashes: { sha256: '' }, signatures: {} };
  const verdict = authorize({ event, version, roomId, state, signedBy: () => true });
  if (!verdict.allowed) throw new MatrixError(403, 'M_FORBIDDEN', verdict.reason);
  return state;
}

function told(state: State): Record<string, unknown> {
  return Object.fromEntries(TOLD.map(([type, key, as]) => [as, state(type, '')?.content[key]]));
}

function textsOf(fields: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** `public_key` and `key_validity_url` are for those who know no list. */
function contentOf({ displayName, publicKeys }: StoredInvite): Record<string, unknown> {
  return { display_name: displayName, ...publicKeys[0], public_keys: publicKeys };
}
