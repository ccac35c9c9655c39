/** Two whole servers: knocks by way of the other one, restricted joins, and invites that are not wanted. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../../kit/eventually.ts';
import { createServerNetwork, type Body, type NetworkServer } from '../../kit/server-network.ts';

const CLIENT = '/_matrix/client/v3';
const BOB = '@bob:b.test';
const network = createServerNetwork();
let a: NetworkServer;
let b: NetworkServer;
let alice: string;
let bob: string;

before(async () => {
  a = await network.add('a.test');
  b = await network.add('b.test');
  alice = await a.register('alice');
  bob = await b.register('bob');
});
after(() => network.close());

const room = (roomId: string, rest: string): string => `${CLIENT}/rooms/${encodeURIComponent(roomId)}/${rest}`;

async function createRoom(body: object): Promise<string> {
  return ((await a.call('POST', `${CLIENT}/createRoom`, { token: alice, body })) as { room_id: string }).room_id;
}

const withRule = (content: object, version = '12') => createRoom({ name: 'Tea', room_version: version, initial_state: [{ type: 'm.room.join_rules', content }] });
const knock = (roomId: string, expected = 200, body: object = {}): Promise<Body> => b.call('POST', `${CLIENT}/knock/${encodeURIComponent(roomId)}?via=a.test`, { token: bob, body, expected });
const join = (roomId: string, expected = 200): Promise<Body> => b.call('POST', `${CLIENT}/join/${encodeURIComponent(roomId)}?via=a.test`, { token: bob, body: {}, expected });
const bobIn = async (roomId: string): Promise<string | undefined> => (await a.call('GET', room(roomId, `state/m.room.member/${encodeURIComponent(BOB)}`), { token: alice })).membership;
const syncOf = async (section: string, since?: string): Promise<Body> => (await b.call('GET', `${CLIENT}/sync${since === undefined ? '' : `?since=${since}`}`, { token: bob })).rooms?.[section] ?? {};

for (const version of ['7', '11', '12']) {
  test(`version ${version}: a knock goes through the other server, shows the room, and ends in an invite and a join`, async () => {
    const roomId = await withRule({ join_rule: 'knock' }, version);
    assert.equal((await knock(roomId, 200, { reason: 'may I?' })).room_id, roomId);
    assert.equal(await bobIn(roomId), 'knock');
    const { events } = (await syncOf('knock'))[roomId].knock_state as { events: { type: string; state_key: string; content: Record<string, unknown> }[] };
    const told = new Map(events.map(({ type, content }) => [type, content]));
    assert.deepEqual([told.get('m.room.name')?.['name'], told.get('m.room.member')?.['membership'], told.get('m.room.member')?.['reason']], ['Tea', 'knock', 'may I?']);
    assert.equal(told.get('m.room.create')?.['room_version'], version);
    assert.ok(events.every((event) => Object.keys(event).sort().join() === 'content,sender,state_key,type'), 'only what stripped state has');
    await a.call('POST', room(roomId, 'invite'), { token: alice, body: { user_id: BOB } });
    await eventually('the invite takes the place of the knock', async () => Object.hasOwn(await syncOf('invite'), roomId) && !Object.hasOwn(await syncOf('knock'), roomId));
    await join(roomId);
    await eventually('a sees the join', async () => (await bobIn(roomId)) === 'join');
    await b.call('POST', room(roomId, 'leave'), { token: bob, body: {} });
  });
}

test('a knock can be taken back, by alias or ID; the other server is told by the one that had taken it', async () => {
  const roomId = await withRule({ join_rule: 'knock' });
  await a.call('PUT', `${CLIENT}/directory/room/${encodeURIComponent('#door:a.test')}`, { token: alice, body: { room_id: roomId } });
  assert.equal((await b.call('POST', `${CLIENT}/knock/${encodeURIComponent('#door:a.test')}`, { token: bob, body: {} })).room_id, roomId);
  const { next_batch: since } = await b.call('GET', `${CLIENT}/sync`, { token: bob });
  await b.call('POST', room(roomId, 'leave'), { token: bob, body: {} });
  assert.equal(await bobIn(roomId), 'leave');
  assert.ok(Object.hasOwn(await syncOf('leave', since), roomId));
  assert.ok(!Object.hasOwn(await syncOf('knock'), roomId));
});

test('an invite that is withdrawn, and a knock that is turned down, are seen to be over by the user elsewhere', async () => {
  const roomId = await withRule({ join_rule: 'knock' });
  for (const [begin, section] of [[() => a.call('POST', room(roomId, 'invite'), { token: alice, body: { user_id: BOB } }), 'invite'], [() => knock(roomId), 'knock']] as const) {
    await begin();
    await eventually(`the ${section} is seen`, async () => Object.hasOwn(await syncOf(section), roomId));
    const { next_batch: since } = await b.call('GET', `${CLIENT}/sync`, { token: bob });
    await a.call('POST', room(roomId, 'kick'), { token: alice, body: { user_id: BOB, reason: 'no' } });
    await eventually(`the ${section} is over`, async () => Object.hasOwn(await syncOf('leave', since), roomId));
    assert.ok(!Object.hasOwn(await syncOf(section), roomId));
  }
});

test('who may not knock, or knocks nowhere, is told so', async () => {
  const closed = await createRoom({ preset: 'private_chat' });
  assert.equal((await knock(closed, 403)).errcode, 'M_FORBIDDEN');
  const banned = await withRule({ join_rule: 'knock' });
  await a.call('POST', room(banned, 'ban'), { token: alice, body: { user_id: BOB } });
  assert.equal((await knock(banned, 403)).errcode, 'M_FORBIDDEN');
  assert.equal((await knock('!nowhere:a.test', 404)).errcode, 'M_NOT_FOUND');
  assert.equal((await b.call('POST', `${CLIENT}/knock/${encodeURIComponent(`!${'x'.repeat(43)}`)}`, { token: bob, body: {}, expected: 404 })).errcode, 'M_NOT_FOUND');
});

for (const [rule, version] of [['restricted', '8'], ['restricted', '12'], ['knock_restricted', '10'], ['knock_restricted', '12']] as const) {
  test(`${rule} in version ${version}: members of the room that is named come in by the other server's word, others do not`, async () => {
    const space = await createRoom({ preset: 'public_chat' });
    const roomId = await withRule({ join_rule: rule, allow: [{ type: 'm.room_membership', room_id: space }] }, version);
    assert.equal((await join(roomId, 403)).errcode, 'M_FORBIDDEN');
    if (rule === 'knock_restricted') await knock(roomId);
    await join(space);
    await join(roomId);
    const member = await b.call('GET', `${room(roomId, 'state')}`, { token: bob }) as { state_key: string; type: string; content: Record<string, unknown> }[];
    const own = member.find(({ type, state_key: key }) => type === 'm.room.member' && key === BOB);
    assert.deepEqual([own?.content['membership'], own?.content['join_authorised_via_users_server']], ['join', '@alice:a.test']);
    await eventually('a has it too', async () => (await bobIn(roomId)) === 'join');
  });
}

test('a user who takes no invites gets none, from here or elsewhere, until they do again', async () => {
  const config = `${CLIENT}/user/${encodeURIComponent(BOB)}/account_data/m.invite_permission_config`;
  await b.call('PUT', config, { token: bob, body: { default_action: 'block' } });
  const roomId = await createRoom({});
  assert.equal((await a.call('POST', room(roomId, 'invite'), { token: alice, body: { user_id: BOB }, expected: 403 })).errcode, 'M_INVITE_BLOCKED');
  await b.call('PUT', config, { token: bob, body: {} });
  await a.call('POST', room(roomId, 'invite'), { token: alice, body: { user_id: BOB } });
  assert.equal(await bobIn(roomId), 'invite');
});
