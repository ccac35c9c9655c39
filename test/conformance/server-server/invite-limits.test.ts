/** Servers that invite too much are told to wait, and a user's invites have an end; other servers and users do not notice. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMIT_CLASSES } from '../../../schemas/config/rate-limits.ts';
import { createClock } from '../../../pkg/runtime/real/clock.ts';
import { createKeyServers } from '../../kit/key-servers.ts';
import { createWorld, type Account, type Answer, type World } from '../client-server/world.ts';
import { driveByHand, FEDERATION, FEDERATION_V2, type HandServer } from './by-hand.ts';

const servers = createKeyServers(createClock());
const PLENTY = { perSecond: 100, burst: 1000 };
let world: World;
let users: Account[];

before(async () => {
  const federation = {
    wellKnownServer: '', trustedKeyServers: [], deniedServers: ['*.bad.test'], allowedServers: ['*.test'], pendingInvitesMax: 3, caFiles: [], ipDenied: [], ipAllowed: [], overrides: new Map(),
    retry: { firstMs: 10, maxMs: 100 },
  };
  const classLimits = { ...Object.fromEntries(LIMIT_CLASSES.map((name) => [name, PLENTY])), 'server-invite': { perSecond: 0.001, burst: 6 }, 'invited-user': { perSecond: 0.001, burst: 5 } };
  world = await createWorld({ federation, rateLimits: true, classLimits }, { transport: servers.transport });
  users = await Promise.all(['alice', 'bob', 'carol', 'dan'].map((name) => world.register(name)));
});
after(() => world.close());

let rooms = 0;
let seeds = 0;

function server(name: string): HandServer {
  return driveByHand(world, servers.add(name, (seeds += 1)));
}

async function invite(by: HandServer, { userId }: Account): Promise<{ roomId: string; said: string; answer: Answer }> {
  const roomId = `!room${(rooms += 1)}:${by.name}`;
  const { eventId, pdu } = by.event({ type: 'm.room.member', sender: `@mallory:${by.name}`, state_key: userId, content: { membership: 'invite' } }, { version: '10', roomId, prevEvents: [], authEvents: [], depth: 3 });
  const answer = await by.ask('PUT', `${FEDERATION_V2}/invite/${encodeURIComponent(roomId)}/${encodeURIComponent(eventId)}`, { room_version: '10', event: pdu, invite_room_state: [] });
  return { roomId, said: answer.status === 200 ? '200' : `${answer.status} ${answer.body.errcode}`, answer };
}

test('a user has so many invites waiting, and no other user is concerned', async () => {
  const [alice, bob] = users as [Account, Account];
  const one = server('one.test');
  const taken = [await invite(one, alice), await invite(one, alice), await invite(one, alice)];
  assert.deepEqual(taken.map(({ said }) => said), ['200', '200', '200']);
  for (let waiting = 0, tries = 0; waiting < 3; tries += 1) {
    waiting = Object.keys((await world.ask(alice, 'GET', '/sync')).rooms?.invite ?? {}).length;
    assert.ok(tries < 200, `${waiting} invites are seen`);
    await sleep(20);
  }
  const { said, answer } = await invite(server('two.test'), alice);
  assert.equal(said, '429 M_LIMIT_EXCEEDED');
  assert.ok(answer.body.retry_after_ms >= 60_000);
  assert.equal((await invite(one, bob)).said, '200');
});

test('a server and a user have so many invites in a time, whoever else invites and is invited', async () => {
  const [, , carol, dan] = users as [Account, Account, Account, Account];
  const flood = server('flood.test');
  const said: string[] = [];
  for (let count = 0; count < 9; count += 1) said.push((await invite(flood, count % 2 === 0 ? carol : dan)).said);
  assert.deepEqual(said, ['200', '200', '200', '200', '200', '200', '429 M_LIMIT_EXCEEDED', '429 M_LIMIT_EXCEEDED', '429 M_LIMIT_EXCEEDED']);
  assert.equal((await invite(server('three.test'), users[1]!)).said, '200');
});

test('servers that are not on the list of those allowed are told so, and those that are denied as well', async () => {
  const ask = (name: string) => server(name).ask('GET', `${FEDERATION}/query/profile?user_id=${encodeURIComponent(users[0]!.userId)}`);
  assert.deepEqual((await Promise.all(['good.test', 'very.bad.test', 'a.example'].map(ask))).map(({ status }) => status), [200, 403, 403]);
});
