/** The stage `m.login.password`: who is logged in shows that they know the password too. */
import { z } from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { userIdFromLogin } from '../../../pkg/matrix/ids/user-id.ts';
import type { Context } from '../context.ts';
import { userNameOf, userIdentifier } from './identifier.ts';
import { PASSWORD_LENGTH_MAX } from './password.ts';
import type { Stage, StageQuestion } from './stage.ts';
import type { Question } from './uia.ts';

export const PASSWORD_STAGE = 'm.login.password';

const passwordAuth = z.looseObject({ ...userIdentifier, password: z.string() });

export const passwordStage: Stage = {
  check: checkPassword,
  form: ({ userId }) => ({
    title: 'Confirm that it is you', text: `Enter the password of ${userId}.`, button: 'Confirm',
    fields: [{ name: 'password', label: 'Password', kind: 'password' }],
  }),
};

/** What everything asks for that is to be done by the owner of the account alone. */
export const BY_PASSWORD: Question = { flows: [[PASSWORD_STAGE]], stages: { [PASSWORD_STAGE]: passwordStage } };

/** Throws 403 M_FORBIDDEN when somebody else is named, or a third-party identifier that nobody here has, and 429. */
async function checkPassword({ context, session: { userId }, auth }: StageQuestion): Promise<string | undefined> {
  const parsed = passwordAuth.safeParse(auth);
  if (!parsed.success) return 'The password is missing';
  const named = parsed.data.identifier === undefined && parsed.data.user === undefined ? userId : userIdFromLogin(userNameOf(parsed.data), context.serverName);
  if (userId === '' || named !== userId) throw new MatrixError(403, 'M_FORBIDDEN', 'This can only be authorised by the user who asks for it');
  context.limits.take('login-account', userId);
  return (await isPassword(context, userId, parsed.data.password)) ? undefined : 'The password is not right';
}

async function isPassword({ userQuery, passwords }: Context, userId: string, password: string): Promise<boolean> {
  const secret = await userQuery.loginSecret(userId);
  return passwords.verify(password.slice(0, PASSWORD_LENGTH_MAX + 1), secret?.deactivated === true ? undefined : secret?.passwordHash);
}
