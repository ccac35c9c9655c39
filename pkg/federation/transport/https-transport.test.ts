/** The HTTPS transport against real TLS servers on this machine: good ones, and all that another server may do to us. */
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { after, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { createAuthority } from '../../../test/kit/certificates.ts';
import { createClock } from '../../runtime/real/clock.ts';
import { createRandom } from '../../runtime/real/random.ts';
import { FederationError } from '../transport.ts';
import type { FederationRequest } from '../transport.ts';
import type { SrvRecord } from '../srv-order.ts';
import { createHttpsTransport } from './https-transport.ts';
import type { HttpsTransport, HttpsTransportOptions } from './https-transport.ts';

const authority = createAuthority();
const LOCAL = { denied: ['10.0.0.0/8', '127.0.0.0/8'], allowed: ['127.0.0.1'] };
const closers: (() => void)[] = [];
after(() => { for (const close of closers) close(); });

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

const sayOk: Handle = (_request, response) => { response.end('{"ok":true}'); };

/** A TLS server for these names on a port of its own. */
async function serve(names: readonly string[], handle: Handle, certificate = authority.issue(names)): Promise<number> {
  const server = createServer({ cert: certificate.cert, key: certificate.key }, handle);
  closers.push(() => { server.close(); server.closeAllConnections(); });
  return portOf(server);
}

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return (server.address() as AddressInfo).port;
}

/** A transport that finds `*.test` on this machine by its overrides and names. */
function transportTo(ports: Record<string, number>, more: Partial<HttpsTransportOptions> = {}): HttpsTransport {
  const transport = createHttpsTransport({
    clock: createClock(), random: createRandom(), userAgent: 'Myelin/test', extraCertificates: [authority.cert], addresses: LOCAL,
    overrides: new Map(Object.entries(ports).map(([name, port]) => [name, { host: '127.0.0.1', port }])),
    names: { addresses: () => Promise.resolve([]), srv: () => Promise.resolve([]) },
    ...more,
  });
  closers.push(() => { transport.close(); });
  return transport;
}

const get = (destination: string, more: Partial<FederationRequest> = {}): FederationRequest => ({ destination, method: 'GET', path: '/x', deadlineMs: 5000, ...more });

async function failure(work: Promise<unknown>): Promise<FederationError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof FederationError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

test('a request arrives as it was meant, and its answer comes back', async () => {
  const seen: Record<string, unknown>[] = [];
  const port = await serve(['a.test'], (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { host, authorization, 'content-type': type, 'content-length': length, 'user-agent': agent } = request.headers;
      seen.push({ method: request.method, url: request.url, sni: (request.socket as TLSSocket).servername, body: Buffer.concat(chunks).toString(), host, authorization, type, length, agent });
      response.end('{"ok":true}');
    });
  });
  const transport = transportTo({ 'a.test': port });
  const answer = await transport.request(get('a.test', { method: 'PUT', path: '/p/%24a', query: { v: ['10', '11'] }, json: '{"a":"ö"}', authorization: 'X-Matrix x' }));
  assert.deepEqual(answer, { status: 200, body: { ok: true } });
  await transport.request(get('a.test', { method: 'POST', body: { b: 1 } }));
  await transport.request(get('a.test'));
  const common = { url: '/x', sni: 'a.test', host: 'a.test', authorization: undefined, agent: 'Myelin/test' };
  assert.deepEqual(seen, [
    { ...common, method: 'PUT', url: '/p/%24a?v=10&v=11', body: '{"a":"ö"}', authorization: 'X-Matrix x', type: 'application/json', length: '10' },
    { ...common, method: 'POST', body: '{"b":1}', type: 'application/json', length: '7' },
    { ...common, method: 'GET', body: '', type: undefined, length: undefined },
  ]);
});

test('connections are kept, one for each that is needed at once', async () => {
  const sockets = new Set<unknown>();
  const port = await serve(['a.test'], (request, response) => { sockets.add(request.socket); sayOk(request, response); });
  const transport = transportTo({ 'a.test': port });
  for (let i = 0; i < 5; i += 1) await transport.request(get('a.test'));
  assert.equal(sockets.size, 1);
  await Promise.all(Array.from({ length: 20 }, () => transport.request(get('a.test'))));
  assert.ok(sockets.size > 1 && sockets.size <= 8, `${sockets.size}`);
});

test('a kept connection that the other end closes in the meantime is replaced; a POST is not repeated', async () => {
  const requests: string[] = [];
  const port = await serve(['a.test'], (request, response) => {
    requests.push(request.method ?? '');
    // Breaks the connection off at the second request on it.
    const socket = request.socket as TLSSocket & { used?: boolean };
    if (socket.used === true) { socket.destroy(); return; }
    socket.used = true;
    sayOk(request, response);
  });
  const transport = transportTo({ 'a.test': port });
  await transport.request(get('a.test'));
  assert.deepEqual((await transport.request(get('a.test'))).body, { ok: true });
  assert.equal((await failure(transport.request(get('a.test', { method: 'POST', body: {} })))).kind, 'unreachable');
  assert.deepEqual(requests, ['GET', 'GET', 'GET', 'POST']);
});

test('the certificate must be the server’s, in time, and of a known authority', async () => {
  let requests = 0;
  const count: Handle = (request, response) => { requests += 1; sayOk(request, response); };
  const past = { notBefore: new Date(Date.now() - 2e9), notAfter: new Date(Date.now() - 1e9) };
  const transport = transportTo({
    'a.test': await serve(['b.test'], count),
    'c.test': await serve(['c.test'], count, createAuthority().issue(['c.test'])),
    'd.test': await serve(['d.test'], count, authority.issue(['d.test'], past)),
    '1.2.3.4': await serve(['1.2.3.5', '127.0.0.1'], count),
  });
  for (const name of ['a.test', 'c.test', 'd.test', '1.2.3.4']) {
    const error = await failure(transport.request(get(name)));
    assert.equal(error.kind, 'untrusted', `${name}: ${error.message}`);
  }
  assert.equal(requests, 0, 'nothing was sent');
});

test('an IP literal needs a certificate for the address and sends no name', async () => {
  let sni: unknown = 'nothing came';
  const handle: Handle = (request, response) => { sni = (request.socket as TLSSocket).servername; sayOk(request, response); };
  const port = await serve(['127.0.0.1', '1::2'], handle);
  const transport = transportTo({ '[1::2]:9': port });
  await transport.request(get(`127.0.0.1:${port}`));
  assert.equal(sni, false);
  await transport.request(get('[1::2]:9'));
  assert.equal(sni, false);
});

test('addresses that the settings refuse are not connected to, however they are written or found', async () => {
  let connections = 0;
  const server = createTcpServer((socket) => { connections += 1; socket.destroy(); });
  closers.push(() => { server.close(); });
  const port = await portOf(server);
  const names = { addresses: (name: string) => Promise.resolve(name === 'both.test' ? ['127.0.0.1', '10.0.0.1'] : ['127.0.0.1', '::ffff:127.0.0.1', '::1']), srv: () => Promise.resolve([]) };
  const strict = transportTo({}, { addresses: undefined, names });
  for (const name of [`127.0.0.1:${port}`, `[::ffff:127.0.0.1]:${port}`, `[::1]:${port}`, `a.test:${port}`, `localhost:${port}`, '169.254.169.254:80']) {
    assert.equal((await failure(strict.request(get(name)))).kind, 'refused', name);
  }
  assert.equal(connections, 0);
  const local = transportTo({}, { names });
  assert.equal((await failure(local.request(get(`both.test:${port}`)))).kind, 'unreachable', 'the allowed one of two addresses is connected to');
  assert.equal(connections, 1);
});

test('server names that the settings refuse are not contacted', async () => {
  const transport = transportTo({ 'a.test': await serve(['a.test'], sayOk) }, { mayContact: (name) => name !== 'a.test' });
  assert.equal((await failure(transport.request(get('a.test')))).kind, 'refused');
});

test('a server that is not there is unreachable', async () => {
  const server = createTcpServer();
  const port = await portOf(server);
  await new Promise((resolve) => { server.close(resolve); });
  const transport = transportTo({ 'a.test': port });
  for (const name of ['a.test', 'nowhere.test', 'no server name']) assert.equal((await failure(transport.request(get(name)))).kind, 'unreachable', name);
});

test('a slow server meets the deadline: in the handshake, before its answer, within it', async () => {
  const silent = createTcpServer(() => undefined);
  closers.push(() => { silent.close(); });
  const drip: Handle = (_request, response) => {
    response.write('{"a":"');
    const timer = setInterval(() => response.write('x'), 20);
    response.on('close', () => { clearInterval(timer); });
  };
  const transport = transportTo({ 'a.test': await portOf(silent), 'b.test': await serve(['b.test'], () => undefined), 'c.test': await serve(['c.test'], drip) });
  const startedAt = performance.now();
  const errors = await Promise.all(['a.test', 'b.test', 'c.test'].map((name) => failure(transport.request(get(name, { deadlineMs: 300 })))));
  assert.deepEqual(errors.map(({ kind }) => kind), ['timeout', 'timeout', 'timeout']);
  assert.ok(performance.now() - startedAt < 2000);
  await settled(transport);
  const impatient = transportTo({ 'a.test': (silent.address() as AddressInfo).port }, { limits: { connectMs: 50 } });
  assert.match((await failure(impatient.request(get('a.test')))).message, /no connection within 50 ms/);
});

test('a request can be cancelled', async () => {
  const transport = transportTo({ 'a.test': await serve(['a.test'], () => undefined) });
  const controller = new AbortController();
  const pending = failure(transport.request(get('a.test', { signal: controller.signal })));
  controller.abort();
  assert.equal((await pending).kind, 'cancelled');
  assert.equal((await failure(transport.request(get('a.test', { signal: AbortSignal.abort() })))).kind, 'cancelled');
  await settled(transport);
});

test('an endless answer is cut off at the limit, announced or not', async () => {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let sent = 0;
  const endless: Handle = (request, response) => {
    if (request.url === '/announced') response.setHeader('Content-Length', String(1e9));
    const pump = () => { while (sent < 1e9 && !response.destroyed && response.write(chunk)) sent += chunk.length; };
    response.on('drain', pump);
    pump();
  };
  const transport = transportTo({ 'a.test': await serve(['a.test'], endless) }, { limits: { responseBytes: 1_000_000 } });
  for (const path of ['/announced', '/x']) {
    const error = await failure(transport.request(get('a.test', { path })));
    assert.deepEqual([error.kind, error.message], ['garbage', 'the answer is larger than 1000000 bytes']);
  }
  assert.ok(sent < 50_000_000, `${sent}`);
  const own = await failure(transport.request(get('a.test', { responseBytesMax: 10 })));
  assert.match(own.message, /larger than 10 bytes/);
});

test('redirects, compression, deep JSON and other garbage are told apart from answers', async () => {
  const deep = '['.repeat(1_000_000);
  const answers: Record<string, Handle> = {
    '/redirect': (_request, response) => response.writeHead(307, { Location: '/redirect' }).end(),
    '/compressed': (_request, response) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end('{}'),
    '/deep': (_request, response) => response.end(deep),
    '/html': (_request, response) => response.end('<html>'),
    '/list': (_request, response) => response.end('[]'),
    '/raw': (request) => request.socket.end('SSH-2.0-OpenSSH\r\n\r\n'),
    '/headers': (_request, response) => response.writeHead(200, { 'X-Big': 'x'.repeat(100_000) }).end('{}'),
  };
  const transport = transportTo({ 'a.test': await serve(['a.test'], (request, response) => answers[request.url ?? '']?.(request, response)) });
  for (const path of Object.keys(answers)) assert.equal((await failure(transport.request(get('a.test', { path })))).kind, 'garbage', path);
});

test('answers that break off are unreachable, not short', async () => {
  const transport = transportTo({ 'a.test': await serve(['a.test'], (request, response) => {
    if (request.url === '/length') response.setHeader('Content-Length', '11');
    response.write('{}', () => request.socket.destroy());
  }) });
  for (const path of ['/length', '/chunked']) assert.equal((await failure(transport.request(get('a.test', { path })))).kind, 'unreachable', path);
});

test('errors carry status, error code and the time to wait', async () => {
  const transport = transportTo({ 'a.test': await serve(['a.test'], (_request, response) => response.writeHead(429, { 'Retry-After': '2' }).end('{"errcode":"M_LIMIT_EXCEEDED","error":"slow down"}')) });
  const error = await failure(transport.request(get('a.test')));
  assert.deepEqual([error.kind, error.status, error.errcode, error.retryAfterMs], ['http', 429, 'M_LIMIT_EXCEEDED', 2000]);
});

test('a destination has so many requests at once, and so many in line; others are not held up', async () => {
  let now = 0;
  let most = 0;
  const waiting: ServerResponse[] = [];
  const hold: Handle = (_request, response) => { now += 1; most = Math.max(most, now); waiting.push(response); };
  const transport = transportTo({ 'a.test': await serve(['a.test'], hold), 'b.test': await serve(['b.test'], sayOk) }, { limits: { atOncePerDestination: 2, waitingPerDestination: 3 } });
  const requests = Array.from({ length: 5 }, () => transport.request(get('a.test')));
  assert.equal((await failure(transport.request(get('a.test')))).kind, 'overloaded');
  await transport.request(get('b.test'));
  assert.deepEqual(transport.underWay(), { running: 2, waiting: 3 });
  for (let done = 0; done < 5;) {
    const response = waiting.shift();
    if (response === undefined) await new Promise((resolve) => setImmediate(resolve));
    else { now -= 1; done += 1; response.end('{}'); }
  }
  await Promise.all(requests);
  assert.equal(most, 2);
  await settled(transport);
});

test('the deadline counts in line too', async () => {
  const transport = transportTo({ 'a.test': await serve(['a.test'], () => undefined) }, { limits: { atOncePerDestination: 1 } });
  const errors = await Promise.all(Array.from({ length: 4 }, () => failure(transport.request(get('a.test', { deadlineMs: 150 })))));
  assert.deepEqual(errors.map(({ kind }) => kind), Array<string>(4).fill('timeout'));
  await settled(transport);
});

test('found by .well-known over redirects, then by SRV; the next record when one does not answer', async () => {
  const hosts: unknown[] = [];
  const serverPort = await serve(['delegated.test'], (request, response) => { hosts.push(request.headers.host); sayOk(request, response); });
  let asked = 0;
  const wellKnownPort: number = await serve(['a.test', 'loop.test', 'away.test', 'big.test'], (request, response) => {
    asked += 1;
    const target = request.headers.host?.startsWith('loop') === true ? request.url : '/elsewhere';
    if (request.headers.host?.startsWith('away') === true) response.writeHead(302, { Location: 'http://a.test/' }).end();
    else if (request.headers.host?.startsWith('big') === true) response.end(`{"m.server":"delegated.test"${' '.repeat(100_000)}}`);
    else if (request.url !== '/elsewhere') response.writeHead(302, { Location: target }).end();
    else response.end('{"m.server":"delegated.test"}');
  });
  const record = (port: number, priority: number): SrvRecord => ({ target: `t${priority}.test`, port, priority, weight: 1 });
  const transport = transportTo({}, {
    wellKnownPort,
    names: {
      addresses: (name) => Promise.resolve(name === 't1.test' ? [] : ['127.0.0.1']),
      srv: (name) => Promise.resolve(name === '_matrix-fed._tcp.delegated.test' ? [record(1, 1), record(serverPort, 2)] : []),
    },
  });
  await transport.request(get('a.test'));
  await transport.request(get('a.test'));
  assert.deepEqual([hosts, asked], [['delegated.test', 'delegated.test'], 2], 'the file is asked for once');
  for (const name of ['loop.test', 'away.test', 'big.test']) {
    assert.deepEqual(await transport.resolve(name), { targets: [{ host: name, port: 8448 }], hostHeader: name, tlsName: name });
  }
  assert.equal(asked, 2 + 6 + 1 + 1, 'a loop ends');
});

test('idle connections make way for new ones when there may be no more', async () => {
  const ports: Record<string, number> = {};
  for (const name of ['a.test', 'b.test', 'c.test']) ports[name] = await serve([name], sayOk);
  const transport = transportTo(ports, { limits: { connections: 2, idleMs: 60_000 } });
  for (const name of [...Object.keys(ports), ...Object.keys(ports)]) assert.deepEqual((await transport.request(get(name, { deadlineMs: 2000 }))).body, { ok: true }, name);
});

test('answers that weigh more than their bytes are cut off at once', async () => {
  let sent = 0;
  const chunk = Buffer.from('{},'.repeat(5000));
  const transport = transportTo({ 'a.test': await serve(['a.test'], (_request, response) => {
    response.write('{"a":[');
    const pump = () => { while (sent < 5e7 && !response.destroyed && response.write(chunk)) sent += chunk.length; };
    response.on('drain', pump);
    pump();
  }) });
  assert.match((await failure(transport.request(get('a.test')))).message, /made of too many values/);
  assert.ok(sent < 5e6, `${sent}`);
});

test('answers that hold more together than they may are all read to their ends', async () => {
  const text = `{"a":"${'x'.repeat(3_000_000)}"}`;
  const transport = transportTo({ 'a.test': await serve(['a.test'], (_request, response) => { response.end(text); }) }, { limits: { bufferedBytes: 1_000_000 } });
  const answers = await Promise.all(Array.from({ length: 6 }, () => transport.request(get('a.test'))));
  assert.ok(answers.every(({ body }) => (body['a'] as string).length === 3_000_000));
});

test('closing the transport fails what is under way', async () => {
  const transport = transportTo({ 'a.test': await serve(['a.test'], () => undefined) });
  const pending = failure(transport.request(get('a.test')));
  while (transport.underWay().running === 0) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  transport.close();
  assert.equal((await pending).kind, 'unreachable');
});

/** Waits until nothing is under way; the test's own time limit is the bound. */
async function settled(transport: HttpsTransport): Promise<void> {
  for (let under = transport.underWay(); under.running + under.waiting > 0; under = transport.underWay()) await new Promise((resolve) => setImmediate(resolve));
}
