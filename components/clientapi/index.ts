/** The clientapi: the Client-Server API's writing side. It owns no tables: every change is an input to the owner of the room or user. */
import type { Route } from '../../pkg/http/route.ts';
import { createNonces } from './auth/nonces.ts';
import { createPasswords } from './auth/password.ts';
import { createUiaSessions } from './auth/uia-session.ts';
import type { Context } from './context.ts';
import type { ClientapiDeps } from './deps.ts';
import { createActiveUsers } from './presence/active-users.ts';
import { CLIENTAPI_ROUTES } from './routes/all-routes.ts';
import { createRemoteRooms } from './spaces/remote-rooms.ts';
import { clientRoute } from './routes/client-route.ts';

export type { ClientapiDeps, ClientapiSettings } from './deps.ts';
export { endAccount } from './accounts/end-account.ts';
export { createPasswords, passwordProblem } from './auth/password.ts';
export { submitUserCommand, type UserCommand } from './outcome/submit.ts';

export interface Clientapi {
  readonly routes: readonly Route[];
}

export function createClientapi(deps: ClientapiDeps): Clientapi {
  const { runtime, signingKey } = deps;
  const context: Context = {
    ...deps,
    passwords: createPasswords(runtime),
    uiaSessions: createUiaSessions(runtime, signingKey),
    nonces: createNonces(runtime, signingKey),
    activeUsers: deps.presenceDriver && createActiveUsers({ runtime, driver: deps.presenceDriver }),
    remoteRooms: createRemoteRooms({ clock: runtime.clock, signedTransport: deps.signedTransport }),
  };
  return { routes: CLIENTAPI_ROUTES.map((spec) => clientRoute(context, spec)) };
}
