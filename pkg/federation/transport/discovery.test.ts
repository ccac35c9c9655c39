/**
 * The spec's "Resolving server names" with everything real: a name server, hosts with .well-known files, and servers over TLS that know one name only. Each case looks at where the request arrived, under
 * which SNI and Host, and what was asked on the way.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { createAuthority } from '../../../test/kit/certificates.ts';
import { startNameServer, type NameServer, type Zone } from '../../../test/kit/name-server.ts';
import { createClock } from '../../runtime/real/clock.ts';
import { createRandom } from '../../runtime/real/random.ts';
import { FederationError } from '../transport.ts';
import { DEFAULT_PORT } from '../resolve-server-name.ts';
import { createHttpsTransport, type HttpsTransport } from './https-transport.ts';
import { systemNames } from './names.ts';

const authority = createAuthority();
const closers: (() => void)[] = [];
/** What hosts say in their .well-known files; a host that is not here answers 404. */
const files = new Map<string, string>();
let names: NameServer;
let wellKnownPort = 0;
let transport: HttpsTransport;

before(async () => {
  names = await startNameServer();
  const wellKnown = createServer({ ...authority.issue(['a.test']) }, (request, response) => {
    const text = files.get((request.headers.host ?? '').replace(/:\d+$/, ''));
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((resolve) => { wellKnown.listen(0, '127.0.0.1', resolve); });
  wellKnownPort = (wellKnown.address() as AddressInfo).port;
  closers.push(() => { wellKnown.close(); wellKnown.closeAllConnections(); }, () => { names.close(); });
});
after(() => { for (const close of closers) close(); });

interface Arrival {
  readonly sni: unknown;
  readonly host: string | undefined;
}

interface Listening {
  readonly address: string;
  readonly port: number;
  readonly arrivals: Arrival[];
}

/** A server whose certificate is for this name alone. The whole of 127.0.0.0/8 is this machine, so each gets an address where port 8448 is free. */
async function serve(name: string, port: number, address = `127.${randomInt(1, 255)}.${randomInt(255)}.${randomInt(1, 255)}`): Promise<Listening> {
  const arrivals: Arrival[] = [];
  const server = createServer({ ...authority.issue([name]) }, (request, response) => {
    arrivals.push({ sni: (request.socket as TLSSocket).servername, host: request.headers.host });
    response.end('{"ok":true}');
  });
  await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(port, address, resolve); });
  closers.push(() => { server.close(); server.closeAllConnections(); });
  return { address, port: (server.address() as AddressInfo).port, arrivals };
}

/** One that remembers nothing of earlier cases. */
function ask(destination: string): Promise<unknown> {
  transport = createHttpsTransport({
    clock: createClock(), random: createRandom(), userAgent: 'Myelin/test', extraCertificates: [authority.cert], addresses: { denied: [], allowed: [] }, names: systemNames([names.address]), wellKnownPort,
  });
  closers.push(() => { transport.close(); });
  return transport.request({ destination, method: 'GET', path: '/x', deadlineMs: 10_000 });
}

function zones(table: Record<string, Zone>): void {
  for (const name of Object.keys(names.zones)) delete names.zones[name];
  Object.assign(names.zones, table);
  names.asked.length = 0;
}

const HERE: Zone = { a: ['127.0.0.1'] };
const srvAsked = (): string[] => names.asked.filter((asked) => asked.endsWith(' srv')).map((asked) => asked.replace(' srv', ''));

test('1: an IP literal, with and without a port, is connected to; its certificate is for the address, and no name is sent', async () => {
  zones({});
  const address = '127.91.3.7';
  const [plain, ported] = [await serve(address, DEFAULT_PORT, address), await serve(address, 0, address)];
  await ask(address);
  await ask(`${address}:${ported.port}`);
  assert.deepEqual([plain.arrivals, ported.arrivals], [[{ sni: false, host: address }], [{ sni: false, host: `${address}:${ported.port}` }]]);
  assert.deepEqual(names.asked, []);
});

test('1: so is an IPv6 literal', async (t) => {
  const server = await serve('::1', 0, '::1').catch(() => undefined);
  if (server === undefined) return t.skip('this machine has no IPv6');
  await ask(`[::1]:${server.port}`);
  assert.deepEqual(server.arrivals, [{ sni: false, host: `[::1]:${server.port}` }]);
});

test('2: a name with a port is looked up, over aliases too, and nothing else is asked', async () => {
  const server = await serve('a.test', 0);
  zones({ 'a.test': { cname: 'alias.test' }, 'alias.test': { a: [server.address] } });
  files.set('a.test', '{"m.server":"b.test"}');
  await ask(`a.test:${server.port}`);
  assert.deepEqual(server.arrivals, [{ sni: 'a.test', host: `a.test:${server.port}` }]);
  assert.deepEqual(srvAsked(), []);
});

test('3.1: delegated to an IP literal, with and without a port', async () => {
  zones({ 'a.test': HERE });
  const address = '127.91.3.8';
  const [plain, ported] = [await serve(address, DEFAULT_PORT, address), await serve(address, 0, address)];
  files.set('a.test', `{"m.server":"${address}"}`);
  await ask('a.test');
  files.set('a.test', `{"m.server":"${address}:${ported.port}"}`);
  await ask('a.test');
  assert.deepEqual([plain.arrivals, ported.arrivals], [[{ sni: false, host: address }], [{ sni: false, host: `${address}:${ported.port}` }]]);
  assert.deepEqual(srvAsked(), []);
});

test('3.2: delegated to a name with a port', async () => {
  const server = await serve('b.test', 0);
  zones({ 'a.test': HERE, 'b.test': { a: [server.address] } });
  files.set('a.test', `{"m.server":"b.test:${server.port}"}`);
  await ask('a.test');
  assert.deepEqual(server.arrivals, [{ sni: 'b.test', host: `b.test:${server.port}` }]);
  assert.deepEqual(srvAsked(), []);
});

for (const [steps, name, file] of [['3.3 to 3.5', 'b.test', '{"m.server":"b.test"}'], ['4 to 6', 'a.test', undefined]] as const) {
  const begin = (): void => void (file === undefined ? files.delete('a.test') : files.set('a.test', file));
  const common = { 'a.test': HERE };
  const expected = [{ sni: name, host: name }];

  test(`${steps}: the registered SRV record first; the certificate is for the name, not for the record's target`, async () => {
    begin();
    const [server, wrong] = [await serve(name, 0), await serve('target.test', 0)];
    zones({ ...common, 'target.test': { a: [server.address] }, [`_matrix-fed._tcp.${name}`]: { srv: [{ target: 'target.test', port: server.port }] }, [`_matrix._tcp.${name}`]: { srv: [{ target: 'target.test', port: 1 }] } });
    await ask('a.test');
    assert.deepEqual([server.arrivals, srvAsked()], [expected, [`_matrix-fed._tcp.${name}`]]);
    zones({ ...common, 'target.test': { a: [wrong.address] }, [`_matrix-fed._tcp.${name}`]: { srv: [{ target: 'target.test', port: wrong.port }] } });
    await assert.rejects(ask('a.test'), (error) => error instanceof FederationError && error.kind === 'untrusted');
    assert.deepEqual(wrong.arrivals, []);
  });

  test(`${steps}: then the deprecated one`, async () => {
    begin();
    const server = await serve(name, 0);
    zones({ ...common, 'target.test': { a: [server.address] }, [`_matrix._tcp.${name}`]: { srv: [{ target: 'target.test', port: server.port }] } });
    await ask('a.test');
    assert.deepEqual([server.arrivals, srvAsked()], [expected, [`_matrix-fed._tcp.${name}`, `_matrix._tcp.${name}`]]);
  });

  test(`${steps}: then port 8448 of the name itself`, async () => {
    begin();
    // The host has its .well-known file at one address and the server at another: connections go to the first that takes them.
    const server = await serve(name, DEFAULT_PORT);
    zones({ ...common, [name]: { a: name === 'a.test' ? [server.address, '127.0.0.1'] : [server.address] } });
    if (file === undefined) names.zones['a.test'] = { a: [server.address] };
    await ask('a.test');
    assert.deepEqual([server.arrivals, srvAsked()], [expected, [`_matrix-fed._tcp.${name}`, `_matrix._tcp.${name}`]]);
  });
}

test('several records: by priority, the next one when one refuses, has no address or is somebody else', async () => {
  files.delete('a.test');
  const [first, second, stranger, gone] = [await serve('a.test', 0), await serve('a.test', 0), await serve('c.test', 0), await serve('a.test', 0)];
  closers.splice(-1).forEach((close) => { close(); });
  const table = (order: readonly [target: string, port: number][]): Record<string, Zone> => ({
    'a.test': HERE, 'first.test': { a: [first.address] }, 'second.test': { a: [second.address] }, 'stranger.test': { a: [stranger.address] }, 'gone.test': { a: [gone.address] },
    '_matrix-fed._tcp.a.test': { srv: order.map(([target, port], index) => ({ target, port, priority: index })) },
  });
  zones(table([['first.test', first.port], ['second.test', second.port]]));
  await ask('a.test');
  zones(table([['gone.test', gone.port], ['nowhere.test', 1], ['stranger.test', stranger.port], ['second.test', second.port], ['first.test', first.port]]));
  await ask('a.test');
  assert.deepEqual([first.arrivals.length, second.arrivals.length, stranger.arrivals.length], [1, 1, 0]);
  zones(table([['.', 1]]));
  await assert.rejects(ask('a.test'), /offers no federation/);
});

test('an address that does not answer is passed over for the next of the same name, of whatever kind', async () => {
  const server = await serve('a.test', 0);
  zones({ 'a.test': { aaaa: ['0:0:0:0:0:0:0:1'], a: ['127.91.9.9', server.address] } });
  await ask(`a.test:${server.port}`);
  assert.equal(server.arrivals.length, 1);
});
