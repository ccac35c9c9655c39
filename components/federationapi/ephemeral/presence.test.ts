import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePresenceSeen, PRESENCE_SEEN_CHANNEL } from '../../../pkg/log/presence-signals.ts';
import type { PresenceSeen } from '../../../schemas/log/presence.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createPresenceReceiver } from './receive-presence.ts';
import { createPresenceSender } from './send-presence.ts';

const ROOMS: Readonly<Record<string, string[]>> = { '@u:a.test': ['!1', '!2'], '@v:a.test': ['!2'], '@x:b.test': ['!2'] };
const HOSTS: Readonly<Record<string, string[]>> = { '!1': ['b.test'], '!2': ['b.test', 'c.test'] };

function syncQuery() {
  const asked: string[][] = [];
  return {
    asked,
    joinedRoomsOf: async (userIds: readonly string[], membersMax: number) => {
      assert.equal(membersMax, 9);
      asked.push([...userIds]);
      return new Map(userIds.flatMap((userId) => (ROOMS[userId] === undefined ? [] : [[userId, ROOMS[userId]] as const])));
    },
  };
}

test('changes of users here are collected and told to the servers that share rooms with them; nothing is asked where there is none', async () => {
  const runtime = createManualRuntime();
  const query = syncQuery();
  const sent: string[] = [];
  const federated = { any: false };
  const sender = createPresenceSender({
    runtime, serverName: 'a.test', roomMembersMax: 9, syncQuery: query,
    hosts: { any: async () => federated.any, of: async (ids) => new Map(ids.map((id) => [id, HOSTS[id] ?? []])) },
    send: (units) => void sent.push(...units.map(({ destination, key, edu }) => `${destination} ${key} ${JSON.stringify(edu.content['push'])}`)),
  });
  const told = (userId: string, list?: { id: string; users: number; last: boolean }) => sender.receive({
    partition: 0, epoch: 1, counter: 1, after: 0, ...(list && { list }), users: [{ userId, kind: 'online', lastActiveMs: runtime.clock.now() - 5, isActive: true, statusMsg: 'tea', counter: 1 }],
  });
  told('@u:a.test');
  await runtime.advance(1000);
  assert.deepEqual([sent, query.asked], [[], []]);
  federated.any = true;
  told('@u:a.test');
  told('@u:a.test');
  told('@v:a.test');
  told('@x:b.test');
  told('@w:a.test', { id: 'l', users: 1, last: true });
  await runtime.advance(1000);
  const push = (userId: string) => `presence ${userId} ${JSON.stringify([{ user_id: userId, presence: 'online', last_active_ago: 1005, currently_active: true, status_msg: 'tea' }])}`;
  assert.deepEqual(sent, [`b.test ${push('@u:a.test')}`, `c.test ${push('@u:a.test')}`, `b.test ${push('@v:a.test')}`, `c.test ${push('@v:a.test')}`]);
  assert.deepEqual(query.asked, [['@u:a.test', '@v:a.test']]);
});

test('a server speaks for its own users, who share a room with users here; what is wrong is passed over', async () => {
  const runtime = createManualRuntime();
  const seen: PresenceSeen[] = [];
  const receive = createPresenceReceiver({
    runtime, roomMembersMax: 9, syncQuery: syncQuery(),
    driver: {
      signal: (channel, value) => {
        assert.equal(channel, PRESENCE_SEEN_CHANNEL);
        seen.push(decodePresenceSeen(value)!);
      },
    },
  });
  const push = (userId: unknown, more: object = {}) => ({ user_id: userId, presence: 'online', last_active_ago: 5, ...more });
  await receive('b.test', [{}, null, { push: 3 }, { push: [null, push('@u:a.test'), push(7), push('@nobody:b.test'), push('@x:b.test', { presence: 'busy' })] }]);
  assert.deepEqual(seen, []);
  await receive('b.test', [{ push: [push('@x:b.test'), push('@x:b.test', { presence: 'unavailable', status_msg: 'x'.repeat(2000), currently_active: true, last_active_ago: -1 })] }]);
  assert.deepEqual(seen.flatMap(({ remote }) => remote), [{ userId: '@x:b.test', kind: 'unavailable', lastActiveMs: 0, isActive: false, statusMsg: 'x'.repeat(1024) }]);
});
