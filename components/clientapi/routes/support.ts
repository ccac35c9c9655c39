import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { ok, type RouteSpec } from './client-route.ts';

/** GET /.well-known/matrix/support — v1.10 */
export async function getWellknownSupport({ settings: { discovery } }: Context): Promise<ApiResponse> {
  const { supportContacts: contacts = [], supportPage = '' } = discovery ?? {};
  if (contacts.length === 0 && supportPage === '') throw new MatrixError(404, 'M_NOT_FOUND', 'This server does not say whom to ask for help');
  return ok({ ...(contacts.length > 0 && { contacts }), ...(supportPage !== '' && { support_page: supportPage }) });
}

export const supportRoutes: readonly RouteSpec[] = [{ handler: getWellknownSupport, method: 'GET', path: '/.well-known/matrix/support', idempotent: true }];
