/** Every route of the clientapi, by the spec's files. */
import type { RouteSpec } from './client-route.ts';
import { accountDataRoutes } from './account-data.ts';
import { appserviceRoomDirectoryRoutes } from './appservice-room-directory.ts';
import { accountDeactivationRoutes } from './account-deactivation.ts';
import { adminRoutes } from './admin.ts';
import { administrativeContactRoutes } from './administrative-contact.ts';
import { authFallbackRoutes } from './auth-fallback.ts';
import { banningRoutes } from './banning.ts';
import { capabilitiesRoutes } from './capabilities.ts';
import { consentRoutes } from './consent.ts';
import { createRoomRoutes } from './create-room.ts';
import { crossSigningRoutes } from './cross-signing.ts';
import { dehydratedDeviceRoutes } from './dehydrated-device.ts';
import { deviceManagementRoutes } from './device-management.ts';
import { directoryRoutes } from './directory.ts';
import { filterRoutes } from './filter.ts';
import { invitingRoutes } from './inviting.ts';
import { joiningRoutes } from './joining.ts';
import { keysRoutes } from './keys.ts';
import { keyBackupRoutes } from './key-backup.ts';
import { kickingRoutes } from './kicking.ts';
import { knockingRoutes } from './knocking.ts';
import { leavingRoutes } from './leaving.ts';
import { listPublicRoomsRoutes } from './list-public-rooms.ts';
import { loginTokenRoutes } from './login-token.ts';
import { loginRoutes } from './login.ts';
import { logoutRoutes } from './logout.ts';
import { mutualRoomsRoutes } from './mutual-rooms.ts';
import { openidRoutes } from './openid.ts';
import { passwordManagementRoutes } from './password-management.ts';
import { presenceRoutes } from './presence.ts';
import { profileRoutes } from './profile.ts';
import { pushrulesRoutes } from './pushrules.ts';
import { readMarkersRoutes } from './read-markers.ts';
import { receiptsRoutes } from './receipts.ts';
import { redactionRoutes } from './redaction.ts';
import { refreshRoutes } from './refresh.ts';
import { registrationTokensRoutes } from './registration-tokens.ts';
import { registrationRoutes } from './registration.ts';
import { reportContentRoutes } from './report-content.ts';
import { roomSendRoutes } from './room-send.ts';
import { roomStateRoutes } from './room-state.ts';
import { roomSummaryRoutes } from './room-summary.ts';
import { roomUpgradesRoutes } from './room-upgrades.ts';
import { sendServerNoticeRoutes } from './send-server-notice.ts';
import { sharedSecretRegistrationRoutes } from './shared-secret-registration.ts';
import { spaceHierarchyRoutes } from './space-hierarchy.ts';
import { tagsRoutes } from './tags.ts';
import { supportRoutes } from './support.ts';
import { thirdPartyLookupRoutes } from './third-party-lookup.ts';
import { toDeviceRoutes } from './to-device.ts';
import { typingRoutes } from './typing.ts';
import { versionsRoutes } from './versions.ts';
import { voipRoutes } from './voip.ts';
import { wellknownRoutes } from './wellknown.ts';
import { whoamiRoutes } from './whoami.ts';

export const CLIENTAPI_ROUTES: readonly RouteSpec[] = [
  ...accountDataRoutes,
  ...appserviceRoomDirectoryRoutes,
  ...accountDeactivationRoutes,
  ...adminRoutes,
  ...administrativeContactRoutes,
  ...authFallbackRoutes,
  ...banningRoutes,
  ...capabilitiesRoutes,
  ...consentRoutes,
  ...createRoomRoutes,
  ...crossSigningRoutes,
  ...dehydratedDeviceRoutes,
  ...deviceManagementRoutes,
  ...directoryRoutes,
  ...filterRoutes,
  ...invitingRoutes,
  ...joiningRoutes,
  ...keysRoutes,
  ...keyBackupRoutes,
  ...kickingRoutes,
  ...knockingRoutes,
  ...leavingRoutes,
  ...listPublicRoomsRoutes,
  ...loginRoutes,
  ...loginTokenRoutes,
  ...logoutRoutes,
  ...mutualRoomsRoutes,
  ...openidRoutes,
  ...passwordManagementRoutes,
  ...presenceRoutes,
  ...profileRoutes,
  ...pushrulesRoutes,
  ...readMarkersRoutes,
  ...receiptsRoutes,
  ...redactionRoutes,
  ...refreshRoutes,
  ...registrationTokensRoutes,
  ...registrationRoutes,
  ...reportContentRoutes,
  ...roomSendRoutes,
  ...roomStateRoutes,
  ...roomSummaryRoutes,
  ...roomUpgradesRoutes,
  ...sendServerNoticeRoutes,
  ...sharedSecretRegistrationRoutes,
  ...spaceHierarchyRoutes,
  ...tagsRoutes,
  ...supportRoutes,
  ...thirdPartyLookupRoutes,
  ...toDeviceRoutes,
  ...typingRoutes,
  ...versionsRoutes,
  ...voipRoutes,
  ...wellknownRoutes,
  ...whoamiRoutes,
];
