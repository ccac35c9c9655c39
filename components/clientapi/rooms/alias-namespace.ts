/** Who may have which room alias (Application Service API, "Namespaces"). */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { accessTokenOf } from '../../../pkg/http/requester.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Appservice } from '../../../schemas/ports/appservices.ts';
import type { Context } from '../context.ts';

/** The application service that makes the request; undefined: a user does. */
export function askingAppservice({ userQuery }: Pick<Context, 'userQuery'>, request: Pick<ApiRequest, 'headers' | 'query' | 'takesQueryToken'>): Appservice | undefined {
  const token = accessTokenOf(request);
  return token === undefined ? undefined : userQuery.appservices?.byToken(token);
}

/** Throws 400 M_EXCLUSIVE for an alias that an application service has for itself, and for one outside the namespaces of the application service that asks. */
export function requireAliasAllowed(context: Pick<Context, 'userQuery'>, request: Pick<ApiRequest, 'headers' | 'query' | 'takesQueryToken'>, alias: string): void {
  const { appservices } = context.userQuery;
  const appservice = askingAppservice(context, request);
  if (appservice !== undefined && appservices?.mayHaveAlias(appservice, alias) !== true) {
    throw new MatrixError(400, 'M_EXCLUSIVE', 'This room alias is not in the namespaces of the application service');
  }
  if (appservice === undefined && appservices?.isExclusiveAlias(alias) === true) throw new MatrixError(400, 'M_EXCLUSIVE', 'This room alias is reserved by an application service');
}
