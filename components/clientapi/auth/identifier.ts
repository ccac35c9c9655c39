/** How clients say which user they mean (Client-Server API, "Identifier types"). */
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { text } from '../checks/body.ts';

const identifier = z.looseObject({ type: z.string().optional(), user: text.optional(), medium: z.string().optional(), address: z.string().optional(), country: z.string().optional(), phone: z.string().optional() });

/** Members of a body that name a user; those beside `identifier` are deprecated. */
export const userIdentifier = { identifier: identifier.optional(), user: text.optional(), medium: z.string().optional(), address: z.string().optional() };

export type Named = z.infer<z.ZodObject<typeof userIdentifier>>;

/** A user ID or its localpart. Throws 400 M_MISSING_PARAM or M_UNKNOWN, and 403 M_FORBIDDEN for a third-party identifier: no account here has one. */
export function userNameOf(body: Named): string {
  const { identifier: named } = body;
  const type = named === undefined ? typeOfOld(body) : typeOf(named);
  if (type === 'm.id.thirdparty' || type === 'm.id.phone') {
    requireMember(named?.medium ?? named?.phone ?? body.medium, type === 'm.id.phone' ? 'identifier.phone' : 'identifier.medium');
    throw new MatrixError(403, 'M_FORBIDDEN', 'Nobody here has this third-party identifier');
  }
  if (type !== 'm.id.user') throw new MatrixError(400, 'M_UNKNOWN', 'There is no such type of identifier');
  return requireMember(named === undefined ? body.user : named.user, 'identifier.user');
}

/** The spec's own example of a third-party identifier has no type. */
function typeOf({ type, medium }: NonNullable<Named['identifier']>): string {
  return type ?? (medium === undefined ? requireMember(type, 'identifier.type') : 'm.id.thirdparty');
}

function typeOfOld({ user, medium }: Named): string {
  return user === undefined && medium !== undefined ? 'm.id.thirdparty' : 'm.id.user';
}

function requireMember(value: string | undefined, name: string): string {
  if (value === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', `${name} is missing`);
  return value;
}
