/** `GET /_myelin/status`: the status as JSON, for the operator's own machine only. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, Route } from '../../../pkg/http/route.ts';
import type { Status } from './status.ts';

export const STATUS_PATH = '/_myelin/status';

/**
 * Who asks from another machine, or through a proxy (which may well run on this one), gets 404 as for a path that is not there. `host`: the address listened on, from which this
 * machine reaches itself.
 */
export function statusRoute(options: { readonly host: string; readonly status: () => Promise<Status> }): Route {
  return {
    operationId: 'getStatus', method: 'GET', path: STATUS_PATH, role: 'any', body: 'none', idempotent: true,
    async handle(request) {
      if (!isFromHere(request, options.host)) throw new MatrixError(404, 'M_UNRECOGNIZED', 'Unrecognized request');
      return { status: 200, body: await options.status(), headers: { 'cache-control': 'no-store' } };
    },
  };
}

/** Whether it comes from this machine itself, and not through a proxy. */
export function isFromHere({ remoteAddress, headers }: ApiRequest, host: string): boolean {
  if (['x-forwarded-for', 'x-real-ip', 'forwarded', 'via'].some((name) => headers[name] !== undefined)) return false;
  const address = remoteAddress.replace(/^::ffff:/, '');
  return address === '::1' || address.startsWith('127.') || address === host;
}
