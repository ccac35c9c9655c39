/** What other servers ask of this one about rooms, and what they send. */
import type { Route } from '../../../pkg/http/route.ts';
import type { AuthDeps } from '../auth/authenticated.ts';
import type { FederationapiDeps } from '../deps.ts';
import type { KeyRing } from '../fetch/key-ring.ts';
import { createCollectionTurns } from '../routes/collect-events.ts';
import { membershipTemplateRoutes } from '../routes/membership-templates.ts';
import { roomEventRoutes } from '../routes/room-events.ts';
import { roomStateRoutes } from '../routes/room-state.ts';
import { sendInviteRoutes } from '../routes/send-invite.ts';
import { sendMembershipRoutes } from '../routes/send-membership.ts';
import { sendTransactionRoute } from '../routes/send-transaction.ts';
import { impatientKeys } from '../verify/impatient-keys.ts';
import { createPresenceReceiver } from '../ephemeral/receive-presence.ts';
import { createDeviceListReceiver } from '../device-lists/receive-device-lists.ts';
import { createEduReceiver } from '../ephemeral/receive-edus.ts';
import { createFetchEvents } from './fetch-named.ts';
import { createPduReceiver } from './receive-pdus.ts';
import { createToDeviceReceiver } from './receive-to-device.ts';
import { createStagedPdus, type StagedPdus } from './staged-pdus.ts';
import { thirdPartyInviteRoutes } from '../routes/third-party-invite.ts';
import { timestampToEventRoute } from '../routes/timestamp-to-event.ts';
import { createTransactions } from './transactions.ts';

/** How long a transaction waits for servers that are asked for their keys. */
const KEYS_WAIT_MS = 4000;

export interface Inbound {
  readonly routes: readonly Route[];
  /** Has to run for events whose keys could not be had at first. */
  readonly stagedPdus: StagedPdus;
}

export function createInbound(deps: FederationapiDeps, { auth, keyRing }: { auth: AuthDeps; keyRing: KeyRing }): Inbound {
  const { clock } = deps.runtime;
  const turns = createCollectionTurns();
  const impatient = impatientKeys(keyRing, clock, KEYS_WAIT_MS);
  const receiver = createPduReceiver({ ...deps, clock, offload: deps.runtime.offload, keyRing: impatient });
  const stagedPdus = createStagedPdus({ ...deps, receiver, fetch: createFetchEvents({ transport: deps.signedTransport, isDenied: auth.isDenied }) });
  return {
    stagedPdus,
    routes: [
      ...roomEventRoutes(deps, auth), timestampToEventRoute(deps, auth), ...roomStateRoutes(deps, auth, turns), ...membershipTemplateRoutes(deps, auth), ...sendMembershipRoutes(deps, auth, turns),
      ...thirdPartyInviteRoutes(deps, auth), ...sendInviteRoutes({ ...deps, impatientKeys: impatient }, auth), sendTransactionRoute({ transactions: createTransactions(), receiver, stagedPdus, toDevice: createToDeviceReceiver(deps), deviceLists: createDeviceListReceiver(deps), edus: createEduReceiver({ ...deps, presence: deps.presence && createPresenceReceiver({ ...deps, ...deps.presence }) }) }, auth),
    ],
  };
}
