/** How somebody who wants an account proves that they may have one. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ClientapiSettings } from '../deps.ts';
import type { Stage } from './stage.ts';
import type { Question } from './uia.ts';

export const TOKEN_STAGE = 'm.login.registration_token';
export const DUMMY_STAGE = 'm.login.dummy';

const dummyStage: Stage = {
  check: () => undefined,
  form: () => ({ title: 'One more step', text: 'Nothing is asked of you here.', fields: [], button: 'Continue' }),
};

/** Flows and stages for `POST /register`: a dummy stage when everybody may, the registration token otherwise. */
export function registrationFlows(settings: ClientapiSettings): Question {
  return { flows: [[settings.registration === 'open' ? DUMMY_STAGE : TOKEN_STAGE]], stages: registrationStages(settings) };
}

/** All stages of registrations by their types: what the flows are made of, and what has a fallback page. */
export function registrationStages(settings: ClientapiSettings): Readonly<Record<string, Stage>> {
  const tokenStage: Stage = {
    check: ({ auth }) => (isRegistrationToken(settings, auth['token']) ? undefined : 'The registration token is not valid'),
    form: () => ({
      title: 'Registration token', text: 'An account on this server takes a token. Whoever runs the server gives it out.', button: 'Continue',
      fields: [{ name: 'token', label: 'Token', kind: 'text' }],
    }),
  };
  return { [DUMMY_STAGE]: dummyStage, [TOKEN_STAGE]: tokenStage };
}

/** Compared in constant time. A server without a token accepts none. */
export function isRegistrationToken(settings: Pick<ClientapiSettings, 'registration' | 'registrationToken'>, given: unknown): boolean {
  if (settings.registration !== 'token' || settings.registrationToken === '' || typeof given !== 'string') return false;
  const digest = (token: string) => createHash('sha256').update(token).digest();
  return timingSafeEqual(digest(given), digest(settings.registrationToken));
}
