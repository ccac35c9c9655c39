/** Under which paths a route is served: its own, and what old clients call it. Before v1.1 of the spec the paths of the Client-Server API had `r0` where they have `v3` now. */

/** Came after r0, so that nobody ever asked for it there. */
const NEWER_THAN_R0: ReadonlySet<string> = new Set([
  '/_matrix/client/v3/keys/device_signing/upload',
  '/_matrix/client/v3/keys/signatures/upload',
  '/_matrix/client/v3/knock/{roomIdOrAlias}',
  '/_matrix/client/v3/login/sso/redirect',
  '/_matrix/client/v3/login/sso/redirect/{idpId}',
  '/_matrix/client/v3/refresh',
  '/_matrix/client/v3/room_keys/keys',
  '/_matrix/client/v3/room_keys/keys/{roomId}',
  '/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}',
  '/_matrix/client/v3/room_keys/version',
  '/_matrix/client/v3/room_keys/version/{version}',
  '/_matrix/client/v3/rooms/{roomId}/report',
  '/_matrix/client/v3/users/{userId}/report',
  '/_matrix/media/v3/upload/{serverName}/{mediaId}',
]);

const V3 = /^(\/_matrix\/(?:client|media)\/)v3\//;

/** The templates of all paths that lead to the route with this template; its own comes first. */
export function pathsOf(template: string): readonly string[] {
  return V3.test(template) && !NEWER_THAN_R0.has(template) ? [template, template.replace(V3, '$1r0/')] : [template];
}
