import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { createAuthority } from '../../test/kit/certificates.ts';
import { createRuntime } from '../runtime/real/runtime.ts';
import { createLogger } from '../telemetry/pino-logger.ts';
import { startListener, type Listener, type ListenerOptions } from './listener.ts';
import { createRouter } from './router.ts';
import type { ApiRequest, ApiResponse, Route } from './route.ts';

const runtime = createRuntime({ logger: createLogger({ level: 'error', format: 'json' }) });
const listeners: Listener[] = [];
after(() => Promise.all(listeners.map((listener) => listener.stop(100))));

interface Waiting {
  readonly request: ApiRequest;
  readonly answer: (answer: ApiResponse) => void;
}

interface Place {
  readonly listener: Listener;
  readonly waiting: Waiting[];
}

async function start(more: Partial<ListenerOptions> = {}): Promise<Place> {
  const waiting: Waiting[] = [];
  const wait = (request: ApiRequest) => new Promise<ApiResponse>((resolve) => {
    waiting.push({ request, answer: resolve });
    request.departure.listen({ departed: () => resolve({ status: 200, body: { departed: true } }) });
  });
  const common = { role: 'syncapi', idempotent: true } as const;
  const routes: Route[] = [
    { ...common, operationId: 'wait', method: 'GET', path: '/wait', mayWait: true, handle: wait },
    { ...common, operationId: 'now', method: 'GET', path: '/now', handle: ({ query, remoteAddress }) => Promise.resolve({ status: 200, body: { q: query.get('q'), remoteAddress } }) },
    { ...common, operationId: 'say', method: 'PUT', path: '/say', handle: ({ body }) => Promise.resolve({ status: 200, body }) },
  ];
  const listener = await startListener({ router: createRouter(routes, { runtime }), runtime, host: '127.0.0.1', port: 0, ...more });
  listeners.push(listener);
  return { listener, waiting };
}

/** A connection and all that came on it. */
class Client {
  text = '';
  closed = false;
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk)).on('close', () => (this.closed = true)).on('error', () => undefined);
  }

  get(target: string, headers = ''): void {
    this.socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
  }

  /** Bodies of the answers so far. */
  get answers(): string[] {
    return this.text.split(/HTTP\/1\.1 \d+ [^]*?\r\n\r\n/).slice(1);
  }
}

const clientOf = ({ listener }: Place): Client => new Client(connect(listener.port, '127.0.0.1'));

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i += 1) await runtime.clock.sleep(5);
  assert.ok(condition(), 'what was waited for did not happen');
}

/** Polls, other requests, requests with bodies, in turn. */
async function useInTurn({ waiting }: Place, client: Client): Promise<void> {
  for (let round = 0; round < 12; round += 1) {
    client.get(`/wait?timeout=9&q=${round}`, 'content-length: 0\r\n');
    await until(() => waiting.length === round + 1);
    assert.equal(waiting[round]!.request.query.get('q'), String(round));
    waiting[round]!.answer({ status: 200, json: `{"ä":${round}}`, headers: { 'X-More': 'm' } });
    await until(() => client.answers.length === 3 * round + 1);
    client.get(`/now?q=${round}`);
    await until(() => client.answers.length === 3 * round + 2);
    client.socket.write('PUT /say HTTP/1.1\r\nHost: a\r\ncontent-length: 10\r\n\r\n{"a":');
    await runtime.clock.sleep(2);
    client.socket.write('"bc"}');
    await until(() => client.answers.length === 3 * round + 3);
  }
  assert.deepEqual(client.answers.slice(0, 4), ['{"ä":0}', '{"q":"0","remoteAddress":"127.0.0.1"}', '{"a":"bc"}', '{"ä":1}']);
}

test('a connection carries long polls and other requests in turn', async () => {
  const place = await start();
  const client = clientOf(place);
  await useInTurn(place, client);
  const [head] = client.text.split('\r\n\r\n');
  assert.match(head!, /^HTTP\/1\.1 200 OK\r\n/);
  for (const line of [/content-length: 8/i, /x-more: m/i, /content-type: application\/json/i, /access-control-allow-origin: \*/i, /keep-alive: timeout=75/i, /connection: keep-alive/i, /date: .*GMT/i]) assert.match(head!, line);
});

test('over TLS too', async () => {
  const authority = createAuthority();
  const { cert, key } = authority.issue(['a.test']);
  const place = await start({ tls: { certificate: cert, key } });
  await useInTurn(place, new Client(tlsConnect({ host: '127.0.0.1', port: place.listener.port, servername: 'a.test', ca: authority.cert })));
});

test('requests that come before a long poll is answered are answered after it, in order, and one that comes in two parts', async () => {
  const place = await start();
  const client = clientOf(place);
  client.socket.write('GET /wait?timeout=9 HTTP/1.1\r\nHost: a\r\n\r\nGET /now?q=1 HTTP/1.1\r\nHost: a\r\n\r\nGET /now?q=2 HT');
  await until(() => place.waiting.length === 1);
  client.socket.write('TP/1.1\r\nHost: a\r\n\r\n');
  await runtime.clock.sleep(20);
  assert.equal(client.text, '');
  place.waiting[0]!.answer({ status: 200, body: 0 });
  await until(() => client.answers.length === 3);
  assert.deepEqual(client.answers.map((answer) => (JSON.parse(answer) as { q?: string }).q), [undefined, '1', '2']);
});

test('a long poll that comes before others are answered is answered after them', async () => {
  const place = await start();
  const client = clientOf(place);
  client.get('/wait?q=1');
  await until(() => place.waiting.length === 1);
  client.get('/wait?timeout=9&q=2');
  await until(() => place.waiting.length === 2);
  place.waiting[1]!.answer({ status: 200, body: 2 });
  await runtime.clock.sleep(20);
  place.waiting[0]!.answer({ status: 200, body: 1 });
  await until(() => client.answers.length === 2);
  assert.deepEqual(client.answers, ['1', '2']);
});

test('what a long poll says of its connection is heeded', async () => {
  const place = await start();
  for (const [index, headers] of ['Connection: close\r\n', 'Content-Length: 2\r\n', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'].entries()) {
    const client = clientOf(place);
    client.get('/wait?timeout=9', headers);
    if (headers.startsWith('Content')) client.socket.write('{}');
    await until(() => place.waiting.length === index + 1);
    place.waiting[index]!.answer({ status: 200, body: {} });
    await until(() => client.answers.length === 1);
    if (index === 0) await until(() => client.closed);
    else client.socket.destroy();
  }
});

test('who waits and goes is noticed, and who only ends what they send', async () => {
  const place = await start();
  for (const [index, leave] of [(socket: Socket) => socket.destroy(), (socket: Socket) => socket.resetAndDestroy(), (socket: Socket) => socket.end()].entries()) {
    const client = clientOf(place);
    client.get('/wait?timeout=9');
    await until(() => place.waiting.length === index + 1);
    leave(client.socket);
    await until(() => place.waiting[index]!.request.departure.isGone && place.listener.underWay() === 0);
  }
});

test('a connection on which nothing is asked after a long poll is closed when it has been kept long enough', async () => {
  const place = await start({ keepAliveMs: 100 });
  const client = clientOf(place);
  client.get('/wait?timeout=9');
  await until(() => place.waiting.length === 1);
  await runtime.clock.sleep(200);
  assert.equal(client.closed, false, 'it waits for longer than that');
  place.waiting[0]!.answer({ status: 200, body: {} });
  await until(() => client.closed);
});

test('stopping answers who waits, closes what has waited, and does not wait for either', async () => {
  const place = await start();
  const [idle, poll] = [clientOf(place), clientOf(place)];
  idle.get('/wait?timeout=9');
  await until(() => place.waiting.length === 1);
  place.waiting[0]!.answer({ status: 200, body: {} });
  await until(() => idle.answers.length === 1);
  poll.get('/wait?timeout=9');
  await until(() => place.waiting.length === 2);
  const startedAt = performance.now();
  await place.listener.stop(10_000);
  assert.ok(performance.now() - startedAt < 5000);
  assert.match(poll.text, /connection: close/i);
  assert.deepEqual(poll.answers, ['{"departed":true}']);
  await until(() => idle.closed && poll.closed);
});

test('a long poll that heeds nothing is cut at the deadline for stopping', async () => {
  const place = await start();
  const client = clientOf(place);
  client.get('/wait?timeout=9');
  await until(() => place.waiting.length === 1);
  place.waiting[0]!.request.departure.listen(undefined);
  await place.listener.stop(50);
  await until(() => client.closed);
});

test('the address of who waits comes from X-Forwarded-For only through a trusted proxy', async () => {
  for (const [trustedProxies, address] of [[[], '127.0.0.1'], [['loopback'], '198.51.100.7']] as const) {
    const place = await start({ trustedProxies });
    const client = clientOf(place);
    client.get('/wait?timeout=9', 'X-Forwarded-For: 198.51.100.7\r\n');
    await until(() => place.waiting.length === 1);
    assert.equal(place.waiting[0]!.request.remoteAddress, address);
    client.socket.destroy();
  }
});

test('an answer to a long poll that is made while it is sent arrives whole', async () => {
  const place = await start();
  const client = clientOf(place);
  client.get('/wait?timeout=9');
  await until(() => place.waiting.length === 1);
  place.waiting[0]!.answer({ status: 200, parts: (async function* () { yield '[1,'; yield '2]'; })() });
  await until(() => client.answers.length === 1);
  assert.deepEqual(client.answers, ['[1,2]']);
});
