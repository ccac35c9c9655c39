/** How somebody who wants an account proves that they may have one. */
import type { Terms } from '../../../schemas/config/settings.ts';
import { termsParams } from '../accounts/terms.ts';
import type { ClientapiSettings } from '../deps.ts';
import { isRegistrationToken, reserveForSession, TOKEN_STAGE } from './registration-token.ts';
import type { Stage } from './stage.ts';
import type { Question } from './uia.ts';

export const DUMMY_STAGE = 'm.login.dummy';
export const TERMS_STAGE = 'm.login.terms';

const dummyStage: Stage = {
  check: () => undefined,
  form: () => ({ title: 'One more step', text: 'Nothing is asked of you here.', fields: [], button: 'Continue' }),
};

const tokenStage: Stage = {
  async check({ context, request, session, auth }) {
    context.limits.take('registration', request.remoteAddress);
    const { token } = auth;
    if (typeof token !== 'string' || !(await isRegistrationToken(context, token))) return 'The registration token is not valid';
    await reserveForSession(context, request, session, token);
    return undefined;
  },
  form: () => ({
    title: 'Registration token', text: 'An account on this server takes a token. Whoever runs the server gives it out.', button: 'Continue',
    fields: [{ name: 'token', label: 'Token', kind: 'text' }],
  }),
};

/** Flows and stages for `POST /register`: the terms, if there are any, and then the registration token unless everybody may. */
export function registrationFlows(settings: ClientapiSettings): Question {
  const terms = settings.terms === undefined ? [] : [TERMS_STAGE];
  const proof = settings.registration === 'token' ? [TOKEN_STAGE] : terms.length > 0 ? [] : [DUMMY_STAGE];
  return { flows: [[...terms, ...proof]], stages: registrationStages(settings) };
}

/** All stages of registrations by their types: what the flows are made of, and what has a fallback page. */
export function registrationStages({ terms }: ClientapiSettings): Readonly<Record<string, Stage>> {
  return { [DUMMY_STAGE]: dummyStage, [TOKEN_STAGE]: tokenStage, ...(terms && { [TERMS_STAGE]: termsStage(terms) }) };
}

/** Who sends the stage has accepted all that its parameters name (Client-Server API, "Terms of service at registration"). */
function termsStage(terms: Terms): Stage {
  return {
    check: () => undefined,
    params: termsParams(terms),
    form: () => ({
      title: 'Terms', text: 'This server asks you to read and accept:', button: 'I accept',
      fields: Object.entries(terms).map(([policyId, { languages }]) => {
        const { name, url } = languages['en'] ?? Object.values(languages)[0]!;
        return { name: `terms-${policyId}`, label: name, kind: 'checkbox', link: url };
      }),
    }),
  };
}
