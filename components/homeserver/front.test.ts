import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpMethod, HttpRole, Route } from '../../pkg/http/route.ts';
import { nginxFront } from './front.ts';

function route(role: HttpRole, method: HttpMethod, path: string, trailing = false): Route {
  return { operationId: path, role, method, path, trailing, idempotent: true, handle: () => Promise.reject(new Error('not called')) };
}

const ROUTES = [
  route('clientapi', 'POST', '/_matrix/client/v3/createRoom'),
  route('syncapi', 'GET', '/_matrix/client/v3/sync'),
  route('clientapi', 'PUT', '/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}', true),
  route('syncapi', 'GET', '/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}', true),
  route('syncapi', 'GET', '/_matrix/client/v1/rooms/{roomId}/threads'),
  route('syncapi', 'GET', '/_matrix/client/v3/refresh'),
  route('federationapi', 'GET', '/_matrix/key/v2/server'),
];

/** To which role the configuration sends a request: the first pattern of the map that fits. */
function roleOf(config: string, request: string): string | undefined {
  const [, map = ''] = /map "\$request_method \$request_uri" \$myelin_role \{\n([^}]*(?:\}[^}\n]+)*)\n\}/.exec(config) ?? [];
  const lines = map.split('\n').map((line) => /^ {2}"~(.*)" myelin_(\w+);$/.exec(line)).filter((line) => line !== null);
  return lines.find(([, pattern = '']) => new RegExp(pattern).test(request))?.[2] ?? /default myelin_(\w+);/.exec(map)?.[1];
}

const SENT: [string, HttpRole][] = [
  ['GET /_matrix/client/v3/sync', 'syncapi'],
  ['GET /_matrix/client/v3/sync?since=s1', 'syncapi'],
  ['HEAD /_matrix/client/v3/sync', 'syncapi'],
  ['GET /_matrix/client/r0/sync?since=s1', 'syncapi'],
  ['POST /_matrix/client/v3/sync', 'syncapi'],
  ['GET /_matrix/client/v3/sync/', 'clientapi'],
  ['GET /_matrix/client/v3/synchronised', 'clientapi'],
  ['GET /_matrix/client/v3/rooms/!a:b/state/m.room.name', 'syncapi'],
  ['GET /_matrix/client/r0/rooms/!a:b/state/m.room.name/', 'syncapi'],
  ['GET /_matrix/client/v3/rooms/%21a:b/state/x/a/b%2Fc?format=event', 'syncapi'],
  ['PUT /_matrix/client/v3/rooms/!a:b/state/m.room.name', 'clientapi'],
  ['DELETE /_matrix/client/v3/rooms/!a:b/state/m.room.name', 'clientapi'],
  ['GET /_matrix/client/v1/rooms/!a:b/threads', 'syncapi'],
  ['GET /_matrix/client/v3/rooms/!a:b/threads', 'clientapi'],
  ['GET /_matrix/client/r0/refresh', 'clientapi'],
  ['POST /_matrix/client/v3/createRoom', 'clientapi'],
  ['GET /nowhere', 'clientapi'],
  ['GET /_matrix/key/v2/server', 'federationapi'],
];
const CONFIG = nginxFront({ routes: ROUTES, listen: '8008', upstreams: (['clientapi', 'syncapi', 'federationapi'] as const).map((role) => ({ role, addresses: ['127.0.0.1:1'] })) });
for (const [request, role] of SENT) test(`the front sends ${request} to ${role}`, () => assert.equal(roleOf(CONFIG, request), role));

test('a role without addresses gets nothing', () => {
  const config = nginxFront({ routes: ROUTES, listen: '8008', upstreams: (['clientapi', 'syncapi'] as const).map((role) => ({ role, addresses: ['127.0.0.1:1'] })) });
  assert.equal(roleOf(config, 'GET /_matrix/key/v2/server'), 'clientapi');
});
