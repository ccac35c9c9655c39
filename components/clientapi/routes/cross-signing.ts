import * as z from 'zod';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isSameKey, USAGES } from '../../../pkg/matrix/e2ee/cross-signing.ts';
import type { JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { BY_PASSWORD } from '../auth/password-stage.ts';
import { interact } from '../auth/uia.ts';
import { jsonObject, parseBody } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { timeoutOf } from '../keys/ask-servers.ts';
import { queryAllKeys } from '../keys/query-keys.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, limitedRequester, ok, type RouteSpec } from './client-route.ts';

const keysBody = z.object({ master_key: jsonObject.optional(), self_signing_key: jsonObject.optional(), user_signing_key: jsonObject.optional() });
const signaturesBody = z.record(z.string(), jsonObject);

/** POST /_matrix/client/v3/keys/device_signing/upload — v1.1, changed in v1.11 (without authentication for the first keys), v1.17 (and for application services) */
export async function uploadCrossSigningKeys(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId, isAppservice } = await limitedRequester(context, request, 'encryption');
  const interaction = interact(context, request, userId);
  const keys = parseBody(keysBody, interaction.parameters);
  const isFree = isAppservice === true || !(await replacesKeys(context, userId, keys));
  const challenge = isFree ? undefined : await interaction.challenge(BY_PASSWORD);
  if (challenge !== undefined) return challenge;
  // What was not replaced just now may have been set meanwhile: then the owner refuses.
  const mayReplace = isAppservice === true || !isFree;
  await submitUserCommand(context, request, { userId, uploadCrossSigning: { keys: Buffer.from(JSON.stringify(keys)), mayReplace } });
  return EMPTY;
}

/** There is a master key, and the request has a key that is not there yet. */
async function replacesKeys({ userQuery }: Context, userId: string, keys: z.infer<typeof keysBody>): Promise<boolean> {
  const { master, selfSigning, userSigning } = await userQuery.keysOf(new Map([[userId, []]]), userId);
  if (!master.has(userId)) return false;
  const present = { master: master.get(userId), self_signing: selfSigning.get(userId), user_signing: userSigning.get(userId) };
  return USAGES.some((usage) => {
    const [key, text] = [keys[`${usage}_key`], present[usage]];
    return key !== undefined && !isSameKey(key, text === undefined ? undefined : (JSON.parse(text) as JsonObject));
  });
}

/** POST /_matrix/client/v3/keys/signatures/upload — v1.1 */
export async function uploadCrossSigningSignatures(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const signatures = parseBody(signaturesBody, request.body);
  const others = new Map(Object.keys(signatures).filter((one) => one !== userId && isUserId(one)).map((one): [string, string[]] => [one, []]));
  const { master } = await queryAllKeys(context, { viewer: '', users: others, timeoutMs: timeoutOf(undefined), signal: request.signal });
  const masters = Object.fromEntries([...master].map(([user, key]) => [user, JSON.parse(key) as unknown]));
  const { failures } = await submitUserCommand(context, request, { userId, uploadSignatures: { signatures: Buffer.from(JSON.stringify(signatures)), masters: Buffer.from(JSON.stringify(masters)) } });
  return ok({ failures });
}

export const crossSigningRoutes: readonly RouteSpec[] = [
  { handler: uploadCrossSigningKeys, method: 'POST', path: `${CLIENT_V3}/keys/device_signing/upload`, idempotent: true },
  { handler: uploadCrossSigningSignatures, method: 'POST', path: `${CLIENT_V3}/keys/signatures/upload`, idempotent: true },
];
