/** What becomes of third-party invites when somebody turns out to be who was invited (spec: server-server, "Third-party invites"). */
import { FederationError } from '../../../pkg/federation/transport.ts';
import { isJsonObject } from '../../../pkg/http/json.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import type { FederationapiDeps } from '../deps.ts';
import { isStorable, issueInvite, signedIn, type InviteWish } from '../invites/third-party-invite.ts';
import { requireRoom } from './membership-templates.ts';

export type ThirdPartyInviteDeps = Pick<FederationapiDeps, 'runtime' | 'commands' | 'roomQuery' | 'userQuery' | 'transport' | 'signedTransport' | 'limits'>;

/** Invites that one notification may tell of; each may be a request to another server. */
const INVITES_MAX = 50;
const EXCHANGE_MS = 30_000;
const ON_BIND = '/_matrix/federation/v1/3pid/onbind';
const DONE: ApiResponse = { status: 200, body: {} };

export function thirdPartyInviteRoutes(deps: ThirdPartyInviteDeps, auth: AuthDeps): Route[] {
  const { roomQuery, userQuery, signedTransport, limits, runtime: { logger } } = deps;
  const { serverName, clock, isDenied } = auth;
  const issuing = { ...deps, clock };

  async function exchange(origin: string, request: ApiRequest): Promise<ApiResponse> {
    const { roomId = '' } = request.params;
    limits?.take('server-invite', origin);
    const wish = partialEvent(request.body, roomId);
    if (!isLocalUser(wish.sender, serverName)) throw new MatrixError(403, 'M_FORBIDDEN', 'The invite was not sent by a user of this server');
    if (domainOf(wish.signed.mxid) !== origin) throw new MatrixError(403, 'M_FORBIDDEN', 'Servers speak for their own users only');
    await requireRoom({ roomQuery, serverName }, origin, roomId);
    await issueInvite(issuing, request, wish);
    return DONE;
  }

  async function onBind(request: ApiRequest): Promise<ApiResponse> {
    limits?.take('server-invite', `onbind ${request.remoteAddress}`);
    const { mxid, invites } = request.body as Record<string, unknown>;
    if (!isUserId(mxid) || !Array.isArray(invites)) throw new MatrixError(400, 'M_BAD_JSON', 'mxid is no user ID, or invites is no list');
    if (invites.length > INVITES_MAX) throw new MatrixError(413, 'M_TOO_LARGE', `At most ${INVITES_MAX} invites are taken at once`);
    const wishes = invites.map((invite) => boundInvite(invite, mxid));
    const account = isLocalUser(mxid, serverName) ? await userQuery.account(mxid) : undefined;
    if (account === undefined || account.isDeactivated) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such user here');
    await Promise.all(wishes.map((wish) => bring(request, wish)));
    return DONE;
  }

  /** One that fails keeps no other back: the inviting server may have withdrawn it, or be away. */
  async function bring(request: ApiRequest, wish: InviteWish): Promise<void> {
    try {
      if (isLocalUser(wish.sender, serverName)) await issueInvite(issuing, request, wish);
      else await askInviter(wish);
    } catch (error) {
      if (!(error instanceof MatrixError) && !(error instanceof FederationError)) throw error;
      logger.info({ roomId: wish.roomId, reason: error.message }, 'a third-party invite came to nothing');
    }
  }

  /** The inviting server looks at the keys, and signs. */
  async function askInviter({ roomId, sender, signed }: InviteWish): Promise<void> {
    const destination = domainOf(sender);
    if (!isServerName(destination) || isDenied(destination)) throw new FederationError('refused', `this server does not talk to ${destination}`);
    const content = { membership: 'invite', third_party_invite: { display_name: signed.mxid, signed } };
    await signedTransport.request({
      destination, method: 'PUT', path: `/_matrix/federation/v1/exchange_third_party_invite/${encodeURIComponent(roomId)}`, deadlineMs: EXCHANGE_MS,
      body: { type: 'm.room.member', room_id: roomId, sender, state_key: signed.mxid, content },
    });
  }

  const common = { role: 'federationapi', idempotent: true } as const;
  return [
    {
      ...common, operationId: 'exchangeThirdPartyInvite', method: 'PUT', path: '/_matrix/federation/v1/exchange_third_party_invite/{roomId}', raw: true,
      handle: authenticated(auth, (request, origin) => exchange(origin, request)),
    },
    { ...common, operationId: 'onBindThirdPartyIdentifier', method: 'PUT', path: ON_BIND, handle: onBind },
    // As the identity servers that are out there do it.
    { ...common, operationId: 'onBindThirdPartyIdentifierByPost', method: 'POST', path: ON_BIND, handle: onBind },
  ];
}

/** Throws `MatrixError` 400 M_BAD_JSON for what is no such event, M_INVALID_PARAM for another room or user than it says. */
function partialEvent(body: unknown, roomId: string): InviteWish {
  const { type, room_id: named, sender, state_key: target, content } = body as Record<string, unknown>;
  const third = isJsonObject(content) && content['membership'] === 'invite' ? content['third_party_invite'] : undefined;
  if (type !== 'm.room.member' || !isUserId(sender) || !isUserId(target) || !isJsonObject(third)) throw new MatrixError(400, 'M_BAD_JSON', 'The event is no invite that follows from a third-party invite');
  const signed = signedIn(third['signed']);
  if (named !== roomId) throw new MatrixError(400, 'M_INVALID_PARAM', 'The event is of another room than the path says');
  if (signed.mxid !== target) throw new MatrixError(400, 'M_INVALID_PARAM', 'The event is for another user than the one that is signed');
  return { roomId, sender, signed };
}

/** Throws `MatrixError` 400. */
function boundInvite(value: unknown, mxid: string): InviteWish {
  const { room_id: roomId, sender, signed: shown } = isJsonObject(value) ? value : {};
  if (!isStorable(roomId) || !roomId.startsWith('!') || !isUserId(sender)) throw new MatrixError(400, 'M_BAD_JSON', 'An invite has no valid room_id and sender');
  const signed = signedIn(shown);
  if (signed.mxid !== mxid) throw new MatrixError(400, 'M_INVALID_PARAM', 'An invite is for another user');
  return { roomId, sender, signed };
}
