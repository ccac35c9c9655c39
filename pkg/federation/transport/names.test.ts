/** Names, asked of a real resolver against a name server of the test, and what sockets are told of them. */
import assert from 'node:assert/strict';
import { Agent, createServer as createTlsServer } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createAuthority } from '../../../test/kit/certificates.ts';
import { startNameServer } from '../../../test/kit/name-server.ts';
import { createClock } from '../../runtime/real/clock.ts';
import { addressCheck } from '../ip-ranges.ts';
import { FederationError } from '../transport.ts';
import { createAnswerRoom } from './answer-room.ts';
import { exchange } from './exchange.ts';
import { guardedLookup, systemNames } from './names.ts';

test('addresses and SRV records come from the name server; nobody knowing is no error', async () => {
  const server = await startNameServer({
    'a.test': { a: ['10.0.0.1', '127.0.0.1'] }, '_matrix-fed._tcp.a.test': { srv: [{ target: 'b.test', port: 8448, priority: 10, weight: 5 }] },
  });
  try {
    const names = systemNames([server.address]);
    assert.deepEqual(await names.addresses('a.test'), ['10.0.0.1', '127.0.0.1']);
    assert.deepEqual(await names.srv('_matrix-fed._tcp.a.test'), [{ target: 'b.test', port: 8448, priority: 10, weight: 5 }]);
    assert.deepEqual(await names.srv('_matrix._tcp.a.test'), []);
    for (const name of ['localhost', 'x.LOCALHOST.']) assert.deepEqual(await names.addresses(name), ['127.0.0.1', '::1']);
  } finally {
    server.close();
  }
});

test('a socket is told the allowed addresses of its family', async () => {
  const names = { addresses: (name: string) => Promise.resolve(name === 'a.test' ? ['10.0.0.1', '1.1.1.1', '2a00::1', '::1'] : []), srv: () => Promise.resolve([]) };
  const lookup = guardedLookup(names, addressCheck({ denied: ['10.0.0.0/8', '::1'], allowed: [] }));
  const look = (name: string, options: object) => new Promise((resolve) => {
    lookup(name, options, (error, address, family) => { resolve(error === null ? (family === undefined ? address : [address, family]) : error.name); });
  });
  assert.deepEqual(await look('a.test', { all: true }), [{ address: '1.1.1.1', family: 4 }, { address: '2a00::1', family: 6 }]);
  assert.deepEqual(await look('a.test', {}), ['1.1.1.1', 4]);
  assert.deepEqual(await look('a.test', { family: 6 }), ['2a00::1', 6]);
  assert.deepEqual(await look('a.test', { family: 'IPv4' }), ['1.1.1.1', 4]);
  assert.equal(await look('b.test', { all: true }), 'Error');
  const strict = guardedLookup(names, () => false);
  assert.equal(await new Promise((resolve) => { strict('a.test', {}, (error) => { resolve(error?.name); }); }), 'AddressRefused');
});

test('the address that a connection has in the end is checked too: a wrong one hears no more than a greeting', async () => {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => heard.push(data));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const ended = new Promise<void>((resolve) => { server.on('connection', (socket) => { socket.on('close', () => { resolve(); }); }); });
  const agent = new Agent();
  const line = {
    agent, clock: createClock(), connectMs: 5000, room: createAnswerRoom(1000, createClock()), mayConnect: addressCheck({ denied: ['127.0.0.0/8'], allowed: [] }),
    // A lookup without a guard stands for whatever may go wrong before the connection.
    lookup: guardedLookup({ addresses: () => Promise.resolve(['127.0.0.1']), srv: () => Promise.resolve([]) }, () => true),
  };
  const asked = { target: { host: 'a.test', port: (server.address() as AddressInfo).port }, tlsName: 'a.test', method: 'GET', path: '/', headers: {}, bytesMax: 10, signal: new AbortController().signal };
  try {
    await assert.rejects(exchange(line, asked), (error) => error instanceof FederationError && error.kind === 'refused');
    await ended;
    // A TLS record of type 22 is a handshake; of 23 it would be data.
    assert.ok(heard.every((data) => data[0] === 22));
  } finally {
    server.close();
    agent.destroy();
  }
});

test('an address that answers while this process is busy is not given up for the next one, which nobody answers at', async () => {
  const authority = createAuthority();
  const server = createTlsServer(authority.issue(['a.test']), (_request, response) => response.end('{}'));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const agent = new Agent({ ca: authority.cert });
  let isBusy = true;
  const addresses = (): Promise<string[]> => {
    // Behind the beginning of the connection: what comes of it is seen only after more than the time that an address has at first.
    const work = (): void => { if (isBusy) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400); isBusy = false; };
    process.nextTick(() => process.nextTick(work));
    return Promise.resolve(['127.0.0.1', '::1']);
  };
  const line = { agent, clock: createClock(), connectMs: 5000, room: createAnswerRoom(1000, createClock()), mayConnect: () => true, lookup: guardedLookup({ addresses, srv: () => Promise.resolve([]) }, () => true) };
  const asked = { target: { host: 'a.test', port: (server.address() as AddressInfo).port }, tlsName: 'a.test', method: 'GET', path: '/', headers: { Host: 'a.test' }, bytesMax: 10, signal: new AbortController().signal };
  try {
    assert.equal((await exchange(line, asked)).status, 200);
    assert.equal(isBusy, false);
  } finally {
    agent.destroy();
    server.close();
    server.closeAllConnections();
  }
});
