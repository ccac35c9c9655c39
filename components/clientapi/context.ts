/** What the handlers of the clientapi work with. */
import type { Nonces } from './auth/nonces.ts';
import type { Passwords } from './auth/password.ts';
import type { Uia } from './auth/uia.ts';
import type { ClientapiDeps } from './deps.ts';
import type { ProfilePropagation } from './profile/propagate.ts';

export interface Context extends ClientapiDeps {
  readonly passwords: Passwords;
  readonly uia: Uia;
  readonly nonces: Nonces;
  readonly propagation: ProfilePropagation;
}
