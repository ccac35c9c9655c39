/** Users of this server who can be invited: those who exist and want to be. What users of other servers are, their servers say. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { blocksInvites, INVITE_PERMISSION } from '../../../pkg/matrix/invites/invite-permission.ts';
import type { Context } from '../context.ts';

/**
 * Throws 404 M_NOT_FOUND for a user of this server that there is not (unless an application service may yet make it), and 403 M_INVITE_BLOCKED for one who takes no invites
 * (Client-Server API, "Invite permission").
 */
export async function requireInvitable(context: Pick<Context, 'userQuery' | 'serverName'>, userIds: readonly string[]): Promise<void> {
  await Promise.all(userIds.filter((userId) => isLocalUser(userId, context.serverName)).map((userId) => requireOne(context, userId)));
}

async function requireOne({ userQuery }: Pick<Context, 'userQuery'>, userId: string): Promise<void> {
  const [account, config] = await Promise.all([userQuery.account(userId), userQuery.accountData(userId, '', INVITE_PERMISSION)]);
  const isThere = account !== undefined && !account.isDeactivated;
  if (!isThere && userQuery.appservices?.isExclusive(userId) !== true) throw new MatrixError(404, 'M_NOT_FOUND', `There is no user ${userId} here`);
  if (blocksInvites(config)) throw new MatrixError(403, 'M_INVITE_BLOCKED', `${userId} takes no invites`);
}
