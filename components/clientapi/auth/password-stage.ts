/** The stage `m.login.password`: who is logged in shows that they know the password too. */
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import { userIdFromLogin } from '../../../pkg/matrix/ids/user-id.ts';
import { parseBody } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { userIdentifier, userNameOf } from './identifier.ts';
import { PASSWORD_LENGTH_MAX } from './password.ts';
import type { Stage, StageQuestion } from './stage.ts';
import type { Question } from './uia.ts';

export const PASSWORD_STAGE = 'm.login.password';

const named = z.looseObject(userIdentifier);
const authOfNamed = z.looseObject({ auth: named });

export const passwordStage: Stage = {
  check: checkOwn,
  form: ({ userId }) => ({
    title: 'Confirm that it is you', text: `Enter the password of ${userId}.`, button: 'Confirm',
    fields: [{ name: 'password', label: 'Password', kind: 'password' }],
  }),
};

/** What everything asks for that is to be done by the owner of the account alone. */
export const BY_PASSWORD: Question = { flows: [[PASSWORD_STAGE]], stages: { [PASSWORD_STAGE]: passwordStage } };

/** The same of somebody who has no session: they say who they are, and it is their account that is meant (`userNamedIn`). */
export const BY_ANYONES_PASSWORD: Question = { flows: [[PASSWORD_STAGE]], stages: { [PASSWORD_STAGE]: { ...passwordStage, check: checkAnyones } } };

/** Whom the `auth` of the request names. Throws what `userNameOf` throws. */
export function userNamedIn(context: Context, request: ApiRequest): string {
  return userOf(context, parseBody(authOfNamed, request.body).auth) ?? '';
}

/** Throws 403 M_FORBIDDEN when somebody else is named, or a third-party identifier that nobody here has, and 429. */
async function checkOwn({ context, session: { userId }, auth }: StageQuestion): Promise<string | undefined> {
  const who = parseBody(named, auth);
  const isNamed = who.identifier !== undefined || who.user !== undefined;
  if (userId === '' || (isNamed && userOf(context, who) !== userId)) throw new MatrixError(403, 'M_FORBIDDEN', 'This can only be authorised by the user who asks for it');
  return passwordProblem(context, userId, auth['password']);
}

async function checkAnyones({ context, auth }: StageQuestion): Promise<string | undefined> {
  return passwordProblem(context, userOf(context, parseBody(named, auth)), auth['password']);
}

function userOf(context: Context, who: z.infer<typeof named>): string | undefined {
  return userIdFromLogin(userNameOf(who), context.serverName);
}

/** Says the same whether the account does not exist or the password is wrong. */
async function passwordProblem({ limits, userQuery, passwords }: Context, userId: string | undefined, password: unknown): Promise<string | undefined> {
  if (typeof password !== 'string') return 'The password is missing';
  if (userId !== undefined) limits.take('login-account', userId);
  const secret = userId === undefined ? undefined : await userQuery.loginSecret(userId);
  const fits = await passwords.verify(password.slice(0, PASSWORD_LENGTH_MAX + 1), secret?.deactivated === true ? undefined : secret?.passwordHash);
  return fits ? undefined : 'The password is not right';
}
