/**
 * Accounts made by who knows the operator's secret, also while registration is closed: the door that Synapse's tools (`register_new_matrix_user`) use. Not of the spec; the exchange is
 * described in Synapse's documentation, "Shared-Secret Registration".
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { createAccount, requireFree, requireGoodPassword, sessionFields } from '../auth/create-account.ts';
import { parseBody, text } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { ok, type RouteSpec } from './client-route.ts';

const PATH = '/_synapse/admin/v1/register';

const body = z.object({
  nonce: z.string(),
  username: text,
  password: text,
  mac: z.string(),
  admin: z.boolean().default(false),
  user_type: z.enum(['bot', 'support']).nullish(),
  displayname: text.nullish(),
  ...sessionFields,
});

/** GET /_synapse/admin/v1/register */
export async function getRegistrationNonce(context: Context): Promise<ApiResponse> {
  requireSecret(context);
  return ok({ nonce: context.nonces.fresh() });
}

/** POST /_synapse/admin/v1/register */
export async function registerBySharedSecret(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const secret = requireSecret(context);
  const wanted = parseBody(body, request.body);
  if (!context.nonces.isGood(wanted.nonce)) throw new MatrixError(400, 'M_UNKNOWN', 'The nonce is not known, or was used, or is too old');
  if (!isMac(wanted.mac, macOf(secret, wanted))) throw new MatrixError(403, 'M_UNKNOWN', 'The HMAC is not right');
  context.nonces.use(wanted.nonce);
  requireGoodPassword(wanted.password);
  const userId = await requireFree(context, wanted.username);
  const passwordHash = await context.passwords.hash(wanted.password);
  const answer = await createAccount(context, request, { userId, passwordHash, isAdmin: wanted.admin, session: wanted });
  if (wanted.displayname) await submitUserCommand(context, request, { userId, setProfileField: { key: 'displayname', value: Buffer.from(JSON.stringify(wanted.displayname)) } });
  return answer;
}

function requireSecret({ settings }: Context): string {
  const secret = settings.registrationSharedSecret ?? '';
  if (secret === '') throw new MatrixError(400, 'M_UNKNOWN', 'Shared secret registration is not enabled');
  return secret;
}

function macOf(secret: string, { nonce, username, password, admin, user_type: userType }: z.infer<typeof body>): Buffer {
  const parts = [nonce, username, password, admin ? 'admin' : 'notadmin', ...(userType ? [userType] : [])];
  return createHmac('sha1', secret).update(parts.join('\0'), 'utf8').digest();
}

/** Compared in constant time. */
function isMac(given: string, expected: Buffer): boolean {
  const bytes = Buffer.from(given, 'hex');
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

export const sharedSecretRegistrationRoutes: readonly RouteSpec[] = [
  { handler: getRegistrationNonce, method: 'GET', path: PATH, idempotent: true },
  { handler: registerBySharedSecret, method: 'POST', path: PATH, idempotent: false },
];
