/** Another server, driven by hand, knocks and invites: what it is told, and what it may not do. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import { buildEvent } from '../../../pkg/matrix/events/build-event.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomIdOfCreateEvent } from '../../../pkg/matrix/ids/room-id.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { verifyEvent } from '../../../pkg/matrix/signing/sign-event.ts';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import { createClock } from '../../../pkg/runtime/real/clock.ts';
import { createKeyServers } from '../../kit/key-servers.ts';
import { CLIENT, createWorld, SERVER, type Account, type Answer, type World } from '../client-server/world.ts';
import { driveByHand, FEDERATION, FEDERATION_V2, type HandServer } from './by-hand.ts';

const servers = createKeyServers(createClock());
const remote = servers.add('remote.test', 1);
const BOB = '@bob:remote.test';
const V12 = roomVersion('12')!;
let world: World;
let alice: Account;
let hand: HandServer;

before(async () => {
  const federation = { wellKnownServer: '', trustedKeyServers: [], deniedServers: [], allowedServers: [], pendingInvitesMax: 500, caFiles: [], ipDenied: [], ipAllowed: [], overrides: new Map(), retry: { firstMs: 10, maxMs: 100 } };
  world = await createWorld({ federation }, { transport: servers.transport });
  alice = await world.register('alice');
  hand = driveByHand(world, remote);
});
after(() => world.close());

const encode = encodeURIComponent;
const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;
const make = (roomId: string, versions = 'ver=11&ver=12', userId = BOB) => hand.ask('GET', `${FEDERATION}/make_knock/${encode(roomId)}/${encode(userId)}?${versions}`);
const send = (roomId: string, { eventId, pdu }: { eventId: string; pdu: unknown }) => hand.ask('PUT', `${FEDERATION}/send_knock/${encode(roomId)}/${encode(eventId)}`, pdu);

async function newRoom(joinRule: string, version = '12'): Promise<string> {
  const initial_state = [{ type: 'm.room.join_rules', content: { join_rule: joinRule } }];
  return (await world.ask(alice, 'POST', '/createRoom', { initial_state, room_version: version, name: 'Tea', topic: 'Leaves' })).room_id;
}

async function knockSeen(roomId: string): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    const { body } = await world.call({ method: 'GET', path: `${CLIENT}/rooms/${encode(roomId)}/state/m.room.member/${encode(BOB)}`, token: alice.token });
    if (body.membership === 'knock') return;
    await sleep(20);
  }
  assert.fail('nobody sees the knock');
}

for (const version of ['7', '12']) {
  test(`version ${version}: who knocks is told of the room by whole events, the one that made it among them`, async () => {
    const roomId = await newRoom('knock', version);
    const knock = await hand.template('knock', roomId, BOB);
    const { status, body } = await send(roomId, knock);
    assert.equal(status, 200, JSON.stringify(body));
    const told = body.knock_room_state as Pdu[];
    assert.deepEqual(told.map(({ type }) => type).sort(), ['m.room.create', 'm.room.join_rules', 'm.room.name', 'm.room.topic']);
    const { keyId, publicKey } = signingKeyFromSeed('1', new Uint8Array(32).fill(9));
    assert.ok(told.every((pdu) => verifyEvent(pdu, roomVersion(version)!, { serverName: SERVER, keyId, publicKey })));
    if (version === '12') assert.equal(roomIdOfCreateEvent(eventIdOf(told.find(({ type }) => type === 'm.room.create')!, V12)), roomId);
    await knockSeen(roomId);
    assert.equal((await send(roomId, knock)).status, 200, 'once more');
  });
}

test('a knock is refused where there is nothing to knock on, and from who may not', async () => {
  assert.equal(failure(await make(await newRoom('invite'))), '403 M_FORBIDDEN');
  assert.equal(failure(await make(await newRoom('knock', '6'), 'ver=6')), '403 M_FORBIDDEN');
  assert.equal(failure(await make('!none:spec.example')), '404 M_NOT_FOUND');
  const roomId = await newRoom('knock');
  const old = await make(roomId, 'ver=7&ver=11');
  assert.deepEqual([failure(old), old.body.room_version], ['400 M_INCOMPATIBLE_ROOM_VERSION', '12']);
  assert.equal(failure(await make(roomId, 'ver=12', '@bob:other.test')), '403 M_FORBIDDEN');
  const knock = await hand.template('knock', roomId, BOB);
  const place = { version: '12', roomId, prevEvents: knock.pdu.prev_events, authEvents: knock.pdu.auth_events, depth: knock.pdu.depth };
  const member = { type: 'm.room.member', sender: BOB, state_key: BOB, content: { membership: 'knock' } };
  const wrong = [
    hand.event({ ...member, content: { membership: 'join' } }, place), hand.event({ ...member, state_key: alice.userId }, place), hand.event({ ...member, type: 'm.room.topic' }, place),
    { ...knock, eventId: `$${'x'.repeat(43)}` }, { ...knock, pdu: { ...knock.pdu, signatures: {} } },
  ];
  for (const event of wrong) assert.equal(failure(await send(roomId, event)), '400 M_INVALID_PARAM');
  await world.ask(alice, 'POST', `/rooms/${encode(roomId)}/ban`, { user_id: BOB });
  assert.equal(failure(await send(roomId, knock)), '403 M_FORBIDDEN');
  assert.equal(failure(await make(roomId)), '403 M_FORBIDDEN');
});

test('an invite to a room whose ID is a hash shows, by whole events, the one that made the room', async () => {
  const draft = { type: 'm.room.create', sender: BOB, state_key: '', content: { room_version: '12' } };
  const create = buildEvent({ version: V12, draft, roomId: undefined, prevEvents: [], authEvents: [], depth: 1, originServerTs: Date.now(), serverName: remote.name, signingKey: remote.key });
  const roomId = roomIdOfCreateEvent(create.eventId);
  const place = { version: '12', roomId, prevEvents: [create.eventId], authEvents: [], depth: 2 };
  const invite = hand.event({ type: 'm.room.member', sender: BOB, state_key: alice.userId, content: { membership: 'invite' } }, place);
  const name = hand.event({ type: 'm.room.name', sender: BOB, state_key: '', content: { name: 'Far' } }, place).pdu;
  const elsewhere = hand.event({ type: 'm.room.name', sender: BOB, state_key: '', content: { name: 'Other' } }, { ...place, roomId: `!${'x'.repeat(43)}` }).pdu;
  const put = (invite_room_state: unknown) => hand.ask('PUT', `${FEDERATION_V2}/invite/${encode(roomId)}/${invite.eventId}`, { room_version: '12', event: invite.pdu, invite_room_state });
  const essence = { type: 'm.room.name', state_key: '', sender: BOB, content: { name: 'Far' } };
  for (const wrong of [undefined, [], [name], [create.pdu, essence], [create.pdu, elsewhere], [create.pdu, { ...name, content: { name: 'Forged' }, signatures: {} }], [create.pdu, 'text']]) {
    assert.equal(failure(await put(wrong)), '400 M_INVALID_PARAM', JSON.stringify(wrong));
  }
  assert.equal(failure(await put('text')), '400 M_BAD_JSON');
  const { status, body } = await put([create.pdu, name]);
  assert.equal(status, 200, JSON.stringify(body));
});

test('a user who takes no invites gets none from other servers', async () => {
  const carol = await world.register('carol');
  await world.ask(carol, 'PUT', `/user/${carol.userId}/account_data/m.invite_permission_config`, { default_action: 'block' });
  const place = { version: '11', roomId: '!far:remote.test', prevEvents: [`$${'p'.repeat(43)}`], authEvents: [`$${'q'.repeat(43)}`], depth: 7 };
  const invite = hand.event({ type: 'm.room.member', sender: BOB, state_key: carol.userId, content: { membership: 'invite' } }, place);
  const answer = await hand.ask('PUT', `${FEDERATION_V2}/invite/${encode(place.roomId)}/${invite.eventId}`, { room_version: '11', event: invite.pdu, invite_room_state: [] });
  assert.equal(failure(answer), '403 M_INVITE_BLOCKED');
});
