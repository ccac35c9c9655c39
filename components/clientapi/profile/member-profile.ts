/** The part of a user's profile that goes into member events. */
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { UserQuery } from '../../../schemas/ports/user-query.ts';

export interface MemberProfile {
  displayname?: string;
  avatar_url?: string;
}

/** Empty for users of other servers, for users that do not exist, and for what they have not set. */
export async function memberProfile(context: { readonly userQuery: Pick<UserQuery, 'profile'>; readonly serverName: string }, userId: string): Promise<MemberProfile> {
  if (domainOf(userId) !== context.serverName) return {};
  const profile = await context.userQuery.profile(userId);
  const member: MemberProfile = {};
  if (typeof profile?.['displayname'] === 'string') member.displayname = profile['displayname'];
  if (typeof profile?.['avatar_url'] === 'string') member.avatar_url = profile['avatar_url'];
  return member;
}
