/** What clients do in rooms that other servers have to help with: what the room's owner is asked, and how long it may take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClientWorld, type Answer, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';
import { FederationError, type FederationRequest, type FederationTransport } from '../../../pkg/federation/transport.ts';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import type { SendEvent } from '../../../schemas/log/room-input.ts';

const V3 = '/_matrix/client/v3';
const ROOM = `!${'r'.repeat(43)}`;
const ZOE = '@zoe:elsewhere.example';

interface Asked extends SendEvent {
  readonly roomId: string;
  readonly deadlineMs: number | undefined;
}

interface Scene {
  readonly world: ClientWorld;
  readonly alice: Session;
  /** Member events that needed another server. */
  readonly asked: Asked[];
  readonly requests: FederationRequest[];
  /** What the others say, once each; accepted when there is nothing left. */
  readonly refusals: Partial<Outcome>[];
  /** What the other server says of an alias. */
  answer: Record<string, unknown> | FederationError;
}

const encode = encodeURIComponent;
const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;
const ACCEPTED: Outcome = { inputId: '', partition: 0, sequence: 0, result: Buffer.from('{"event_id":"$e"}'), errcode: '', error: '', status: 200, errorFields: new Uint8Array() };

async function scene(work: (scene: Scene) => Promise<void>): Promise<void> {
  const [asked, requests, refusals]: [Asked[], FederationRequest[], Partial<Outcome>[]] = [[], [], []];
  const signedTransport: FederationTransport = {
    request: async (request) => {
      requests.push(request);
      if (all.answer instanceof FederationError) throw all.answer;
      return { status: 200, body: all.answer };
    },
  };
  const world = await createClientWorld({}, [], {
    signedTransport,
    submit: ({ roomId, sendEvent }, wish) => {
      const stateKey = sendEvent?.event.stateKey ?? '';
      if (!sendEvent || (roomId !== ROOM && !roomId.startsWith('!known') && !stateKey.endsWith(':elsewhere.example'))) return undefined;
      asked.push({ ...sendEvent, roomId, deadlineMs: wish?.deadlineMs });
      return Promise.resolve({ ...ACCEPTED, ...refusals.shift() });
    },
  });
  const all: Scene = { world, alice: await world.register('alice'), asked, requests, refusals, answer: {} };
  try {
    await work(all);
  } finally {
    await world.close();
  }
}

async function invitedOutside({ world, alice }: Scene, membership: string, roomId = ROOM): Promise<void> {
  await world.roomDatabase.transaction((tx) => tx.run(
    `INSERT INTO outside_memberships (room_id, user_id, room_version, membership, event_id, sender, json, stripped_state, partition, sequence, input_id)
     VALUES (?, ?, '12', ?, '$i', ?, ?, ?, 0, ?, 'in')`, [roomId, alice.userId, membership, ZOE, Buffer.from('{}'), Buffer.from('[]'), membership.length]));
}

const post = ({ world, alice }: Scene, path: string, body: object = {}): Promise<Answer> => world.call('POST', `${V3}/${path}`, { token: alice.token, body });
const contentOf = (asked: Asked | undefined): unknown => JSON.parse(Buffer.from(asked!.event.content).toString());

test('a join names the servers of the request, then the inviter\'s and the room\'s, and has time', () => scene(async (all) => {
  const joined = await post(all, `join/${encode('!known:room.example')}?server_name=old.example&via=one.example&via=test.example&via=no%20name`);
  assert.deepEqual([joined.status, joined.body], [200, { room_id: '!known:room.example' }]);
  assert.deepEqual(all.asked[0]?.via, ['one.example', 'old.example', 'room.example']);
  assert.equal(all.asked[0]?.deadlineMs, 125_000);
  await invitedOutside(all, 'invite');
  assert.equal((await post(all, `rooms/${encode(ROOM)}/join`, { reason: 'why not' })).status, 200);
  assert.deepEqual(all.asked[1]?.via, ['elsewhere.example']);
  assert.deepEqual(contentOf(all.asked[1]), { membership: 'join', reason: 'why not' });
  assert.deepEqual(all.world.waited.filter((place) => place.startsWith('room')).length, 2, 'the answer waits for the read model');
}));

test('what the other servers say is what the client is told', () => scene(async (all) => {
  all.refusals.push({ status: 403, errcode: 'M_FORBIDDEN', error: 'not you' });
  assert.equal(failure(await post(all, `join/${encode(ROOM)}?via=one.example`)), '403 M_FORBIDDEN');
}));

test('who is invited from outside can get rid of it; who was, needs no other server any more', () => scene(async (all) => {
  await invitedOutside(all, 'invite');
  assert.equal((await post(all, `rooms/${encode(ROOM)}/leave`)).status, 200);
  assert.deepEqual([all.asked[0]?.via, all.asked[0]?.deadlineMs, contentOf(all.asked[0])], [['elsewhere.example'], 125_000, { membership: 'leave' }]);
  await invitedOutside(all, 'leave', '!known:room.example');
  assert.equal((await post(all, `rooms/${encode('!known:room.example')}/leave`)).status, 200);
  assert.deepEqual([all.asked[1]?.via, all.asked[1]?.deadlineMs], [[], undefined]);
}));

test('an alias of another server is asked there; its servers come after those of the request', () => scene(async (all) => {
  all.answer = { room_id: ROOM, servers: ['in.example', 'test.example'] };
  const joined = await post(all, `join/${encode('#pub:alias.example')}?via=one.example`);
  assert.deepEqual([joined.status, joined.body], [200, { room_id: ROOM }]);
  assert.deepEqual(all.asked[0]?.via, ['one.example', 'in.example', 'alias.example']);
  assert.deepEqual(all.requests.map(({ destination, path, query }) => [destination, path, query]), [['alias.example', '/_matrix/federation/v1/query/directory', { room_alias: '#pub:alias.example' }]]);
  const lookUps = [`${V3}/directory/room/${encode('#pub:alias.example')}`, `/_matrix/client/v1/room_summary/${encode('#pub:alias.example')}`];
  for (const [answer, expected] of [
    [new FederationError('http', 'no', { status: 404, errcode: 'M_NOT_FOUND' }), '404 M_NOT_FOUND'],
    [new FederationError('unreachable', 'gone'), '502 M_UNKNOWN'],
    [{ room_id: 5 }, '502 M_UNKNOWN'],
  ] as const) {
    all.answer = answer;
    for (const entering of ['join', 'knock']) assert.equal(failure(await post(all, `${entering}/${encode('#pub:alias.example')}`)), expected);
    for (const path of lookUps) assert.equal(failure(await all.world.call('GET', path, { token: all.alice.token })), '404 M_NOT_FOUND', 'no lookup tells of other servers what the spec does not list');
  }
  assert.equal(failure(await post(all, `join/${encode('#nonsense')}`)), '400 M_INVALID_PARAM');
}));

test('users of other servers are invited, kicked, banned and let in again like others', () => scene(async (all) => {
  const { body: { room_id: roomId } } = await post(all, 'createRoom');
  assert.equal((await post(all, `rooms/${encode(roomId)}/invite`, { user_id: ZOE, reason: 'come' })).status, 200);
  assert.deepEqual([all.asked[0]?.deadlineMs, contentOf(all.asked[0])], [125_000, { membership: 'invite', reason: 'come' }]);
  assert.equal((await post(all, `rooms/${encode(roomId)}/ban`, { user_id: ZOE })).status, 200);
  const put = await all.world.call('PUT', `${V3}/rooms/${encode(roomId)}/state/m.room.member/${ZOE}`, { token: all.alice.token, body: { membership: 'invite' } });
  assert.equal(put.status, 200);
  assert.deepEqual(all.asked.map((asked) => (contentOf(asked) as { membership: string }).membership), ['invite', 'ban', 'invite']);
}));

test('a room is made with invites of users of other servers; one that fails is logged, and the room is there', () => scene(async (all) => {
  const bob = await all.world.register('bob');
  all.refusals.push({}, { status: 502, errcode: 'M_UNKNOWN', error: 'nobody answers' });
  const others = [ZOE, '@yves:elsewhere.example', '@xena:elsewhere.example'];
  const made = await post(all, 'createRoom', { preset: 'trusted_private_chat', room_version: '11', is_direct: true, invite: [others[0], bob.userId, others[1], others[2]] });
  assert.equal(made.status, 200);
  assert.deepEqual(all.asked.map(({ event, roomId }) => [event.stateKey, roomId]), others.map((userId) => [userId, made.body.room_id]));
  assert.deepEqual(contentOf(all.asked[0]), { membership: 'invite', is_direct: true });
  assert.equal((await all.world.state(made.body.room_id, 'm.room.member', bob.userId))?.['membership'], 'invite');
  assert.equal(((await all.world.state(made.body.room_id, 'm.room.power_levels'))?.['users'] as Record<string, number>)[ZOE], 100);
  const warned = all.world.runtime.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields['userId']);
  assert.deepEqual(warned, [others[1]]);
}));
