/** A user here joins a room of servers driven by hand, which leave out its members and give them later: what works at once, what waits, and what others are refused meanwhile. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import type { FederationRequest, FederationTransport } from '../../../pkg/federation/transport.ts';
import { authTypesFor } from '../../../pkg/matrix/auth/auth-types.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { slotOf } from '../../../pkg/matrix/state-res/slot.ts';
import { createClock } from '../../../pkg/runtime/real/clock.ts';
import { createKeyServers } from '../../kit/key-servers.ts';
import { startRoom } from '../../kit/random-room.ts';
import type { RoomDag } from '../../kit/room-dag.ts';
import { CREATOR, TEST_KEY } from '../../kit/room-state.ts';
import { createWorld, type Account, type World } from '../client-server/world.ts';
import { driveByHand, FEDERATION, FEDERATION_V2, type HandServer } from './by-hand.ts';

const encode = encodeURIComponent;
const BOB = '@bob:two.test';
const MEMBERS = [CREATOR, '@alice:one.test', BOB, '@carol:two.test'];
const keys = createKeyServers(createClock());
for (const name of ['one.test', 'two.test']) keys.add(name, 1).key = TEST_KEY;

let dag: RoomDag;
let join: Pdu | undefined;
const gate = Promise.withResolvers<void>();
const delivered: { readonly to: string; readonly pdu: Pdu }[] = [];
let world: World;
let alice: Account;
let two: HandServer;

const transport: FederationTransport = { request: async (request) => (request.path.includes('/key/v2/') ? keys.transport.request(request) : { status: 200, body: await resident(request) }) };

async function resident({ path, query, json, body, destination }: FederationRequest): Promise<Record<string, unknown>> {
  const said = (json === undefined ? body : JSON.parse(json)) as Record<string, unknown> | undefined;
  if (path.includes('/make_join/')) return template(decodeURIComponent(path.split('/').at(-1)!));
  if (path.includes('/send_join/')) {
    assert.deepEqual(query, { omit_members: 'true' });
    join = said as unknown as Pdu;
    return { ...answer(false), state: others(), members_omitted: true, servers_in_room: ['one.test', 'two.test'], event: join };
  }
  if (path.includes('/state/')) {
    assert.deepEqual(query, { event_id: eventIdOf(join!, dag.version) });
    await gate.promise;
    return answer(true);
  }
  for (const pdu of (said?.['pdus'] as Pdu[] | undefined) ?? []) delivered.push({ to: destination, pdu });
  return { pdus: {} };
}

const state = (): Pdu[] => [...dag.stateAfter().values()].map((eventId) => dag.pdu(eventId)!);
const others = (): Pdu[] => state().filter(({ type }) => type !== 'm.room.member');

/** The state before the join and its auth chain, or that of the rest of the state alone. */
function answer(isWhole: boolean): { pdus: Pdu[]; auth_chain: Pdu[] } {
  const pdus = isWhole ? state() : others();
  const chain = new Set(pdus.flatMap(authEventIds));
  for (const eventId of chain) for (const authId of authEventIds(dag.pdu(eventId)!)) chain.add(authId);
  return { pdus, auth_chain: [...chain].map((eventId) => dag.pdu(eventId)!) };
}

function template(userId: string): Record<string, unknown> {
  const draft = { type: 'm.room.member', sender: userId, state_key: userId, content: { membership: 'join' } };
  return { room_version: dag.version.id, event: { ...draft, room_id: dag.roomId, depth: 20, prev_events: [dag.newest], auth_events: authOf(draft), origin_server_ts: 1 } };
}

const authOf = (draft: { type: string; sender: string; state_key?: string; content: Record<string, unknown> }): string[] =>
  authTypesFor(draft, dag.version).flatMap(([type, key]) => dag.stateAfter().get(slotOf(type, key)) ?? []);

before(async () => {
  const federation = { wellKnownServer: '', trustedKeyServers: [], deniedServers: [], allowedServers: [], pendingInvitesMax: 500, caFiles: [], ipDenied: [], ipAllowed: [], overrides: new Map(), retry: { firstMs: 10, maxMs: 100 } };
  world = await createWorld({ federation }, { transport });
  alice = await world.register('alice');
  two = driveByHand(world, { name: 'two.test', key: TEST_KEY });
});
after(() => {
  gate.resolve();
  return world.close();
});

async function until(what: string, reached: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 250; tries += 1) {
    if (await reached()) return;
    await sleep(20);
  }
  assert.fail(what);
}

const isPending = async (promise: Promise<unknown>): Promise<boolean> => (await Promise.race([promise.then(() => 'done'), sleep(300, 'waits')])) === 'waits';
const memberKeys = (events: { type: string; state_key?: string }[]): string[] => events.filter(({ type }) => type === 'm.room.member').map((event) => event.state_key!).sort();

test('a room without its members is used at once, and is a room like any other when they are there', async () => {
  dag = startRoom('11');
  dag.send({ type: 'm.room.name', sender: CREATOR, state_key: '', content: { name: 'Large' } });
  const room = `/rooms/${encode(dag.roomId)}`;
  const lazy = encode(JSON.stringify({ room: { state: { lazy_load_members: true }, timeline: { lazy_load_members: true } } }));
  const sync = (since: string, filter = '') => world.ask(alice, 'GET', `/sync?since=${encode(since)}${filter && `&filter=${filter}`}`);
  const { next_batch: start } = await world.ask(alice, 'GET', '/sync');
  await world.ask(alice, 'POST', `/join/${encode(dag.roomId)}?via=one.test`, {});

  // The room is there for every client, with all that is known of it.
  const [plainFirst, lazyFirst] = [await sync(start), await sync(start, lazy)];
  for (const { rooms } of [plainFirst, lazyFirst]) {
    const joined = rooms.join[dag.roomId];
    assert.deepEqual(joined.timeline.events.map(({ type, state_key: key }: Pdu) => [type, key]), [['m.room.member', alice.userId]]);
    assert.ok(joined.state.events.some(({ type }: Pdu) => type === 'm.room.power_levels'));
    assert.ok(!memberKeys(joined.state.events).includes(BOB));
  }
  const { event_id: sent } = await world.ask(alice, 'PUT', `${room}/send/m.room.message/m1`, { msgtype: 'm.text', body: 'hello' });
  await world.ask(alice, 'PUT', `${room}/typing/${encode(alice.userId)}`, { typing: true, timeout: 1000 });
  await until('all servers in the room have the message', () => ['one.test', 'two.test'].every((to) => delivered.some((one) => one.to === to && eventIdOf(one.pdu, dag.version) === sent)));

  // What needs the members waits.
  const asked = ['members', 'joined_members', 'state', `state/m.room.member/${encode(BOB)}`].map((what) => world.ask(alice, 'GET', `${room}/${what}`));
  assert.ok(await isPending(Promise.race(asked)));
  const kick = world.ask(alice, 'POST', `${room}/kick`, { user_id: BOB }).then(() => 'kicked', (error: Error) => error.message);
  assert.ok(await isPending(kick));

  // Others are sent on, or told why.
  const failure = async (method: string, path: string, body?: unknown): Promise<string> => {
    const { status, body: said } = await two.ask(method, path, body);
    return `${status} ${said.errcode}`;
  };
  assert.equal(await failure('GET', `${FEDERATION}/make_join/${encode(dag.roomId)}/${encode('@new:two.test')}?ver=11`), '404 M_NOT_FOUND');
  assert.equal(await failure('PUT', `${FEDERATION_V2}/send_join/${encode(dag.roomId)}/%24x`, {}), '404 M_NOT_FOUND');
  for (const what of ['state', 'state_ids']) assert.equal(await failure('GET', `${FEDERATION}/${what}/${encode(dag.roomId)}?event_id=${encode(sent)}`), '403 M_UNABLE_DUE_TO_PARTIAL_STATE');

  // What others say is taken, and decided when the members are known.
  const joinId = eventIdOf(join!, dag.version);
  const draft = { type: 'm.room.message', sender: BOB, content: { body: 'from two', msgtype: 'm.text' } };
  const message = two.event(draft, { version: '11', roomId: dag.roomId, prevEvents: [joinId], authEvents: authOf(draft), depth: 21 });
  const stranger = { ...draft, sender: '@mallory:two.test' };
  const forged = two.event(stranger, { version: '11', roomId: dag.roomId, prevEvents: [joinId], authEvents: authOf(stranger), depth: 21 });
  assert.deepEqual((await two.send([message.pdu, forged.pdu])).body, { pdus: { [message.eventId]: {}, [forged.eventId]: {} } });
  const bodies = async (): Promise<string[]> => (await world.ask(alice, 'GET', `${room}/messages?dir=b`)).chunk.filter(({ type }: Pdu) => type === 'm.room.message').map(({ content }: Pdu) => content['body']);
  assert.deepEqual(await bodies(), ['hello']);

  gate.resolve();
  const [members, joinedMembers, whole, bob] = await Promise.all(asked);
  const all = [...MEMBERS, alice.userId].sort();
  assert.deepEqual(memberKeys(members.chunk), all);
  assert.deepEqual(Object.keys(joinedMembers.joined).sort(), all);
  assert.deepEqual([memberKeys(whole), bob.membership], [all, 'join']);
  assert.match(await kick, /403 .*M_FORBIDDEN/);
  await until('the message is seen', async () => (await bodies()).join() === 'from two,hello');

  const [plainAfter, lazyAfter] = [await sync(plainFirst.next_batch), await sync(lazyFirst.next_batch, lazy)];
  assert.deepEqual(memberKeys(plainAfter.rooms.join[dag.roomId].state.events), [...MEMBERS].sort());
  assert.deepEqual(memberKeys(lazyAfter.rooms.join[dag.roomId].state.events), [alice.userId, BOB].sort());
  assert.equal(lazyAfter.rooms.join[dag.roomId].summary['m.joined_member_count'], all.length);
  const { pdu_ids: ids } = (await two.ask('GET', `${FEDERATION}/state_ids/${encode(dag.roomId)}?event_id=${encode(joinId)}`)).body;
  assert.deepEqual([...ids].sort(), [...dag.stateAfter().values()].sort());
  assert.equal((await two.ask('GET', `${FEDERATION}/make_join/${encode(dag.roomId)}/${encode('@new:two.test')}?ver=11`)).status, 200);
});
