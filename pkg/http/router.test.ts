import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Overloaded } from '../assert/semaphore.ts';
import { OutcomeTimeout } from '../log/commands.ts';
import { LogUnavailable } from '../log/log.ts';
import { StorageError } from '../storage/database.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { Departure } from './departure.ts';
import { MatrixError } from './matrix-error.ts';
import { createRouter, type RawRequest } from './router.ts';
import type { ApiRequest, ApiResponse, Route } from './route.ts';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function route(method: Route['method'], path: string, more: Partial<Route> = {}): Route {
  return {
    operationId: `${method} ${path}`, method, path, role: 'clientapi', idempotent: true,
    handle: (request) => Promise.resolve({ status: 200, body: { route: `${method} ${path}`, params: request.params, body: request.body ?? null } }),
    ...more,
  };
}

const STATE = '/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}';
const ROUTES: Route[] = [
  route('GET', '/_matrix/client/versions'),
  route('GET', '/_matrix/client/v3/sync'),
  route('PUT', '/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}'),
  route('GET', '/_matrix/client/v3/rooms/{roomId}/state'),
  route('GET', STATE, { trailing: true }),
  route('PUT', STATE, { trailing: true }),
  route('POST', '/_matrix/client/v3/join/{roomIdOrAlias}', { body: 'optional-json-object' }),
  route('POST', '/_matrix/client/v3/createRoom', { bodyBytesMax: 300 }),
  route('POST', '/_matrix/client/v3/knock/{roomIdOrAlias}'),
  route('GET', '/_matrix/federation/v3/things'),
  route('GET', '/a/fixed/x'),
  route('GET', '/a/{any}/y'),
  route('DELETE', '/a/{any}/y'),
];

function raw(method: string, target: string, more: Partial<RawRequest> = {}): RawRequest {
  const [path = '', queryString = ''] = target.split('?');
  return { method, path, queryString, headers: {}, remoteAddress: '192.0.2.1', departure: new Departure(), ...more };
}

function setUp(routes: readonly Route[] = ROUTES) {
  const runtime = createManualRuntime();
  const metrics = createMetrics();
  return { runtime, metrics, router: createRouter(routes, { runtime, metrics }) };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const bodyOf = (response: ApiResponse) => response.body as Record<string, unknown>;

const FOUND: [string, string, string, Record<string, string>][] = [
  ['GET', '/_matrix/client/versions', '/_matrix/client/versions', {}],
  ['GET', '/_matrix/client/r0/sync', '/_matrix/client/v3/sync', {}],
  ['GET', '/_matrix/client/v3/rooms/!a:b/state', '/_matrix/client/v3/rooms/{roomId}/state', { roomId: '!a:b' }],
  ['GET', '/_matrix/client/v3/rooms/!a:b/state/m.room.name', STATE, { roomId: '!a:b', eventType: 'm.room.name', stateKey: '' }],
  ['GET', '/_matrix/client/v3/rooms/!a:b/state/m.room.name/', STATE, { roomId: '!a:b', eventType: 'm.room.name', stateKey: '' }],
  ['GET', '/_matrix/client/v3/rooms/!a:b/state/x/a/b%2Fc', STATE, { roomId: '!a:b', eventType: 'x', stateKey: 'a/b/c' }],
  ['GET', '/_matrix/client/r0/rooms/%21%C3%A4:b/state/x/%40u%3Ab', STATE, { roomId: '!ä:b', eventType: 'x', stateKey: '@u:b' }],
  ['GET', '/a/fixed/x', '/a/fixed/x', {}],
  ['GET', '/a/fixed/y', '/a/{any}/y', { any: 'fixed' }],
  ['HEAD', '/_matrix/client/versions', '/_matrix/client/versions', {}],
];
for (const [method, target, template, params] of FOUND) {
  test(`${method} ${target} is served by ${template}`, async () => {
    const response = await setUp().router.dispatch(raw(method, target));
    assert.equal(response.status, 200);
    assert.deepEqual(bodyOf(response)['route'], `GET ${template}`);
    assert.deepEqual({ ...(bodyOf(response)['params'] as object) }, params);
  });
}

const REFUSED: [string, string, number, string][] = [
  ['GET', '/', 404, 'M_UNRECOGNIZED'],
  ['GET', '/_matrix/client/versions/', 404, 'M_UNRECOGNIZED'],
  ['GET', '/_matrix/client/v3/rooms//state', 404, 'M_UNRECOGNIZED'],
  ['GET', '/_matrix/client/unstable/sync', 404, 'M_UNRECOGNIZED'],
  ['GET', '/_matrix/client/r1/sync', 404, 'M_UNRECOGNIZED'],
  ['POST', '/_matrix/client/r0/knock/!a:b', 404, 'M_UNRECOGNIZED'],
  ['GET', '/_matrix/federation/r0/things', 404, 'M_UNRECOGNIZED'],
  ['PUT', '/_matrix/client/r0/sync', 405, 'M_UNRECOGNIZED'],
  ['GET', '/_matrix/client/v3/rooms/!a:b', 404, 'M_UNRECOGNIZED'],
  ['GET', `/${'a/'.repeat(5000)}`, 404, 'M_UNRECOGNIZED'],
  ['GET', '/__proto__/constructor', 404, 'M_UNRECOGNIZED'],
  ['PUT', '/_matrix/client/versions', 405, 'M_UNRECOGNIZED'],
  ['PATCH', '/_matrix/client/v3/rooms/!a:b/state/x/y', 405, 'M_UNRECOGNIZED'],
  ['GET', '/_matrix/client/v3/rooms/%ff/state', 400, 'M_INVALID_PARAM'],
  ['GET', '/_matrix/client/v3/rooms/%/state', 400, 'M_INVALID_PARAM'],
  ['GET', '/_matrix/client/v3/rooms/a%00b/state', 400, 'M_INVALID_PARAM'],
  ['GET', '/_matrix/client/v3/sync?since=a%00', 400, 'M_INVALID_PARAM'],
  ['GET', '/_matrix/client/v3/sync?a%00b=1', 400, 'M_INVALID_PARAM'],
];
for (const [method, target, status, errcode] of REFUSED) {
  test(`${method} ${target.slice(0, 60)} gets ${status} ${errcode}`, async () => {
    const response = await setUp().router.dispatch(raw(method, target));
    assert.deepEqual([response.status, bodyOf(response)['errcode']], [status, errcode]);
    assert.equal(typeof bodyOf(response)['error'], 'string');
    assert.equal(response.headers?.['access-control-allow-origin'], '*');
    assert.equal(response.headers?.['content-type'], 'application/json');
  });
}

test('405 names the methods that the path has', async () => {
  const response = await setUp().router.dispatch(raw('POST', '/a/fixed/y'));
  assert.equal(response.headers?.['allow'], 'DELETE, GET, OPTIONS');
});

test('OPTIONS is a preflight on any path and runs no handler', async () => {
  const { router } = setUp([route('GET', '/a/b', { handle: () => Promise.reject(new Error('ran')) })]);
  for (const target of ['/a/b', '/not/there']) {
    const response = await router.dispatch(raw('OPTIONS', target));
    assert.equal(response.status, 200);
    assert.equal(response.headers?.['access-control-allow-methods'], 'GET, POST, PUT, DELETE, OPTIONS');
    assert.equal(response.headers?.['access-control-allow-headers'], 'X-Requested-With, Content-Type, Authorization');
  }
});

const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
const SEND = '/_matrix/client/v3/rooms/!a:b/send/m.text/1';
const BODIES: [string, string, string, Uint8Array | undefined, number, string | undefined][] = [
  ['an object', 'PUT', SEND, bytes('{"a":1}'), 200, undefined],
  ['no body where one is needed', 'PUT', SEND, undefined, 400, 'M_NOT_JSON'],
  ['an empty body where one is needed', 'PUT', SEND, bytes(''), 400, 'M_NOT_JSON'],
  ['broken JSON', 'PUT', SEND, bytes('{"a":'), 400, 'M_NOT_JSON'],
  ['invalid UTF-8', 'PUT', SEND, new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, 'M_NOT_JSON'],
  ['a byte order mark', 'PUT', SEND, bytes('\ufeff{}'), 400, 'M_NOT_JSON'],
  ['an array', 'PUT', SEND, bytes('[]'), 400, 'M_BAD_JSON'],
  ['null', 'PUT', SEND, bytes('null'), 400, 'M_BAD_JSON'],
  ['a number', 'PUT', SEND, bytes('7'), 400, 'M_BAD_JSON'],
  ['half a surrogate pair as a value', 'PUT', SEND, bytes('{"a":{"b":["\\ud800"]}}'), 400, 'M_BAD_JSON'],
  ['half a surrogate pair as a key', 'PUT', SEND, bytes('{"\\uDC00":1}'), 400, 'M_BAD_JSON'],
  ['a whole surrogate pair', 'PUT', SEND, bytes('{"a":"\\ud83d\\ude00"}'), 200, undefined],
  ['100 levels', 'PUT', SEND, bytes(nested(100)), 200, undefined],
  ['101 levels', 'PUT', SEND, bytes(nested(101)), 400, 'M_BAD_JSON'],
  ['300,000 levels', 'PUT', SEND, bytes(nested(300_000)), 400, 'M_BAD_JSON'],
  ['many brackets in a string', 'PUT', SEND, bytes(`{"a":"\\"${'[{'.repeat(300)}"}`), 200, undefined],
  ['duplicate keys', 'PUT', SEND, bytes('{"a":1,"a":2}'), 200, undefined],
  ['no body where it is optional', 'POST', '/_matrix/client/v3/join/!a:b', undefined, 200, undefined],
  ['an array where an object is optional', 'POST', '/_matrix/client/v3/join/!a:b', bytes('[]'), 400, 'M_BAD_JSON'],
  ['just small enough', 'POST', '/_matrix/client/v3/createRoom', bytes(`{"a":"${'x'.repeat(292)}"}`), 200, undefined],
  ['a byte too much', 'POST', '/_matrix/client/v3/createRoom', bytes(`{"a":"${'x'.repeat(293)}"}`), 413, 'M_TOO_LARGE'],
  ['a body on GET', 'GET', '/_matrix/client/versions', bytes('nonsense'), 200, undefined],
];
for (const [name, method, target, body, status, errcode] of BODIES) {
  test(`a body of ${name} gets ${status} ${errcode ?? ''}`, async () => {
    const response = await setUp().router.dispatch(raw(method, target, { body }));
    assert.deepEqual([response.status, bodyOf(response)['errcode']], [status, errcode]);
  });
}

test('a body that the listener did not read is too large, but not where none is wanted', async () => {
  const { router } = setUp();
  assert.equal((await router.dispatch(raw('PUT', SEND, { bodyTooLarge: true }))).status, 413);
  assert.equal((await router.dispatch(raw('GET', '/_matrix/client/versions', { bodyTooLarge: true }))).status, 200);
  assert.deepEqual([router.bodyBytesMax('PUT', SEND), router.bodyBytesMax('GET', '/_matrix/client/versions'), router.bodyBytesMax('PUT', '/nothing')],
    [1024 * 1024, 0, 0]);
});

test('a key __proto__ is a plain property', async () => {
  let seen: Record<string, unknown> = {};
  const { router } = setUp([route('POST', '/x', { handle: (request) => {
    seen = request.body as Record<string, unknown>;
    return Promise.resolve({ status: 200, body: {} });
  } })]);
  await router.dispatch(raw('POST', '/x', { body: bytes('{"__proto__":{"admin":true}}') }));
  assert.equal(seen['admin'], undefined);
  assert.equal(({} as Record<string, unknown>)['admin'], undefined);
  assert.deepEqual(Object.keys(seen), ['__proto__']);
});

const ERRORS: [string, Error, number, Record<string, unknown>, string | undefined][] = [
  ['a MatrixError', new MatrixError(403, 'M_FORBIDDEN', 'no', { fields: { why: 1, errcode: 'X' } }), 403, { errcode: 'M_FORBIDDEN', error: 'no', why: 1 }, undefined],
  ['a full disk', new StorageError('full', 'SQLITE_FULL at /secret'), 503,
    { errcode: 'M_UNKNOWN', error: "The server's disk is full", retry_after_ms: 2000 }, 'warn'],
  ['a database that is away', new StorageError('unavailable', 'x'), 503,
    { errcode: 'M_UNKNOWN', error: "The server's database is not available; try again soon", retry_after_ms: 2000 }, 'warn'],
  ['a log that is away', new LogUnavailable('x'), 503, { errcode: 'M_UNKNOWN', error: 'The server cannot take requests now; try again soon', retry_after_ms: 2000 }, 'warn'],
  ['overload', new Overloaded('x'), 503, { errcode: 'M_UNKNOWN', error: 'The server is overloaded; try again soon', retry_after_ms: 2000 }, 'warn'],
  ['a late outcome', new OutcomeTimeout('x'), 504, { errcode: 'M_UNKNOWN', error: 'The server did not finish the request in time; try again', retry_after_ms: 2000 }, 'warn'],
];
for (const [name, error, status, body, level] of ERRORS) {
  test(`${name} becomes ${status}`, async () => {
    const { router, runtime } = setUp([route('GET', '/x', { handle: () => Promise.reject(error) })]);
    const response = await router.dispatch(raw('GET', '/x'));
    assert.equal(response.status, status);
    assert.deepEqual(response.body, body);
    assert.deepEqual(runtime.lines.filter((line) => line.level !== 'debug').map((line) => line.level), level === undefined ? [] : [level]);
  });
}

for (const error of [new Error('secret detail'), new StorageError('bug', 'secret detail'), 'secret detail']) {
  test(`an unexpected ${error instanceof Error ? error.name : typeof error} becomes 500, shows nothing and is logged with its trace`, async () => {
    const { router, runtime } = setUp([route('GET', '/x', { handle: () => { throw error; } })]);
    const response = await router.dispatch(raw('GET', '/x', { headers: { traceparent: TRACEPARENT } }));
    assert.deepEqual([response.status, bodyOf(response)['errcode']], [500, 'M_UNKNOWN']);
    assert.doesNotMatch(JSON.stringify(response), /secret/);
    const logged = runtime.lines.find((line) => line.level === 'error');
    assert.equal(logged?.fields['traceId'], '4bf92f3577b34da6a3ce929d0e0e4736');
    assert.match(String(bodyOf(response)['error']), /4bf92f3577b34da6a3ce929d0e0e4736/);
  });
}

test('no token gets into the log', async () => {
  const { router, runtime } = setUp([route('GET', '/x', { handle: () => Promise.reject(new Error('boom')) })]);
  await router.dispatch(raw('GET', '/x?access_token=syt_secret', { headers: { authorization: 'Bearer syt_secret' } }));
  await router.dispatch(raw('GET', '/nothing?access_token=syt_secret'));
  assert.ok(runtime.lines.length >= 3);
  assert.doesNotMatch(JSON.stringify(runtime.lines), /syt_secret/);
});

test('handlers see whether guests may come, by the path if need be, and whether the query may carry a token', async () => {
  const seen: unknown[] = [];
  const seeing = (path: string, guests?: Route['guests']) => route('GET', path, {
    ...(guests !== undefined && { guests }),
    handle: (request) => {
      seen.push(request.isOpenToGuests, request.takesQueryToken);
      return Promise.resolve({ status: 200 });
    },
  });
  const routes = [seeing('/never'), seeing('/always', true), seeing('/some/{name}', ({ name }) => name === 'one')];
  for (const queryTokens of [undefined, true]) {
    const router = createRouter(routes, { runtime: createManualRuntime(), ...(queryTokens && { queryTokens }) });
    for (const target of ['/never', '/always', '/some/one', '/some/other']) await router.dispatch(raw('GET', target));
  }
  assert.deepEqual(seen, [false, false, true, false, true, false, false, false, false, true, true, true, true, true, false, true]);
});

test('handlers see query, headers, address and trace', async () => {
  let seen: ApiRequest | undefined;
  const { router } = setUp([route('GET', '/x', { handle: (request) => {
    seen = request;
    return Promise.resolve({ status: 200 });
  } })]);
  await router.dispatch(raw('GET', '/x?a=1&a=2&b=%20+', { headers: { traceparent: TRACEPARENT, host: 'h' } }));
  assert.deepEqual([seen?.query.getAll('a'), seen?.query.get('b')], [['1', '2'], '  ']);
  assert.deepEqual([seen?.headers['host'], seen?.remoteAddress, seen?.traceId, seen?.path], ['h', '192.0.2.1', '4bf92f3577b34da6a3ce929d0e0e4736', '/x']);
});

test("a handler's headers win over the router's", async () => {
  const { router } = setUp([route('GET', '/x', { handle: () => Promise.resolve({ status: 200, json: 'x', headers: { 'Content-Type': 'text/plain' } }) })]);
  const response = await router.dispatch(raw('GET', '/x'));
  assert.equal(response.headers?.['content-type'], 'text/plain');
  assert.equal(response.headers?.['access-control-allow-origin'], '*');
});

test('requests are counted by operation and status', async () => {
  const { router, metrics } = setUp();
  await router.dispatch(raw('GET', '/_matrix/client/v3/sync'));
  await router.dispatch(raw('GET', '/nothing'));
  const { text } = await metrics.expose();
  assert.match(text, /myelin_http_requests_total\{operation="GET \/_matrix\/client\/v3\/sync",status="200"\} 1/);
  assert.match(text, /myelin_http_requests_total\{operation="none",status="404"\} 1/);
  assert.match(text, /myelin_http_requests_in_flight 0/);
});

test('two routes with one method and path are refused', () => {
  assert.throws(() => setUp([route('GET', '/a/{x}'), route('GET', '/a/{y}')]), /two routes serve GET \/a\/\{y\}/);
});

test('a route that asks for it gets body and target as they were received', async () => {
  const seen: unknown[] = [];
  const see = (operationId: string, method: 'PUT' | 'GET', raw: boolean): Route => ({
    operationId, method, path: `/${operationId}/{id}`, role: 'federationapi', idempotent: true, raw,
    handle: (request) => { seen.push([request.rawBody, request.rawTarget]); return Promise.resolve({ status: 200, body: {} }); },
  });
  const router = createRouter([see('raw', 'PUT', true), see('bare', 'GET', true), see('plain', 'PUT', false)], { runtime: createManualRuntime() });
  const ask = (method: string, path: string, queryString: string, body?: string) => router.dispatch({
    method, path, queryString, headers: {}, remoteAddress: '', departure: new Departure(), body: body === undefined ? undefined : Buffer.from(body),
  });
  await ask('PUT', '/raw/%24a', 'v=1&v=%32', '{ "b":1, "a":"ö" }');
  await ask('GET', '/bare/b', '');
  await ask('PUT', '/plain/b', '', '{}');
  assert.deepEqual(seen, [['{ "b":1, "a":"ö" }', '/raw/%24a?v=1&v=%32'], [undefined, '/bare/b'], [undefined, undefined]]);
});
