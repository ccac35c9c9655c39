/** Application services that register users and log in as them (Application Service API, "Server admin style permissions"). */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireAppservice } from '../../../pkg/http/requester.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Appservice } from '../../../schemas/ports/appservices.ts';
import type { LimitClass } from '../checks/request-limits.ts';
import type { Context } from '../context.ts';

export const APPSERVICE_LOGIN = 'm.login.application_service';

/** The application service that asks, when it may do this as `userId`. Throws 401, 429, and `status` M_EXCLUSIVE for a user that is not its own. */
export function requireOwnUser(context: Context, request: ApiRequest, userId: string, refusal: { readonly status: number; readonly limit: LimitClass }): Appservice {
  const appservice = requireAppservice(request, context.userQuery);
  if (context.userQuery.appservices?.mayBe(appservice, userId) !== true) throw new MatrixError(refusal.status, 'M_EXCLUSIVE', 'This user is not in the namespaces of the application service');
  if (appservice.isRateLimited && userId !== appservice.sender) context.limits.take(refusal.limit, appservice.id);
  return appservice;
}

/** Throws 400 M_EXCLUSIVE when only an application service may make this user. */
export function requireNotExclusive(context: Pick<Context, 'userQuery'>, userId: string): void {
  if (context.userQuery.appservices?.isExclusive(userId) === true) throw new MatrixError(400, 'M_EXCLUSIVE', 'This user ID is reserved by an application service');
}
