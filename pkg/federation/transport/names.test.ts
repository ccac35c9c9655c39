/** Names, asked of a real resolver against a name server of the test, and what sockets are told of them. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createClock } from '../../runtime/real/clock.ts';
import { addressCheck } from '../ip-ranges.ts';
import { FederationError } from '../transport.ts';
import { createAnswerRoom } from './answer-room.ts';
import { exchange } from './exchange.ts';
import { guardedLookup, systemNames } from './names.ts';

const A = 1;
const SRV = 33;
/** Records by name and type, each the bytes after its length (RFC 1035, RFC 2782). */
const ZONE: Record<string, Record<number, Buffer[]>> = {
  'a.test': { [A]: [Buffer.from([10, 0, 0, 1]), Buffer.from([127, 0, 0, 1])] },
  '_matrix-fed._tcp.a.test': { [SRV]: [Buffer.concat([Buffer.from([0, 10, 0, 5, 0x21, 0]), nameBytes('b.test')])] },
};

function nameBytes(name: string): Buffer {
  return Buffer.concat([...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])), Buffer.from([0])]);
}

/** The answer to one question: its records, or "no such name". */
function answer(query: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(12, at + 5);
  const type = query.readUInt16BE(at + 1);
  const zone = ZONE[labels.join('.').toLowerCase()];
  const records = zone?.[type] ?? [];
  const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x85, zone === undefined ? 0x83 : 0x80, 0, 1, 0, records.length, 0, 0, 0, 0]);
  return Buffer.concat([header, question, ...records.map((data) => Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length]), data]))]);
}

test('addresses and SRV records come from the name server; nobody knowing is no error', async () => {
  const server = createSocket('udp4');
  server.on('message', (query, from) => { server.send(answer(query), from.port, from.address); });
  await new Promise<void>((resolve) => { server.bind(0, '127.0.0.1', resolve); });
  try {
    const names = systemNames([`127.0.0.1:${server.address().port}`]);
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
    agent, clock: createClock(), connectMs: 5000, room: createAnswerRoom(1000), mayConnect: addressCheck({ denied: ['127.0.0.0/8'], allowed: [] }),
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
