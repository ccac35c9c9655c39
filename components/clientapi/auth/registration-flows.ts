/** How somebody who wants an account proves that they may have one. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ClientapiSettings } from '../deps.ts';
import type { StageCheck, UiaQuestion } from './uia.ts';

export const TOKEN_STAGE = 'm.login.registration_token';
export const DUMMY_STAGE = 'm.login.dummy';

/** Flows and stages for `POST /register`: a dummy stage when everybody may, the registration token otherwise. */
export function registrationFlows(settings: ClientapiSettings): Pick<UiaQuestion, 'flows' | 'stages'> {
  if (settings.registration === 'open') return { flows: [[DUMMY_STAGE]], stages: { [DUMMY_STAGE]: () => undefined } };
  const checkToken: StageCheck = (auth) => (isRegistrationToken(settings, auth['token']) ? undefined : 'The registration token is not valid');
  return { flows: [[TOKEN_STAGE]], stages: { [TOKEN_STAGE]: checkToken } };
}

/** Compared in constant time. A server without a token accepts none. */
export function isRegistrationToken(settings: Pick<ClientapiSettings, 'registration' | 'registrationToken'>, given: unknown): boolean {
  if (settings.registration !== 'token' || settings.registrationToken === '' || typeof given !== 'string') return false;
  const digest = (token: string) => createHash('sha256').update(token).digest();
  return timingSafeEqual(digest(given), digest(settings.registrationToken));
}
