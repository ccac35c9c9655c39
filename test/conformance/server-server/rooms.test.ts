/** Another server, driven by hand, joins rooms, talks in them, invites and leaves; and what it may not do. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { authorize } from '../../../pkg/matrix/auth/authorize.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { referenceTo } from '../../../pkg/matrix/events/references.ts';
import { ROOM_VERSIONS, roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { verifyEvent } from '../../../pkg/matrix/signing/sign-event.ts';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import { createClock } from '../../../pkg/runtime/real/clock.ts';
import { eventually } from '../../kit/eventually.ts';
import { createKeyServers } from '../../kit/key-servers.ts';
import { CLIENT, createWorld, SERVER, type Account, type World } from '../client-server/world.ts';
import { driveByHand, FEDERATION, FEDERATION_V2, type HandServer } from './by-hand.ts';

const servers = createKeyServers(createClock());
const remote = servers.add('remote.test', 1);
const other = servers.add('other.test', 2);
const slow = servers.add('slow.test', 3);
const BOB = '@bob:remote.test';
let world: World;
let alice: Account;
let carol: Account;
let hand: HandServer;
let otherHand: HandServer;

before(async () => {
  const federation = { wellKnownServer: '', trustedKeyServers: [], deniedServers: [], allowedServers: [], pendingInvitesMax: 500, caFiles: [], ipDenied: [], ipAllowed: [], overrides: new Map(), retry: { firstMs: 10, maxMs: 100 } };
  world = await createWorld({ federation }, { transport: servers.transport });
  alice = await world.register('alice');
  carol = await world.register('carol');
  hand = driveByHand(world, remote);
  otherHand = driveByHand(world, other);
});
after(() => world.close());

async function newRoom(more: object): Promise<string> {
  return (await world.ask(alice, 'POST', '/createRoom', more)).room_id;
}

const at = (roomId: string, rest: string): string => `/rooms/${encodeURIComponent(roomId)}/${rest}`;

async function bodies(roomId: string): Promise<string[]> {
  const { chunk } = await world.ask(alice, 'GET', at(roomId, 'messages?dir=b&limit=50'));
  return (chunk as { type: string; content: { body: string } }[]).filter(({ type }) => type === 'm.room.message').map(({ content }) => content.body);
}

async function membership(roomId: string): Promise<string> {
  const { status, body } = await world.call({ method: 'GET', path: `${CLIENT}${at(roomId, `state/m.room.member/${encodeURIComponent(BOB)}`)}`, token: alice.token });
  return status === 200 ? body.membership : '';
}

for (const { id } of ROOM_VERSIONS) {
  test(`version ${id}: make_join, send_join, /send, make_leave, send_leave`, async () => {
    const roomId = await newRoom({ preset: 'public_chat', room_version: id, name: 'Open' });
    const joined = await hand.join(roomId, BOB);
    const version = roomVersion(id)!;
    const { state, auth_chain: chain } = joined.answer;
    assert.ok(!state.some((pdu) => pdu.state_key === BOB), 'the state is that before the join');
    const known = new Map([...state, ...chain].map((pdu) => [eventIdOf(pdu, version), pdu]));
    assert.ok([...known.values(), joined.answer.event].flatMap(authEventIds).every((eventId) => known.has(eventId)), 'nothing that events stand on is lacking');
    const lookup = (type: string, stateKey: string) => state.find((pdu) => pdu.type === type && pdu.state_key === stateKey);
    assert.deepEqual(authorize({ event: joined.pdu, version, roomId, state: lookup }), { allowed: true });
    await eventually('the join is seen', async () => await membership(roomId) === 'join');

    const first = hand.message(joined, 'one');
    const second = hand.message(joined, 'two', { prevEvents: [referenceTo(first, version)], depth: first.pdu.depth + 1 });
    const { status, body } = await hand.send([first.pdu, second.pdu]);
    assert.deepEqual([status, body], [200, { pdus: { [first.eventId]: {}, [second.eventId]: {} } }]);
    await eventually('both are in the timeline', async () => (await bodies(roomId)).join() === 'two,one');

    const leave = await hand.template('leave', roomId, BOB);
    const [api, answered] = version.eventFormat === 'pairs' ? [FEDERATION, [200, {}]] : [FEDERATION_V2, {}];
    const left = await hand.ask('PUT', `${api}/send_leave/${encodeURIComponent(roomId)}/${encodeURIComponent(leave.eventId)}`, leave.pdu);
    assert.deepEqual([left.status, left.body], [200, answered]);
    await eventually('the leave is seen', async () => await membership(roomId) === 'leave');
    const after = hand.message(joined, 'three', { prevEvents: [referenceTo(leave, version)], depth: leave.pdu.depth + 1 });
    await hand.send([after.pdu]);
    await world.ask(alice, 'PUT', at(roomId, 'send/m.room.message/end'), { msgtype: 'm.text', body: 'end' });
    assert.deepEqual(await bodies(roomId), ['end', 'two', 'one']);
  });
}

for (const id of ['1', '12']) {
  test(`version ${id}: send_join leaves out members where the server says that it takes that`, async () => {
    const version = roomVersion(id)!;
    const named = await newRoom({ preset: 'public_chat', room_version: id, name: 'Open' });
    const nameless = await newRoom({ preset: 'public_chat', room_version: id });
    for (const roomId of [named, nameless]) await world.ask(carol, 'POST', `/join/${encodeURIComponent(roomId)}`, {});
    const ask = async (roomId: string, query: string) => {
      const made = await hand.template('join', roomId, BOB);
      return { made, sent: await hand.ask('PUT', `${FEDERATION_V2}/send_join/${encodeURIComponent(roomId)}/${encodeURIComponent(made.eventId)}${query}`, made.pdu) };
    };
    assert.deepEqual((await ask(named, '?omit_members=yes')).sent.body.errcode, 'M_INVALID_PARAM');
    for (const [roomId, heroes] of [[named, []], [nameless, [alice.userId, carol.userId]]] as const) {
      const { made, sent: { status, body } } = await ask(roomId, '?omit_members=true');
      assert.equal(status, 200);
      assert.deepEqual([body.members_omitted, body.servers_in_room, body.event.sender], [true, [SERVER], BOB]);
      const state: Pdu[] = body.state;
      const idOf = (pdu: Pdu): string => eventIdOf(pdu, version);
      assert.deepEqual(state.filter(({ type }) => type === 'm.room.member').map((pdu) => pdu.state_key).sort(), [...heroes].sort());
      // All the rest of the state is there, once, and nothing lacks what it stands on.
      const whole = (await hand.ask('GET', `${FEDERATION}/state/${encodeURIComponent(roomId)}?event_id=${encodeURIComponent(made.eventId)}`)).body.pdus as Pdu[];
      const others = (pdus: Pdu[]): string[] => pdus.filter(({ type }) => type !== 'm.room.member').map(idOf).sort();
      assert.deepEqual(others(state), others(whole));
      const chain = (body.auth_chain as Pdu[]).map(idOf);
      const known = new Set([...state.map(idOf), ...chain]);
      assert.ok([...state, ...body.auth_chain, made.pdu].flatMap(authEventIds).every((eventId) => known.has(eventId)), 'nothing that events stand on is lacking');
      assert.ok(chain.every((eventId) => !state.map(idOf).includes(eventId)), 'nothing comes twice');
    }
    const again = await ask(named, '?omit_members=false');
    assert.deepEqual([again.sent.status, again.sent.body.members_omitted, again.sent.body.servers_in_room], [200, false, undefined]);
  });
}

test('in a transaction each event stands for itself', async () => {
  const roomId = await newRoom({ preset: 'public_chat' });
  const joined = await hand.join(roomId, BOB);
  const closed = await newRoom({ preset: 'public_chat' });
  await world.ask(alice, 'PUT', at(closed, 'state/m.room.server_acl/'), { allow: ['*'], deny: ['remote.test'] });
  const good = hand.message(joined, 'good');
  const tampered = { ...hand.message(joined, 'tampered').pdu, depth: 99 };
  const forged = { ...driveByHand(world, { ...remote, key: signingKeyFromSeed('k1', new Uint8Array(32).fill(8)) }).message(joined, 'forged').pdu };
  const elsewhere = hand.message({ ...joined, roomId: closed }, 'shut out');
  const unknown = hand.message({ ...joined, roomId: `!${'x'.repeat(43)}` }, 'nowhere');
  const { status, body } = await hand.send([tampered, 'nonsense', forged, good.pdu, elsewhere.pdu, unknown.pdu, good.pdu]);
  assert.equal(status, 200);
  assert.deepEqual(body.pdus[good.eventId], {});
  const ids = [tampered, forged].map((pdu) => eventIdOf(pdu, roomVersion('12')!));
  for (const eventId of [...ids, elsewhere.eventId]) assert.ok(typeof body.pdus[eventId].error === 'string', JSON.stringify(body));
  assert.equal(Object.keys(body.pdus).length, 4);
  await eventually('the good one arrives', async () => (await bodies(roomId)).join() === 'good');
});

test('what comes twice is in the timeline once, and the same transaction gets the same answer', async () => {
  const roomId = await newRoom({ preset: 'public_chat' });
  const joined = await hand.join(roomId, BOB);
  const one = hand.message(joined, 'once');
  const answers = await Promise.all([hand.send([one.pdu], 'same'), hand.send([one.pdu], 'same'), hand.send([one.pdu], 'another')]);
  assert.deepEqual(answers.map(({ body }) => body), Array(3).fill({ pdus: { [one.eventId]: {} } }));
  const two = hand.message(joined, 'two', { prevEvents: [one.eventId], depth: one.pdu.depth + 1 });
  assert.deepEqual((await hand.send([two.pdu], 'same')).body, answers[0]!.body, 'a transaction ID stands for what it was first used for');
  await hand.send([two.pdu]);
  await eventually('both arrive', async () => (await bodies(roomId)).join() === 'two,once');
});

test('events of a server whose keys cannot be had are kept, and come when they can', async () => {
  const roomId = await newRoom({ preset: 'public_chat' });
  const joined = await hand.join(roomId, BOB);
  slow.away = true;
  const event = driveByHand(world, slow).event(
    { type: 'm.room.message', sender: '@sam:slow.test', content: { body: 'late' } }, { version: '12', roomId, prevEvents: [joined.eventId], authEvents: joined.pdu.auth_events, depth: 9 });
  assert.deepEqual((await hand.send([event.pdu])).body, { pdus: { [event.eventId]: {} } });
});

test('a restricted room: who is in the allowed room is let in by a member here, and others are not', async () => {
  const club = await newRoom({ preset: 'public_chat' });
  const rules = { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: club }] };
  const roomId = await newRoom({ preset: 'private_chat', initial_state: [{ type: 'm.room.join_rules', state_key: '', content: rules }] });
  const make = `${FEDERATION}/make_join/${encodeURIComponent(roomId)}/${encodeURIComponent(BOB)}?ver=12`;
  const refused = await hand.ask('GET', make);
  assert.deepEqual([refused.status, refused.body.errcode], [403, 'M_FORBIDDEN']);
  await hand.join(club, BOB);
  const made = await hand.ask('GET', make);
  assert.equal(made.body.event.content.join_authorised_via_users_server, alice.userId);
  const joined = await hand.join(roomId, BOB);
  const ownKey = signingKeyFromSeed('1', new Uint8Array(32).fill(9));
  assert.ok(verifyEvent(joined.answer.event, roomVersion('12')!, { serverName: SERVER, keyId: ownKey.keyId, publicKey: ownKey.publicKey }), 'this server has signed the join');

  const place = { version: '12', roomId, prevEvents: [joined.eventId], authEvents: joined.pdu.auth_events, depth: joined.pdu.depth + 1 };
  const eve = '@eve:remote.test';
  const sneaky = hand.event({ type: 'm.room.member', sender: eve, state_key: eve, content: { membership: 'join', join_authorised_via_users_server: alice.userId } }, place);
  const answer = await hand.ask('PUT', `${FEDERATION_V2}/send_join/${encodeURIComponent(roomId)}/${sneaky.eventId}`, sneaky.pdu);
  assert.deepEqual([answer.status, answer.body.errcode], [403, 'M_FORBIDDEN'], 'the conditions count when it is signed');

  const unknown = await newRoom({ initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { ...rules, allow: [{ type: 'm.room_membership', room_id: '!unknown:a.test' }] } }] });
  const unsure = await hand.ask('GET', `${FEDERATION}/make_join/${encodeURIComponent(unknown)}/${encodeURIComponent(BOB)}?ver=12`);
  assert.deepEqual([unsure.status, unsure.body.errcode], [400, 'M_UNABLE_TO_AUTHORISE_JOIN']);
});

test('who is banned, not invited or shut out does not come in, whatever they send', async () => {
  const roomId = await newRoom({ preset: 'public_chat' });
  const made = await hand.template('join', roomId, BOB);
  await world.ask(alice, 'POST', at(roomId, 'ban'), { user_id: BOB });
  const send = () => hand.ask('PUT', `${FEDERATION_V2}/send_join/${encodeURIComponent(roomId)}/${made.eventId}`, made.pdu);
  const make = () => hand.ask('GET', `${FEDERATION}/make_join/${encodeURIComponent(roomId)}/${encodeURIComponent(BOB)}?ver=12`);
  for (const { status, body } of [await send(), await make()]) assert.deepEqual([status, body.errcode], [403, 'M_FORBIDDEN']);
  await world.ask(alice, 'PUT', at(roomId, 'state/m.room.server_acl/'), { allow: ['*'], deny: ['remote.test'] });
  for (const { status, body } of [await send(), await make()]) assert.deepEqual([status, body.errcode], [403, 'M_FORBIDDEN']);
});

test('an invite is signed and shown to the user; one for nobody, or of another server, is refused', async () => {
  const roomId = '!far:remote.test';
  const place = { version: '11', roomId, prevEvents: [`$${'p'.repeat(43)}`], authEvents: [`$${'q'.repeat(43)}`], depth: 7 };
  const invite = (target: string, by = BOB) => hand.event({ type: 'm.room.member', sender: by, state_key: target, content: { membership: 'invite' } }, place);
  const put = (event: ReturnType<typeof invite>, how = hand) =>
    how.ask('PUT', `${FEDERATION_V2}/invite/${encodeURIComponent(roomId)}/${event.eventId}`, {
      room_version: '11', event: event.pdu, invite_room_state: [{ type: 'm.room.name', state_key: '', sender: BOB, content: { name: 'Far away' } }, 'nonsense'],
    });
  const event = invite(alice.userId);
  const { status, body } = await put(event);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual({ ...body.event, signatures: null }, { ...event.pdu, signatures: null });
  const ownKey = signingKeyFromSeed('1', new Uint8Array(32).fill(9));
  assert.ok(verifyEvent(body.event, roomVersion('11')!, { serverName: SERVER, keyId: ownKey.keyId, publicKey: ownKey.publicKey }));
  await eventually('the user sees it', async () => {
    const { rooms } = await world.ask(alice, 'GET', '/sync');
    return rooms?.invite?.[roomId]?.invite_state.events.some(({ content }: { content: { name?: string } }) => content.name === 'Far away') === true;
  });
  const nobody = await put(invite(`@nobody:${SERVER}`));
  assert.deepEqual([nobody.status, nobody.body.errcode], [403, 'M_FORBIDDEN']);
  for (const [wrong, how] of [[invite('@carl:elsewhere.test'), hand], [event, otherHand]] as const) {
    const answer = await put(wrong, how);
    assert.deepEqual([answer.status, answer.body.errcode], [400, 'M_INVALID_PARAM']);
  }
});

test('events of this server that come back are known as its own', async () => {
  const roomId = await newRoom({ preset: 'public_chat', room_version: '11' });
  await hand.join(roomId, BOB);
  const { event_id: eventId } = (await world.call({ method: 'PUT', path: `${CLIENT}${at(roomId, 'send/m.room.message/own')}`, token: alice.token, body: { body: 'own' } })).body;
  const [pdu] = (await hand.ask('GET', `${FEDERATION}/event/${encodeURIComponent(eventId)}`)).body.pdus;
  assert.deepEqual((await hand.send([pdu])).body, { pdus: { [eventId]: {} } });
});
