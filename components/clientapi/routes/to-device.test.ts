import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { createClientWorld, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';

const SEND = '/_matrix/client/v3/sendToDevice';

async function waiting(world: ClientWorld, { userId, deviceId }: Session): Promise<unknown[]> {
  const messages = await world.userQuery.toDevice({ userId, deviceId }, { after: 0, upTo: 1_000_000, limit: 1000 });
  return messages.map(({ event }) => JSON.parse(event) as unknown);
}

test('messages reach the devices that they name, once for each transaction ID', async () => {
  const world = await createClientWorld();
  const [alice, bob] = [await world.register('alice'), await world.register('bob')];
  const send = (txnId: string, messages: object) => world.call('PUT', `${SEND}/m.test/${txnId}`, { token: alice.token, body: { messages } });
  const answer = await send('1', { [bob.userId]: { [bob.deviceId]: { n: 1.5 } }, [alice.userId]: { '*': { n: 2 }, NONE: { n: 3 } } });
  assert.deepEqual([answer.status, answer.body], [200, {}]);
  assert.deepEqual(await waiting(world, bob), [{ content: { n: 1.5 }, sender: alice.userId, type: 'm.test' }]);
  assert.deepEqual(await waiting(world, alice), [{ content: { n: 2 }, sender: alice.userId, type: 'm.test' }]);
  await send('1', { [bob.userId]: { [bob.deviceId]: { n: 4 } } });
  assert.equal((await waiting(world, bob)).length, 1);
  await send('2', { [bob.userId]: { [bob.deviceId]: { n: 4 } } });
  assert.equal((await waiting(world, bob)).length, 2);
  // By another user, the same ID is another transaction.
  await world.call('PUT', `${SEND}/m.test/1`, { token: bob.token, body: { messages: { [bob.userId]: { [bob.deviceId]: { n: 5 } } } } });
  assert.equal((await waiting(world, bob)).length, 3);
  await world.close();
});

test('an answer waits until the read model has heard of all of it', async () => {
  const world = await createClientWorld();
  const users = await Promise.all(['alice', 'bob', 'carol', 'dora', 'eve'].map((name) => world.register(name)));
  const before = world.waited.length;
  await world.call('PUT', `${SEND}/m.test/1`, { token: users[0]!.token, body: { messages: Object.fromEntries(users.map(({ userId }) => [userId, { '*': {} }])) } });
  const told = world.users.outputs.slice(-(world.waited.length - before));
  assert.deepEqual(world.waited.slice(before).sort(), told.map(({ partition, sequence }) => `user-output ${partition} ${sequence}`).sort());
  assert.ok(told.length >= 2);
  await world.close();
});

test('messages for other servers leave as EDUs, one each, whose IDs are the same for the same request', async () => {
  const world = await createClientWorld();
  const alice = await world.register('alice');
  const messages = { '@bob:b.example': { PHONE: { z: 2, n: 2 }, '*': { n: 1 } }, '@carol:b.example': { PC: { n: 3 } }, '@dora:c.example:8448': { PC: { n: 4 } } };
  const leaving = () => world.userOutputs().flatMap(({ toDeviceLeaving }) => toDeviceLeaving?.messages ?? []).map(({ destination, content }) => ({ destination, ...(JSON.parse(Buffer.from(content).toString()) as Record<string, unknown>) }));
  await world.call('PUT', `${SEND}/m.test/1`, { token: alice.token, body: { messages } });
  const [toB, toC] = leaving() as unknown as { message_id: string }[];
  const { '@dora:c.example:8448': toDora, ...others } = messages;
  assert.deepEqual(toB, { destination: 'b.example', sender: alice.userId, type: 'm.test', message_id: toB!.message_id, messages: others });
  assert.deepEqual(toC, { destination: 'c.example:8448', sender: alice.userId, type: 'm.test', message_id: toC!.message_id, messages: { '@dora:c.example:8448': toDora } });
  for (const { toDeviceLeaving } of world.userOutputs()) for (const { content } of toDeviceLeaving?.messages ?? []) assert.equal(Buffer.from(content).toString(), canonicalJson(JSON.parse(Buffer.from(content).toString())));
  assert.ok([...toB!.message_id].length <= 32 && toB!.message_id !== toC!.message_id);
  await world.call('PUT', `${SEND}/m.test/1`, { token: alice.token, body: { messages } });
  assert.equal(leaving().length, 2);
  await world.close();
});

test('keys for thousands of devices go in inputs and EDUs of bounded size', async () => {
  const world = await createClientWorld();
  const alice = await world.register('alice');
  const many = (domain: string) => Object.fromEntries(Array.from({ length: 700 }, (_, n) => [`@user${n}:${domain}`, { DEVICE: { ciphertext: `${n}${'x'.repeat(1000)}` } }]));
  const { status } = await world.call('PUT', `${SEND}/m.room.encrypted/1`, { token: alice.token, body: { messages: { ...many('test.example'), ...many('b.example') } } });
  assert.equal(status, 200);
  const inputs = world.users.inputs.filter(({ sendToDevice, sendToServers }) => sendToDevice ?? sendToServers);
  assert.ok(inputs.length > 6);
  assert.equal(inputs.reduce((sum, { sendToDevice }) => sum + (sendToDevice?.targets.length ?? 0), 0), 700);
  const edus = inputs.flatMap(({ sendToServers }) => sendToServers?.servers ?? []);
  assert.ok(edus.every(({ messages }) => messages.length < 60_000));
  assert.equal(edus.reduce((sum, { messages }) => sum + Object.keys(JSON.parse(Buffer.from(messages).toString()) as object).length, 0), 700);
  assert.equal(new Set(edus.map(({ messageId }) => messageId)).size, edus.length);
  await world.close();
});

test('what no message can be is refused', async () => {
  const world = await createClientWorld();
  const alice = await world.register('alice');
  const refusal = async (body: unknown, type = 'm.test') => {
    const answer = await world.call('PUT', `${SEND}/${type}/1`, { token: alice.token, body });
    return [answer.status, (answer.body as { errcode: string }).errcode];
  };
  assert.deepEqual(await refusal({}), [400, 'M_MISSING_PARAM']);
  assert.deepEqual(await refusal({ messages: [] }), [400, 'M_BAD_JSON']);
  assert.deepEqual(await refusal({ messages: { [alice.userId]: { '*': 'text' } } }), [400, 'M_BAD_JSON']);
  assert.deepEqual(await refusal({ messages: { alice: { '*': {} } } }), [400, 'M_INVALID_PARAM']);
  assert.deepEqual(await refusal({ messages: { [alice.userId]: { '*': { text: 'x'.repeat(70_000) } } } }), [413, 'M_TOO_LARGE']);
  assert.deepEqual(await refusal({ messages: { '@bob:b.example': { '*': { n: 1.5 } } } }), [400, 'M_BAD_JSON']);
  assert.deepEqual(await refusal({ messages: { '@bob:b.example': { '\ud800': {} } } }), [400, 'M_BAD_JSON']);
  assert.deepEqual(await refusal({ messages: {} }, 'x'.repeat(256)), [413, 'M_TOO_LARGE']);
  await world.close();
});
