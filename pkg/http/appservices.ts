/** Application services as requesters: whose token it is, whom they may act as, which users only they may make. */
import type { AppserviceRegistration } from '../../schemas/config/appservice.ts';
import type { Appservice, Appservices } from '../../schemas/ports/appservices.ts';
import type { Requester, UserQuery } from '../../schemas/ports/user-query.ts';
import { accessTokenHash } from './access-token.ts';
import { MatrixError } from './matrix-error.ts';

/** How the deviceId of a requester says that there is none. */
export const NO_DEVICE = '';

/** The sender of an application service that has not registered it. */
const WITHOUT_ACCOUNT = { isGuest: false, isAdmin: false, isLocked: false, isSuspended: false };

type Namespace = readonly { readonly pattern: RegExp; readonly isExclusive: boolean }[];

interface Known extends Appservice {
  readonly users: Namespace;
  readonly aliases: Namespace;
}

/** `registrations` are checked already: tokens and IDs differ, regular expressions are such. */
export function createAppservices(registrations: readonly AppserviceRegistration[], serverName: string, accounts: Pick<UserQuery, 'account' | 'hasDevice'>): Appservices {
  const all = registrations.map((registration) => knownOf(registration, serverName));
  // By hash, so that the time a look-up takes says nothing about the tokens.
  const byHash = new Map(registrations.map(({ asToken }, index) => [keyOf(asToken), all[index]]));
  const owns = (one: Known, userId: string, only: 'all' | 'exclusive') => one.sender === userId || isIn(one.users, userId, only);

  function mayBe(appservice: Appservice, userId: string): boolean {
    const self = all.find((one) => one.id === appservice.id);
    if (self === undefined || !userId.endsWith(`:${serverName}`)) return false;
    return owns(self, userId, 'all') && (self.sender === userId || !all.some((other) => other !== self && owns(other, userId, 'exclusive')));
  }

  function mayHaveAlias(appservice: Appservice, alias: string): boolean {
    const self = all.find((one) => one.id === appservice.id);
    return self !== undefined && isIn(self.aliases, alias, 'all') && !all.some((other) => other !== self && isIn(other.aliases, alias, 'exclusive'));
  }

  async function requester(appservice: Appservice, as: { userId: string | undefined; deviceId: string | undefined }): Promise<Requester> {
    const userId = as.userId ?? appservice.sender;
    if (!mayBe(appservice, userId)) throw new MatrixError(403, 'M_FORBIDDEN', 'The application service may not act as this user');
    const account = await accounts.account(userId);
    // The sender needs no account to act.
    if (account === undefined && userId !== appservice.sender) throw new MatrixError(403, 'M_FORBIDDEN', 'The application service has not registered this user');
    if (account?.isDeactivated === true) throw new MatrixError(403, 'M_USER_DEACTIVATED', 'This account is deactivated');
    if (as.deviceId !== undefined && !(await accounts.hasDevice(userId, as.deviceId))) throw new MatrixError(400, 'M_UNKNOWN_DEVICE', 'The user has no such device');
    const isRateExempt = !appservice.isRateLimited || userId === appservice.sender;
    const { isGuest, isAdmin, isLocked, isSuspended } = account ?? WITHOUT_ACCOUNT;
    return { userId, deviceId: as.deviceId ?? NO_DEVICE, isGuest, isAdmin, isLocked, isSuspended, isRateExempt, isAppservice: true };
  }

  return {
    isEmpty: all.length === 0,
    byToken: (token) => (all.length === 0 ? undefined : byHash.get(keyOf(token))),
    mayBe,
    mayHaveAlias,
    isExclusiveAlias: (alias) => all.some((one) => isIn(one.aliases, alias, 'exclusive')),
    isExclusive: (userId) => all.some((one) => owns(one, userId, 'exclusive')),
    requester,
  };
}

function knownOf({ id, senderLocalpart, isRateLimited, namespaces }: AppserviceRegistration, serverName: string): Known {
  const patterns = (list: (typeof namespaces)['users']): Namespace => list.map(({ regex, isExclusive }) => ({ pattern: new RegExp(`^(?:${regex})`), isExclusive }));
  return { id, sender: `@${senderLocalpart}:${serverName}`, isRateLimited, users: patterns(namespaces.users), aliases: patterns(namespaces.aliases) };
}

function isIn(namespace: Namespace, id: string, only: 'all' | 'exclusive'): boolean {
  return namespace.some(({ pattern, isExclusive }) => (only === 'all' || isExclusive) && pattern.test(id));
}

function keyOf(token: string): string {
  return Buffer.from(accessTokenHash(token)).toString('hex');
}
