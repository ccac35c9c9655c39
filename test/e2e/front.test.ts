/** The front's configuration in a real nginx: who gets which request, and what becomes of a request whose process dies. The processes only count. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { V3, call } from './api-client.ts';
import { frontMissing, startFront } from './modes.ts';

interface Counting {
  readonly name: string;
  readonly server: Server;
  readonly address: string;
  /** `METHOD path` of each request that arrived. */
  readonly asked: string[];
  /** Connections that were made to it. */
  connections: number;
  /** Closes the connection of a request instead of answering it. */
  dies: boolean;
  /** What it waits for before it answers. */
  hold: () => Promise<void>;
}

async function counting(t: TestContext, name: string): Promise<Counting> {
  const server = createServer((request, response) => {
    one.asked.push(`${request.method} ${request.url}`);
    if (one.dies) request.socket.destroy();
    else void one.hold().then(() => response.setHeader('content-type', 'application/json').end(JSON.stringify({ name })));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const one: Counting = { name, server, address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked: [], connections: 0, dies: false, hold: () => Promise.resolve() };
  server.on('connection', () => { one.connections += 1; });
  t.after(() => void (server.close(), server.closeAllConnections()));
  return one;
}

const BURST = 240;

/** So many requests at once, each answered when all have arrived. */
async function burstThrough(processes: readonly Counting[], baseUrl: string): Promise<void> {
  let arrived = 0;
  const all = Promise.withResolvers<void>();
  for (const one of processes) {
    one.hold = () => {
      arrived += 1;
      if (arrived === BURST) all.resolve();
      return all.promise;
    };
  }
  await Promise.all(Array.from({ length: BURST }, (_, number) => call(baseUrl, 'PUT', `${V3}/rooms/!r/send/m.room.message/${number}`, { body: {} })));
}

async function stand(t: TestContext) {
  const clientapis = [await counting(t, 'clientapi-1'), await counting(t, 'clientapi-2')];
  const syncapis = [await counting(t, 'syncapi-1'), await counting(t, 'syncapi-2')];
  const folder = mkdtempSync(join(tmpdir(), 'myelin-front-'));
  const addresses = (of: readonly Counting[]): string => of.map(({ address }) => address).join(',');
  const front = await startFront(folder, { clientapi: addresses(clientapis), syncapi: addresses(syncapis) });
  t.after(async () => {
    await front.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const one of clientapis) one.asked.length = 0;
  const ask = async (method: string, path: string, token = 'a') => call(front.baseUrl, method, path, { token, ...(method === 'GET' ? {} : { body: {} }) });
  return { clientapis, syncapis, ask, baseUrl: front.baseUrl };
}

const skip = frontMissing() ?? false;

test('the syncs of one token stay with one process, those of many are shared, and they move when it is gone', { skip }, async (t) => {
  const { syncapis, ask, baseUrl } = await stand(t);
  const homes = new Map<string, string>();
  for (let round = 0; round < 3; round += 1) {
    for (let user = 0; user < 20; user += 1) {
      const { name } = (await ask('GET', `${V3}/sync?since=s${round}`, `token${user}`)).body as { name: string };
      assert.equal(homes.get(`${user}`) ?? name, name);
      homes.set(`${user}`, name);
    }
  }
  assert.equal(new Set(homes.values()).size, 2);
  const byQuery = await Promise.all([1, 2, 3].map(() => call(baseUrl, 'GET', `${V3}/sync?access_token=token7`)));
  assert.equal(new Set(byQuery.map(({ body }) => (body as { name: string }).name)).size, 1);
  syncapis[0]!.server.close();
  syncapis[0]!.server.closeAllConnections();
  for (let user = 0; user < 20; user += 1) assert.equal((await ask('GET', `${V3}/sync`, `token${user}`)).body.name, 'syncapi-2');
});

test('a request whose process dies goes to another one when it may be repeated, and is told when it may not', { skip }, async (t) => {
  const { clientapis, ask } = await stand(t);
  const [dying, living] = clientapis as [Counting, Counting];
  dying.dies = true;
  for (let number = 0; number < 4; number += 1) assert.equal((await ask('PUT', `${V3}/rooms/!r/send/m.room.message/${number}`)).status, 200);
  assert.ok(dying.asked.length > 0, 'the dying one was asked');
  assert.equal(living.asked.length, 4);
  const posts = await Promise.all([1, 2, 3, 4].map(() => ask('POST', `${V3}/createRoom`)));
  const arrived = [dying, living].flatMap(({ asked }) => asked).filter((line) => line.startsWith('POST')).length;
  assert.equal(arrived, 4, 'no POST was sent twice');
  const told = posts.filter(({ status }) => status === 502);
  assert.ok(told.length > 0, 'whoever asked the dying one is told');
  for (const { headers, body } of told) {
    assert.equal(body.errcode, 'M_UNKNOWN', 'in the form of errors: there are clients that take a page of HTML for an empty answer');
    assert.deepEqual([headers.get('content-type'), headers.get('access-control-allow-origin')], ['application/json', '*']);
  }
});

test('connections to a process are kept for the next requests, also when hundreds are answered in one moment', { skip }, async (t) => {
  const { clientapis, baseUrl } = await stand(t);
  const made = (): number => clientapis.reduce((sum, { connections }) => sum + connections, 0);
  const before = made();
  const burst = () => burstThrough(clientapis, baseUrl);
  await burst();
  assert.ok(made() - before >= BURST / 2, 'they were there at once');
  const first = made();
  await burst();
  assert.ok(made() - first <= BURST / 4, `${made() - first} of ${BURST} requests needed a new connection`);
});

test('what the front itself finds too large, and what nobody is there for, is told in the form of errors', { skip }, async (t) => {
  const { clientapis, ask, baseUrl } = await stand(t);
  const large = await call(baseUrl, 'POST', `${V3}/createRoom`, { body: 'x'.repeat(51 * 1024 * 1024) });
  assert.deepEqual([large.status, large.body.errcode], [413, 'M_TOO_LARGE']);
  for (const { server } of clientapis) {
    server.close();
    server.closeAllConnections();
  }
  const lost = await ask('GET', `${V3}/account/whoami`);
  assert.deepEqual([lost.status, lost.body.errcode], [502, 'M_UNKNOWN']);
});

test('a request of any kind goes to another process when its own takes no connections', { skip }, async (t) => {
  const { clientapis, ask } = await stand(t);
  clientapis[0]!.server.close();
  clientapis[0]!.server.closeAllConnections();
  for (let number = 0; number < 6; number += 1) assert.equal((await ask('POST', `${V3}/createRoom`)).body.name, 'clientapi-2');
});
