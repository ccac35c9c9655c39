/** The server speaks to its users: one room for each, which cannot be turned down. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClientWorld, type Answer, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';
const PATH = '/_synapse/admin/v1/send_server_notice';
const SENDER = '@notices:test.example';
const SERVER_NOTICES = { localpart: 'notices', displayName: 'The server', roomName: 'From the server', avatarUrl: 'mxc://test.example/face' };
const NOTICE = { msgtype: 'm.text', body: 'We close at ten.' };

interface Scene {
  readonly world: ClientWorld;
  readonly root: Session;
  readonly bob: Session;
}

async function scene(work: (scene: Scene) => Promise<void>, settings: Parameters<typeof createClientWorld>[0] = { serverNotices: SERVER_NOTICES }): Promise<void> {
  const world = await createClientWorld(settings);
  try {
    const root = await world.register('root');
    await world.userDatabase.transaction((tx) => tx.run('UPDATE accounts SET admin = 1 WHERE user_id = ?', [root.userId]));
    await work({ world, root, bob: await world.register('bob') });
  } finally {
    await world.close();
  }
}

const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;
const inRoom = (roomId: string, rest: string): string => `${V3}/rooms/${encodeURIComponent(roomId)}/${rest}`;
const notify = ({ world, root, bob }: Scene, more: object = {}, token = root.token): Promise<Answer> => world.call('POST', PATH, { token, body: { user_id: bob.userId, content: NOTICE, ...more } });

function noticeRooms({ world, bob }: Scene): string[] {
  const tagged = world.userOutputs().filter(({ userId, accountData }) => userId === bob.userId && accountData?.type === 'm.tag');
  return tagged.map(({ accountData }) => accountData!.roomId);
}

test('the first notice makes a room, invites the user and tags it; the next ones are said there', () => scene(async (all) => {
  const { world, bob } = all;
  assert.match((await notify(all)).body.event_id, /^\$/);
  const [roomId] = noticeRooms(all);
  assert.equal((await world.state(roomId!, 'm.room.member', bob.userId))?.['membership'], 'invite');
  assert.deepEqual(await world.state(roomId!, 'm.room.member', SENDER), { membership: 'join', displayname: 'The server', avatar_url: SERVER_NOTICES.avatarUrl });
  assert.deepEqual([await world.state(roomId!, 'm.room.name'), await world.state(roomId!, 'm.room.avatar')], [{ name: 'From the server' }, { url: SERVER_NOTICES.avatarUrl }]);
  assert.equal((await world.state(roomId!, 'm.room.create'))?.['m.federate'], false);
  const tag = world.userOutputs().find(({ accountData }) => accountData?.type === 'm.tag');
  assert.deepEqual(JSON.parse(Buffer.from(tag!.accountData!.content).toString()), { tags: { 'm.server_notice': {} } });
  assert.equal((await world.call('POST', inRoom(roomId!, 'join'), { token: bob.token })).status, 200);
  assert.equal(failure(await world.call('PUT', inRoom(roomId!, 'send/m.room.message/t'), { token: bob.token, body: NOTICE })), '403 M_FORBIDDEN');
  assert.equal((await notify(all, { type: 'm.room.pinned_events', state_key: '', content: { pinned: [] } })).status, 200);
  assert.deepEqual(await world.state(roomId!, 'm.room.pinned_events'), { pinned: [] });
  assert.deepEqual(noticeRooms(all), [roomId]);
}));

test('the invite cannot be turned down; who has joined may leave, and the next notice invites them to the same room', () => scene(async (all) => {
  const { world, bob } = all;
  await notify(all);
  const [roomId] = noticeRooms(all);
  const asState = { token: bob.token, body: { membership: 'leave' } };
  assert.equal(failure(await world.call('POST', inRoom(roomId!, 'leave'), { token: bob.token })), '403 M_CANNOT_LEAVE_SERVER_NOTICE_ROOM');
  assert.equal(failure(await world.call('PUT', inRoom(roomId!, `state/m.room.member/${bob.userId}`), asState)), '403 M_CANNOT_LEAVE_SERVER_NOTICE_ROOM');
  await world.call('POST', inRoom(roomId!, 'join'), { token: bob.token });
  assert.equal((await world.call('POST', inRoom(roomId!, 'leave'), { token: bob.token })).status, 200);
  await notify(all);
  assert.equal((await world.state(roomId!, 'm.room.member', bob.userId))?.['membership'], 'invite');
  assert.deepEqual(noticeRooms(all), [roomId]);
}));

test('many first notices at once make one room that the user hears of; a transaction ID sends one notice', () => scene(async (all) => {
  const { world, root, bob } = all;
  const answers = await Promise.all(Array.from({ length: 5 }, () => notify(all)));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200, 200]);
  assert.equal(noticeRooms(all).length, 1);
  const put = () => world.call('PUT', `${PATH}/once`, { token: root.token, body: { user_id: bob.userId, content: NOTICE } });
  assert.deepEqual((await put()).body, (await put()).body);
}));

test('only administrators speak for the server, only to users that it has, and only where the operator has said by whom', async () => {
  await scene(async (all) => {
    const { world, root, bob } = all;
    assert.equal(failure(await notify(all, {}, bob.token)), '403 M_FORBIDDEN');
    assert.equal(failure(await world.call('POST', PATH, { body: {} })), '401 M_MISSING_TOKEN');
    assert.equal(failure(await notify(all, { user_id: '@nobody:test.example' })), '404 M_NOT_FOUND');
    assert.equal(failure(await notify(all, { user_id: '@carol:elsewhere.example' })), '400 M_UNKNOWN');
    assert.equal(failure(await notify(all, { content: 'text' })), '400 M_BAD_JSON');
    assert.equal(failure(await world.call('POST', PATH, { token: root.token, body: { content: {} } })), '400 M_MISSING_PARAM');
    assert.equal(world.rooms.outputs.length, 0);
    await world.register('notices');
    assert.equal(failure(await notify(all)), '400 M_USER_IN_USE', 'a person with that name cannot speak for the server');
  });
  await scene(async (all) => assert.equal(failure(await notify(all)), '400 M_UNKNOWN'), {});
});
