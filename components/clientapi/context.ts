/** What the handlers of the clientapi work with. */
import type { Nonces } from './auth/nonces.ts';
import type { Passwords } from './auth/password.ts';
import type { UiaSessions } from './auth/uia-session.ts';
import type { ClientapiDeps } from './deps.ts';
import type { ActiveUsers } from './presence/active-users.ts';
import type { RemoteRooms } from './spaces/remote-rooms.ts';

export interface Context extends ClientapiDeps {
  readonly passwords: Passwords;
  readonly uiaSessions: UiaSessions;
  readonly nonces: Nonces;
  readonly remoteRooms: RemoteRooms;
  readonly activeUsers?: ActiveUsers | undefined;
}
