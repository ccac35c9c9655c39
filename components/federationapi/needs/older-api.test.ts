/** Servers from before `/v2`: which requests they are sent, and what is made of their answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FederationRequest } from '../../../pkg/federation/transport.ts';
import { FederationError } from '../../../pkg/federation/transport.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { referenceTo } from '../../../pkg/matrix/events/references.ts';
import { addSignature, verifyEvent } from '../../../pkg/matrix/signing/sign-event.ts';
import { needWorld, refusal, type NewNeed, type NeedWorld, type Peer } from '../../../test/kit/need-world.ts';
import { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR, TEST_KEY } from '../../../test/kit/room-state.ts';

const USER = '@user:me.test';
const INVITED = '@dora:old.test';

function room(version: string): RoomDag {
  const dag = new RoomDag(version);
  dag.send({ type: 'm.room.member', sender: CREATOR, state_key: CREATOR, content: { membership: 'join' } });
  dag.send({ type: 'm.room.join_rules', sender: CREATOR, state_key: '', content: { join_rule: 'public' } });
  return dag;
}

/** Answers what is asked of the first version, in a list, and does not know the second. */
function older(answer: (request: FederationRequest) => Record<string, unknown>, unknown: Error = refusal(404, 'M_UNRECOGNIZED')): Peer {
  return (request) => {
    if (request.path.includes('/v2/')) return Promise.reject(unknown);
    if (request.path.includes('/make_')) return answer(request);
    return request.answersInPair === true ? answer(request) : Promise.reject(new Error('the answer is a list'));
  };
}

function membership(dag: RoomDag, wanted: string): NewNeed {
  const body = { userId: USER, membership: wanted, via: ['old.test'], content: Buffer.from(JSON.stringify({ membership: wanted })) };
  return { needId: `n-${wanted}`, roomId: dag.roomId, roomVersion: '', remoteMembership: body };
}

function residentAnswer(dag: RoomDag): (request: FederationRequest) => Record<string, unknown> {
  const pdus = [...dag.stateAfter().values()].map((eventId) => dag.pdu(eventId)!);
  const named = [...dag.stateAfter().values()].map((eventId) => referenceTo({ eventId, pdu: dag.pdu(eventId)! }, dag.version));
  return ({ path }) => {
    const wanted = /make_(join|leave)/.exec(path)?.[1];
    if (wanted === undefined) return path.includes('send_join') ? { state: pdus, auth_chain: pdus } : {};
    const event = { type: 'm.room.member', sender: USER, state_key: USER, room_id: dag.roomId, content: { membership: wanted }, depth: 9, prev_events: named.slice(-1), auth_events: named };
    return { ...(dag.version.id !== '1' && { room_version: dag.version.id }), event };
  };
}

async function withWorld(work: (world: NeedWorld) => Promise<void>): Promise<void> {
  const world = await needWorld();
  try {
    await work(world);
  } finally {
    await world.close();
  }
}

const endpoints = (world: NeedWorld): string[] => world.asked.map((line) => /\/(v\d\/\w+)\//.exec(line)![1]!);

for (const version of ['1', '2', '10']) {
  test(`version ${version}: a join and a leave by a server that does not know /v2`, () => withWorld(async (world) => {
    const dag = room(version);
    world.peers.set('old.test', older(residentAnswer(dag)));
    for (const wanted of ['join', 'leave']) {
      const answer = await world.answerTo(membership(dag, wanted));
      assert.deepEqual([answer?.status, answer?.roomVersion], [200, version], answer?.error);
    }
    assert.deepEqual(endpoints(world), ['v1/make_join', 'v2/send_join', 'v1/send_join', 'v1/make_leave', 'v2/send_leave', 'v1/send_leave']);
  }));
}

test('a refusal of /v2 that is no matter of versions is one', () => withWorld(async (world) => {
  const dag = room('1');
  for (const error of [refusal(403, 'M_FORBIDDEN'), refusal(404, 'M_NOT_FOUND')]) {
    world.peers.set('old.test', older(residentAnswer(dag), error));
    assert.equal((await world.answerTo(membership(dag, 'join')))?.status, error.status);
  }
  assert.ok(!endpoints(world).includes('v1/send_join'));
}));

interface Invitation {
  readonly dag: RoomDag;
  readonly event: Pdu;
  readonly need: NewNeed;
}

function invitation(version: string): Invitation {
  const dag = room(version);
  const { eventId, pdu } = dag.add({ type: 'm.room.member', sender: CREATOR, state_key: INVITED, content: { membership: 'invite' } });
  const strippedState = Buffer.from(JSON.stringify([dag.pdu(dag.createId)]));
  const signInvite = { destination: 'old.test', eventId, pdu: Buffer.from(JSON.stringify(pdu)), strippedState };
  return { dag, event: pdu, need: { needId: 'n-invite', roomId: dag.roomId, roomVersion: version, signInvite } };
}

test('an invite into a room of version 1 or 2 goes to the old endpoint where the new one is not taken: the event, with what describes the room beside it', async () => {
  const answers: [FederationError, string][] = [
    [refusal(404, 'M_UNRECOGNIZED'), '1'], [refusal(400, 'M_UNKNOWN'), '2'], [new FederationError('http', 'old.test answered 404', { status: 404 }), '2'],
  ];
  for (const [error, version] of answers) {
    await withWorld(async (world) => {
      const { dag, event, need } = invitation(version);
      world.peers.set('old.test', older(({ body }) => {
        assert.deepEqual(body, { ...event, unsigned: { invite_room_state: [dag.pdu(dag.createId)] } });
        return { event: addSignature(event, dag.version, 'old.test', TEST_KEY) };
      }, error));
      const answer = await world.answerTo(need);
      assert.equal(answer?.status, 200, answer?.error);
      const signed = JSON.parse(Buffer.from(answer.pdu).toString()) as Pdu;
      assert.ok(verifyEvent(signed, dag.version, { serverName: 'old.test', keyId: TEST_KEY.keyId, publicKey: TEST_KEY.publicKey }));
      assert.deepEqual(endpoints(world), ['v2/invite', 'v1/invite']);
    });
  }
});

test('an invite into a newer room does not', () => withWorld(async (world) => {
  world.peers.set('old.test', older(() => ({}), refusal(400, 'M_INCOMPATIBLE_ROOM_VERSION')));
  const answer = await world.answerTo(invitation('3').need);
  assert.deepEqual([answer?.status, answer?.errcode], [400, 'M_UNSUPPORTED_ROOM_VERSION']);
  assert.deepEqual(endpoints(world), ['v2/invite']);
}));
