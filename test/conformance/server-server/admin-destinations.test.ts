/** The operators' door to other servers (not of the spec), over the whole server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FederationError } from '../../../pkg/federation/transport.ts';
import { createClock } from '../../../pkg/runtime/real/clock.ts';
import { createKeyServers } from '../../kit/key-servers.ts';
import { createWorld, type Answer } from '../client-server/world.ts';
import { driveByHand } from './by-hand.ts';

const PATH = '/_synapse/admin/v1/federation/destinations';

test('administrators see which servers there are and which fail, and have them tried again', async (t) => {
  const servers = createKeyServers(createClock());
  const [tea, coffee] = [servers.add('tea.test', 1), servers.add('coffee.test', 2)];
  const sent: string[] = [];
  const failing = new Set(['tea.test']);
  const world = await createWorld({ federation: { wellKnownServer: '', trustedKeyServers: [], deniedServers: [], allowedServers: [], pendingInvitesMax: 500, caFiles: [], ipDenied: [], ipAllowed: [], overrides: new Map(), retry: { firstMs: 600_000, maxMs: 900_000 } } }, {
    transport: {
      request(request) {
        if (!request.path.includes('/send/')) return servers.transport.request(request);
        sent.push(request.destination);
        return failing.has(request.destination) ? Promise.reject(new FederationError('unreachable', 'away')) : Promise.resolve({ status: 200, body: { pdus: {} } });
      },
    },
  });
  t.after(() => world.close());
  const [root, bob] = [await world.register('root'), await world.register('bob')];
  await world.makeAdmin(root);
  const call = (path: string, method = 'GET', token: string | undefined = root.token): Promise<Answer> => world.call({ method, path: `${PATH}${path}`, token });
  const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
    for (const endsAt = performance.now() + 20_000; !(await holds()); await sleep(20)) assert.ok(performance.now() < endsAt, `waited too long for ${what}`);
  };

  assert.deepEqual((await call('')).body, { destinations: [], total: 0 });
  const rooms: string[] = [];
  for (const server of [tea, tea, coffee]) {
    const { room_id: roomId } = await world.ask(root, 'POST', '/createRoom', { preset: 'public_chat' });
    rooms.push(roomId as string);
    await driveByHand(world, server).join(roomId as string, `@carl:${server.name}`);
  }
  for (const roomId of rooms) await world.ask(root, 'PUT', `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/1`, { msgtype: 'm.text', body: 'hello' });
  await until('the failure', async () => (await call('/tea.test')).body.failure_ts > 0);

  const well = { destination: 'coffee.test', retry_last_ts: 0, retry_interval: 0, failure_ts: null, last_successful_stream_ordering: null };
  const { body } = await call('');
  assert.deepEqual([body.total, body.destinations[0], body.next_token], [2, well, undefined]);
  const bad = body.destinations[1];
  assert.ok(bad.destination === 'tea.test' && bad.failure_ts > Date.now() - 60_000 && bad.retry_last_ts >= bad.failure_ts && bad.retry_interval > 300_000, JSON.stringify(bad));
  assert.deepEqual((await call('/coffee.test')).body, well);
  const names = async (query: string): Promise<unknown> => (await call(query)).body.destinations.map(({ destination }: { destination: string }) => destination);
  assert.deepEqual([await names('?dir=b'), await names('?order_by=failure_ts'), await names('?order_by=retry_interval&dir=b'), await names('?order_by=retry_last_ts&dir=b'), await names('?destination=off'), await names('?destination=%25')],
    [['tea.test', 'coffee.test'], ['coffee.test', 'tea.test'], ['tea.test', 'coffee.test'], ['tea.test', 'coffee.test'], ['coffee.test'], []]);
  const first = (await call('?limit=1')).body;
  assert.deepEqual([first.destinations.length, first.total, first.next_token, await names(`?limit=1&from=${first.next_token}`)], [1, 2, '1', ['tea.test']]);

  const both = rooms.slice(0, 2).sort();
  assert.deepEqual((await call('/tea.test/rooms')).body, { rooms: both.map((id) => ({ room_id: id, stream_ordering: 0 })), total: 2 });
  const page = (await call('/tea.test/rooms?limit=1&dir=b')).body;
  assert.deepEqual([page.rooms[0].room_id, page.next_token, page.total], [both[1], '1', 2]);

  const before = sent.filter((name) => name === 'tea.test').length;
  failing.clear();
  assert.deepEqual((await call('/tea.test/reset_connection', 'POST')).body, {});
  await until('another try', () => sent.filter((name) => name === 'tea.test').length > before);
  assert.deepEqual((await call('/tea.test')).body, { ...well, destination: 'tea.test' });

  const failure = ({ status, body: { errcode } }: Answer): string => `${status} ${errcode}`;
  assert.equal(failure(await call('/tea.test/reset_connection', 'POST')), '400 M_UNKNOWN');
  for (const path of ['?order_by=nothing', '?dir=up', '?limit=-1', '?from=x', '/tea.test/rooms?limit=1.5']) assert.equal(failure(await call(path)), '400 M_INVALID_PARAM', path);
  for (const name of ['unknown.test', '%25']) assert.equal(failure(await call(`/${name}/rooms`)), '404 M_NOT_FOUND', name);
  for (const [path, method] of [['', 'GET'], ['/tea.test', 'GET'], ['/tea.test/rooms', 'GET'], ['/tea.test/reset_connection', 'POST']] as const) {
    assert.equal(failure(await call(path, method, bob.token)), '403 M_FORBIDDEN');
    assert.equal(failure(await call(path, method, 'nonsense')), '401 M_UNKNOWN_TOKEN');
    assert.equal(failure(await world.call({ method, path: `${PATH}${path}` })), '401 M_MISSING_TOKEN');
  }
});
