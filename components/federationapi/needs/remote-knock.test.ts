/** Knocks by the help of other servers: what they tell of the room is believed as far as it is signed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { referenceTo } from '../../../pkg/matrix/events/references.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { needWorld, refusal, type NewNeed } from '../../../test/kit/need-world.ts';
import { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';

const USER = '@user:me.test';

function knockOn(dag: RoomDag, via = ['one.test']): NewNeed {
  const content = Buffer.from(JSON.stringify({ membership: 'knock', reason: 'hi' }));
  return { needId: 'n#1', roomId: dag.roomId, roomVersion: '', remoteMembership: { userId: USER, membership: 'knock', via, content } };
}

function template(dag: RoomDag, membership: string): Record<string, unknown> {
  const newest = referenceTo({ eventId: dag.newest, pdu: dag.pdu(dag.newest)! }, dag.version);
  const event = { type: 'm.room.member', sender: USER, state_key: USER, room_id: dag.roomId, content: { membership }, depth: 20, prev_events: [newest], auth_events: [newest], origin_server_ts: 1 };
  return { room_version: dag.version.id, event };
}

for (const [version, takesEssence] of [['7', true], ['12', false]] as const) {
  test(`version ${version}: of the description stays what is signed${takesEssence ? ', and what older servers do not sign' : ''}`, async () => {
    const world = await needWorld();
    const dag = new RoomDag(version);
    dag.send({ type: 'm.room.member', sender: CREATOR, state_key: CREATOR, content: { membership: 'join' } });
    const name = dag.add({ type: 'm.room.name', sender: CREATOR, state_key: '', content: { name: 'Tea' } }).pdu;
    const topic = dag.add({ type: 'm.room.topic', sender: CREATOR, state_key: '', content: { topic: 'Cups' } }).pdu;
    const essence = { type: 'm.room.avatar', sender: CREATOR, state_key: '', content: { url: 'mxc://one.test/a' } };
    const forged = { ...topic, content: { topic: 'Coffee' }, signatures: { 'one.test': { 'ed25519:1': 'nonsense' } } };
    const elsewhere = new RoomDag('12', { other: true });
    const foreign = elsewhere.events.get(elsewhere.createId)!.pdu;
    const asked: string[] = [];
    world.peers.set('one.test', ({ method, path, query, json }) => {
      asked.push(`${method} ${path.split('/')[4]!}`);
      if (path.includes('/make_knock/')) {
        assert.ok((query?.['ver'] as string[]).includes('12'));
        return template(dag, 'knock');
      }
      const pdu = JSON.parse(json!) as Pdu;
      assert.deepEqual([pdu.content, Object.keys(pdu.signatures)], [{ membership: 'knock', reason: 'hi' }, ['me.test']]);
      return { knock_room_state: [name, essence, forged, foreign, 'nonsense', { type: 1 }] };
    });
    const answer = await world.answerTo(knockOn(dag));
    assert.deepEqual([answer?.status, answer?.origin, answer?.roomVersion], [200, 'one.test', version], answer?.error);
    assert.deepEqual(asked, ['GET make_knock', 'PUT send_knock']);
    const told = (JSON.parse(Buffer.from(answer!.strippedState!).toString()) as Pdu[]).map((entry) => [entry.type, Object.keys(entry).sort().join()]);
    const keys = 'content,sender,state_key,type';
    assert.deepEqual(told, [['m.room.name', keys], ...(takesEssence ? [['m.room.avatar', keys]] : [])]);
    await world.close();
  });
}

test('a server that says no, or gives the template of something else, is followed by the next', async () => {
  const world = await needWorld();
  const dag = new RoomDag('11');
  world.peers.set('one.test', () => Promise.reject(refusal(403, 'M_FORBIDDEN'))).set('two.test', () => template(dag, 'join'));
  world.peers.set('three.test', ({ path }) => (path.includes('/make_knock/') ? template(dag, 'knock') : {}));
  const answer = await world.answerTo(knockOn(dag, ['one.test', 'two.test', 'three.test']));
  assert.deepEqual([answer?.status, answer?.origin, Buffer.from(answer!.strippedState!).toString()], [200, 'three.test', '[]']);
  const refused = await needWorld();
  refused.peers.set('one.test', () => Promise.reject(refusal(403, 'M_FORBIDDEN')));
  assert.deepEqual((await refused.answerTo(knockOn(dag)))?.errcode, 'M_FORBIDDEN');
  await world.close();
  await refused.close();
});
