import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { ok, type RouteSpec } from './client-route.ts';

/** What tells clients where this server is; undefined when it is not known. */
export function wellKnown({ settings: { publicBaseUrl, discovery } }: Pick<Context, 'settings'>): Record<string, unknown> | undefined {
  if (publicBaseUrl === '') return undefined;
  const { identityServer = '', clientFields = {} } = discovery ?? {};
  return { ...clientFields, 'm.homeserver': { base_url: publicBaseUrl }, ...(identityServer !== '' && { 'm.identity_server': { base_url: identityServer } }) };
}

/** GET /.well-known/matrix/client — r0 */
export async function getWellknown(context: Context): Promise<ApiResponse> {
  const body = wellKnown(context);
  if (body === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'This server does not announce itself here');
  return ok(body);
}

export const wellknownRoutes: readonly RouteSpec[] = [{ handler: getWellknown, method: 'GET', path: '/.well-known/matrix/client', idempotent: true }];
