import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, Agent, ServerResponse, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { queryObjects, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createAuthority } from '../../test/kit/certificates.ts';
import { createRuntime } from '../runtime/real/runtime.ts';
import { createLogger } from '../telemetry/pino-logger.ts';
import { startListener, type Listener, type ListenerOptions } from './listener.ts';
import { createRouter } from './router.ts';
import type { ApiRequest, Route } from './route.ts';

const runtime = createRuntime({ logger: createLogger({ level: 'error', format: 'json' }) });
const listeners: Listener[] = [];
after(() => Promise.all(listeners.map((listener) => listener.stop(100))));

const polls: { request: ApiRequest; finish: () => void }[] = [];
/** Answers when its signal is aborted or `finish` is called, like a long poll. */
function poll(request: ApiRequest) {
  return new Promise<{ status: number; body: unknown }>((resolve) => {
    const finish = () => resolve({ status: 200, body: { aborted: request.signal.aborted } });
    polls.push({ request, finish });
    request.signal.addEventListener('abort', finish, { once: true });
  });
}

const held: WeakRef<ApiRequest>[] = [];
/** Waits as /sync does: until departure is due. */
function wait(request: ApiRequest) {
  const { departure } = request;
  held.push(new WeakRef(request));
  return new Promise<{ status: number; body: unknown }>((resolve) => departure.listen({ departed: () => resolve({ status: 499, body: {} }) }));
}

const common = { role: 'clientapi', idempotent: true } as const;
const ROUTES: Route[] = [
  { ...common, operationId: 'echo', method: 'PUT', path: '/echo/{name}', bodyBytesMax: 1000,
    handle: (request) => Promise.resolve({ status: 200, body: { name: request.params['name'], body: request.body, address: request.remoteAddress } }) },
  { ...common, operationId: 'poll', method: 'GET', path: '/poll', mayWait: true, handle: poll },
  { ...common, operationId: 'wait', method: 'GET', path: '/wait', mayWait: true, handle: wait },
  { ...common, operationId: 'stubborn', method: 'GET', path: '/stubborn', handle: () => new Promise(() => undefined) },
  { ...common, operationId: 'target', method: 'GET', path: '/target/{id}', raw: true, handle: ({ rawTarget }) => Promise.resolve({ status: 200, body: { rawTarget } }) },
  { ...common, operationId: 'ready', method: 'GET', path: '/ready', handle: () => Promise.resolve({ status: 200, json: '{"ä":1}' }) },
];

async function start(more: Partial<ListenerOptions> = {}): Promise<Listener> {
  const listener = await startListener({ router: createRouter(ROUTES, { runtime }), runtime, host: '127.0.0.1', port: 0, ...more });
  listeners.push(listener);
  return listener;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

function ask(listener: Listener, method: string, path: string, more: { body?: string | Buffer; headers?: Record<string, string>; agent?: Agent } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: listener.port, method, path, headers: more.headers, agent: more.agent ?? false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    request.on('error', reject);
    request.end(more.body);
  });
}

/** Sends bytes as they are and resolves with everything that comes back until the connection ends. */
function talk(listener: Listener, text: string, use?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(listener.port, '127.0.0.1', () => {
      socket.write(text);
      use?.(socket);
    });
    socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk)).on('close', () => resolve(received)).on('error', () => undefined);
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i += 1) await runtime.clock.sleep(5);
  assert.ok(condition(), 'what was waited for did not happen');
}

test('what a signature covers comes as it was sent, also a question mark with nothing behind it', async () => {
  const listener = await start();
  for (const target of ['/target/%24a', '/target/%24a?', '/target/a?v=%32&v=1', '/target/a??']) {
    assert.deepEqual(JSON.parse((await ask(listener, 'GET', target)).text), { rawTarget: target });
  }
});

test('a request with a body is served, with CORS headers and no trace of Express', async () => {
  const listener = await start();
  const answer = await ask(listener, 'PUT', '/echo/%C3%A4?x=1', { body: '{"a":"ö"}' });
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.text), { name: 'ä', body: { a: 'ö' }, address: '127.0.0.1' });
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.deepEqual([answer.headers['x-powered-by'], answer.headers['etag']], [undefined, undefined]);
});

test('HEAD has the length of GET and no body; ready JSON is sent as it is', async () => {
  const listener = await start();
  const got = await ask(listener, 'GET', '/ready');
  const head = await ask(listener, 'HEAD', '/ready');
  assert.equal(got.text, '{"ä":1}');
  assert.deepEqual([head.status, head.text, head.headers['content-length']], [200, '', '8']);
});

test('too large a body gets 413 and the connection goes on', async () => {
  const listener = await start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answer = await ask(listener, 'PUT', '/echo/x', { agent, body: JSON.stringify({ a: 'x'.repeat(2_000_000) }) });
  assert.deepEqual([answer.status, JSON.parse(answer.text).errcode], [413, 'M_TOO_LARGE']);
  assert.equal((await ask(listener, 'GET', '/ready', { agent })).status, 200);
  agent.destroy();
});

test('a body announced as huge gets 413 at once and the connection is closed', async () => {
  const listener = await start();
  const received = await talk(listener, 'PUT /echo/x HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n{');
  assert.match(received, /^HTTP\/1\.1 413 /);
  assert.match(received, /connection: close/i);
});

test('a chunked body is measured while it comes', async () => {
  const listener = await start();
  const answer = await ask(listener, 'PUT', '/echo/x', { headers: { 'transfer-encoding': 'chunked' }, body: JSON.stringify({ a: 'x'.repeat(1000) }) });
  assert.equal(answer.status, 413);
});

test('a body that does not arrive in time is given up', async () => {
  const listener = await start({ requestTimeoutMs: 300 });
  const received = await talk(listener, 'PUT /echo/x HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{"a":');
  assert.match(received, /^HTTP\/1\.1 408 /);
  assert.match(received, /took too long/);
});

test('what is not HTTP, and headers that are too large, get an answer', async () => {
  const listener = await start({ headerBytesMax: 4096 });
  assert.match(await talk(listener, 'NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 [^]*M_UNRECOGNIZED/);
  assert.match(await talk(listener, `GET /ready HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(5000)}\r\n\r\n`), /^HTTP\/1\.1 431 [^]*M_TOO_LARGE/);
});

test('the signal of a request is aborted when its client goes away', async () => {
  const listener = await start();
  polls.length = 0;
  void talk(listener, 'GET /poll?timeout=1 HTTP/1.1\r\nhost: x\r\n\r\n', (socket) => void until(() => polls.length === 1).then(() => socket.destroy()));
  await until(() => polls[0]?.request.signal.aborted === true);
  await until(() => listener.underWay() === 0);
});

test('the address of a client comes from X-Forwarded-For only through a trusted proxy', async () => {
  const headers = { 'x-forwarded-for': '198.51.100.7' };
  const plain = await ask(await start(), 'PUT', '/echo/x', { body: '{}', headers });
  assert.equal(JSON.parse(plain.text).address, '127.0.0.1');
  const trusting = await ask(await start({ trustedProxies: ['loopback'] }), 'PUT', '/echo/x', { body: '{}', headers });
  assert.equal(JSON.parse(trusting.text).address, '198.51.100.7');
  const chain = await ask(await start({ trustedProxies: ['loopback', '10.0.0.0/8'] }), 'PUT', '/echo/x', { body: '{}', headers: { 'x-forwarded-for': '203.0.113.66, 198.51.100.7, 10.1.2.3' } });
  assert.equal(JSON.parse(chain.text).address, '198.51.100.7', 'what the client itself put before is not believed');
  const other = await ask(await start({ trustedProxies: ['203.0.113.0/24'] }), 'PUT', '/echo/x', { body: '{}', headers });
  assert.equal(JSON.parse(other.text).address, '127.0.0.1');
});

test('stopping lets long polls return early, says Connection: close, and takes nothing new', async () => {
  const listener = await start();
  polls.length = 0;
  const agent = new Agent({ keepAlive: true });
  await ask(listener, 'GET', '/ready', { agent });
  const polling = ask(listener, 'GET', '/poll?timeout=1');
  const polling2 = ask(listener, 'GET', '/poll?timeout=1', { agent });
  await until(() => polls.length === 2);
  await listener.stop(5000);
  const [answer, answer2] = [await polling, await polling2];
  assert.deepEqual([answer.status, JSON.parse(answer.text)], [200, { aborted: true }]);
  assert.equal(answer2.headers['connection'], 'close');
  await assert.rejects(ask(listener, 'GET', '/ready'), /ECONNREFUSED/);
  agent.destroy();
});

test('a request that is on its way on an idle connection when stopping begins is answered, as the last of its connection', async () => {
  const listener = await start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await ask(listener, 'GET', '/ready', { agent });
  const stopped = listener.stop(5000);
  const answer = await ask(listener, 'GET', '/ready', { agent });
  assert.deepEqual([answer.status, answer.headers['connection']], [200, 'close']);
  await stopped;
  agent.destroy();
});

test('stopping does not wait for a connection that its client opened ahead of its use', async () => {
  const listener = await start();
  const ended = talk(listener, '');
  await ask(listener, 'GET', '/ready');
  const startedAt = performance.now();
  await listener.stop(10_000);
  assert.ok(performance.now() - startedAt < 2000);
  assert.equal(await ended, '');
});

test('stopping cuts what does not end by the deadline', async () => {
  const listener = await start();
  const cut = assert.rejects(ask(listener, 'GET', '/stubborn'), /socket hang up|ECONNRESET/);
  await until(() => listener.underWay() === 1);
  await listener.stop(100);
  await cut;
});

test('an address in use is said in one sentence', async () => {
  const { port } = await start();
  await assert.rejects(start({ port }), { message: `cannot listen on 127.0.0.1:${port}: something else listens there already` });
});

const authority = createAuthority();

function tlsFiles(...names: string[]): { certificate: string; key: string } {
  const { cert, key } = authority.issue(names);
  return { certificate: cert, key };
}

function askOverTls(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ host: '127.0.0.1', port, servername, ca: authority.cert, path: '/ready', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => resolve(text));
    });
    request.on('error', reject);
    request.end();
  });
}

test('HTTPS serves the same, under a certificate that can be changed while it runs', async () => {
  const listener = await start({ tls: tlsFiles('a.test') });
  assert.equal(await askOverTls(listener.port, 'a.test'), '{"ä":1}');
  await assert.rejects(askOverTls(listener.port, 'b.test'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  assert.throws(() => listener.useCertificate({ certificate: 'none', key: 'none' }));
  assert.equal(await askOverTls(listener.port, 'a.test'), '{"ä":1}');
  listener.useCertificate(tlsFiles('b.test'));
  assert.equal(await askOverTls(listener.port, 'b.test'), '{"ä":1}');
});

test('a listener of plain HTTP takes no certificate', async () => {
  const listener = await start();
  assert.throws(() => listener.useCertificate(tlsFiles('a.test')), /plain HTTP/);
});

test('connections that never shake hands, or never ask, do not hold up the end of an HTTPS listener', async () => {
  const listener = await start({ tls: tlsFiles('a.test') });
  const silent = connect(listener.port, '127.0.0.1');
  await once(silent, 'connect');
  silent.on('error', () => undefined);
  const unused = tlsConnect({ host: '127.0.0.1', port: listener.port, servername: 'a.test', ca: authority.cert });
  await once(unused, 'secureConnect');
  unused.on('error', () => undefined);
  const startedAt = performance.now();
  await listener.stop(8000);
  assert.ok(performance.now() - startedAt < 4000);
});

test('the Authorization headers of a server with several keys arrive together', async () => {
  const seen: unknown[] = [];
  const route: Route = { ...common, operationId: 'see', method: 'GET', path: '/see', handle: (request) => { seen.push(request.headers['authorization']); return Promise.resolve({ status: 200, body: {} }); } };
  const listener = await start({ router: createRouter([route], { runtime }) });
  await talk(listener, 'GET /see HTTP/1.1\r\nHost: a\r\nAuthorization: X-Matrix a\r\nAuthorization: X-Matrix b\r\nConnection: close\r\n\r\n');
  await talk(listener, 'GET /see HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nConnection: close\r\n\r\n');
  assert.deepEqual(seen, ['X-Matrix a,X-Matrix b', 'Bearer a']);
});

test('a thousand clients that wait hold nothing of their requests, and when they go nothing is left of them', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const listener = await start();
  for (let round = 0; round < 2; round += 1) {
    held.length = 0;
    const sockets = Array.from({ length: 500 }, () => connect(listener.port, '127.0.0.1').on('error', () => undefined));
    for (const socket of sockets) socket.write('GET /wait?since=x&timeout=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer b\r\n\r\n');
    await until(() => listener.underWay() === 500);
    await runtime.clock.sleep(20);
    collect();
    assert.ok(held.filter((one) => one.deref() !== undefined).length < 5, 'requests are held');
    assert.ok(queryObjects(ServerResponse, { format: 'count' }) < 50, "Node's HTTP is held: it lets no request of a long poll leave");
    for (const socket of sockets) socket.destroy();
    await until(() => listener.underWay() === 0);
  }
});
