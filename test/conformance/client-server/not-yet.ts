/** Operations of the Client-Server API that this server does not have yet, by what they wait for. */

/** For each area the files of the spec whose operations may wait for it. */
export const AREA_FILES = {
  media: ['content-repo.yaml', 'authed-content-repo.yaml'],
  pushers: ['pusher.yaml'],
  search: ['search.yaml'],
  'user directory': ['users.yaml'],
  'e-mail addresses and phone numbers': ['administrative_contact.yaml', 'registration.yaml', 'password_management.yaml'],
  'OAuth and single sign-on': ['oauth_server_metadata.yaml', 'sso_login_redirect.yaml'],
  'application services': ['appservice_ping.yaml', 'appservice_room_directory.yaml'],
} as const;

export type Area = keyof typeof AREA_FILES;

export const NOT_YET: Readonly<Record<Area, readonly string[]>> = {
  media: [
    'createContent', 'uploadContent', 'uploadContentToMXC', 'getConfigAuthed', 'getContentAuthed', 'getContentOverrideNameAuthed', 'getUrlPreviewAuthed', 'getContentThumbnailAuthed',
    'getConfig', 'getContent', 'getContentOverrideName', 'getUrlPreview', 'getContentThumbnail',
  ],
  pushers: ['getPushers', 'postPusher'],
  search: ['search'],
  'user directory': ['searchUserDirectory'],
  'e-mail addresses and phone numbers': [
    'post3PIDs', 'add3PID', 'bind3PID', 'delete3pidFromAccount', 'requestTokenTo3PIDEmail', 'requestTokenTo3PIDMSISDN', 'unbind3pidFromAccount', 'requestTokenToRegisterEmail',
    'requestTokenToRegisterMSISDN', 'requestTokenToResetPasswordEmail', 'requestTokenToResetPasswordMSISDN',
  ],
  'OAuth and single sign-on': ['getAuthMetadata', 'redirectToSSO', 'redirectToIdP'],
  'application services': ['pingAppservice'],
};

/** Not this server's: a policy server says where it is. */
export const SERVED_ELSEWHERE: readonly string[] = ['getWellknownPolicy'];
