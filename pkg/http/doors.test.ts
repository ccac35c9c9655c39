import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { openDoors } from './doors.ts';

async function served(connectionsMax?: number) {
  const server = createServer((request, response) => void response.end(request.url));
  const doors = await openDoors(server, { host: '127.0.0.1', port: 0, ...(connectionsMax !== undefined && { connectionsMax }) });
  return { server, doors, port: (server.address() as AddressInfo).port };
}

async function client(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

test('who comes by any of the sockets is served, and all are accepted within a few rounds of a busy event loop', async () => {
  const { server, doors, port } = await served();
  let accepted = 0;
  server.on('connection', () => (accepted += 1));
  const sockets = await Promise.all(Array.from({ length: 200 }, () => client(port)));
  // Accepted by now are some of them; the others wait, and the loop goes round ten times, each time with something else to do.
  for (let round = 0; round < 60 && accepted < 200; round += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(accepted, 200);
  const answers = sockets.map(async (socket, index) => {
    socket.write(`GET /${index} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    return (await socket.setEncoding('utf8').toArray() as string[]).join('');
  });
  for (const [index, answer] of (await Promise.all(answers)).entries()) assert.match(answer, new RegExp(`^HTTP/1.1 200 OK[^]*\r\n/${index}$`));
  await doors.close();
});

test('closing takes no new connections and waits for those that are open', async () => {
  const { server, doors, port } = await served();
  const accepted = new Promise<void>((resolve) => {
    let count = 0;
    server.on('connection', () => (count += 1) === 40 && resolve());
  });
  const open = await Promise.all(Array.from({ length: 40 }, () => client(port)));
  await accepted;
  let isClosed = false;
  const closing = doors.close().then(() => (isClosed = true));
  await assert.rejects(client(port), { code: 'ECONNREFUSED' });
  assert.equal(isClosed, false);
  for (const socket of open) socket.destroy();
  await closing;
});

test('an address that another server listens on is refused, in one sentence, whether that one shares it or not', async () => {
  for (const connectionsMax of [undefined, 10]) {
    const { doors, port } = await served(connectionsMax);
    for (const other of [undefined, 10]) {
      await assert.rejects(openDoors(createServer(), { host: '127.0.0.1', port, ...(other !== undefined && { connectionsMax: other }) }), { message: `cannot listen on 127.0.0.1:${port}: something else listens there already` });
    }
    await doors.close();
  }
});
