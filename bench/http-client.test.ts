import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Connection } from './http-client.ts';

async function listening(answer: RequestListener): Promise<{ server: Server; baseUrl: string }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('a connection that the server closes after an answer, and says so, is followed by another', async () => {
  const ports: number[] = [];
  const { server, baseUrl } = await listening((request, response) => {
    ports.push(request.socket.remotePort!);
    response.shouldKeepAlive = ports.length !== 2;
    response.end(`answer ${ports.length}`);
  });
  const connection = await Connection.open(baseUrl);
  for (let number = 1; number <= 4; number += 1) assert.deepEqual(await connection.request('GET', '/'), { status: 200, body: `answer ${number}` });
  assert.deepEqual([new Set(ports).size, ports[0] === ports[1], ports[2] === ports[3]], [2, true, true]);
  connection.close();
  server.close();
});

test('a server that goes without an answer fails the request', async () => {
  const { server, baseUrl } = await listening((request) => request.socket.destroy());
  const connection = await Connection.open(baseUrl);
  await assert.rejects(connection.request('GET', '/'), /closed/);
  server.close();
});
