/** `POST /_myelin/user`: what the operator wants of accounts; for the operator's own machine only. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import { isFromHere } from '../status/route.ts';
import { carryOut, type UserDeps } from './carry-out.ts';

export const USER_PATH = '/_myelin/user';

/** `host`: the address listened on. */
export function userRoute(deps: UserDeps & { readonly host: string }): Route {
  return {
    operationId: 'commandUser', method: 'POST', path: USER_PATH, role: 'any', idempotent: false,
    async handle(request) {
      if (!isFromHere(request, deps.host)) throw new MatrixError(404, 'M_UNRECOGNIZED', 'Unrecognized request');
      return { status: 200, body: await carryOut(deps, request, request.body), headers: { 'cache-control': 'no-store' } };
    },
  };
}
