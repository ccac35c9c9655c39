import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, BOB, json, openUserapi, PARTITION, registration, deviceWith, type UserDriver, type Wish } from '../../../test/kit/user-driver.ts';
import type { ToDeviceTarget } from '../../../schemas/log/user-input.ts';

const to = (targets: readonly (readonly [string, string, number])[], contents: readonly object[], type = 'm.room_key'): Wish => ({
  userId: targets[0]![0],
  sendToDevice: { sender: BOB, type, targets: targets.map(([userId, deviceId, content]): ToDeviceTarget => ({ userId, deviceId, content })), contents: contents.map(json) },
});
const ack = (userId: string, deviceId: string, sequence: number): Wish => ({ userId, ackToDevice: { deviceId, sequence } });

/** Contents that wait for the device. */
async function waiting({ query }: UserDriver, userId: string, deviceId: string, { after = 0, upTo = 10_000, limit = 100 } = {}): Promise<unknown[]> {
  return (await query.toDevice({ userId, deviceId }, { after, upTo, limit })).map(({ event }) => (JSON.parse(event) as { content: unknown }).content);
}

async function twoUsers(): Promise<UserDriver> {
  const users = await openUserapi();
  await users.batch({ userId: ALICE, ...registration('PHONE', 'a') }, { userId: ALICE, login: { device: deviceWith('TABLET', 'b') } }, { userId: BOB, ...registration('PC', 'c') });
  return users;
}

test('a message waits for its device, whole and in order, until it is acknowledged', async () => {
  const users = await twoUsers();
  await users.batch(to([[ALICE, 'PHONE', 0]], [{ n: 1 }]), to([[ALICE, 'PHONE', 0]], [{ n: 2 }]));
  const [first, second] = await users.query.toDevice({ userId: ALICE, deviceId: 'PHONE' }, { after: 0, upTo: 10_000, limit: 100 });
  assert.deepEqual(JSON.parse(first!.event), { content: { n: 1 }, sender: BOB, type: 'm.room_key' });
  assert.deepEqual(users.log.filter(({ output }) => output.toDeviceArrived).map(({ sequence, output }) => [sequence, output.toDeviceArrived!.userIds]), [[first!.sequence, [ALICE]], [second!.sequence, [ALICE]]]);
  assert.deepEqual(await waiting(users, ALICE, 'PHONE', { after: first!.sequence }), [{ n: 2 }]);
  assert.deepEqual(await waiting(users, ALICE, 'PHONE', { upTo: first!.sequence }), [{ n: 1 }]);
  assert.deepEqual(await waiting(users, ALICE, 'PHONE', { limit: 1 }), [{ n: 1 }]);
  assert.deepEqual(await waiting(users, ALICE, 'TABLET'), []);
  await users.batch(ack(ALICE, 'PHONE', first!.sequence));
  assert.deepEqual(await waiting(users, ALICE, 'PHONE'), [{ n: 2 }]);
});

test('a message for all devices is stored once, and goes with the last device that has it', async () => {
  const users = await twoUsers();
  await users.batch(to([[ALICE, '*', 0], [BOB, '*', 0]], [{ all: true }]));
  const bodies = () => users.database.query('SELECT shared FROM to_device_shared');
  const rows = () => users.database.query<{ user_id: string; event: Uint8Array | null }>('SELECT user_id, event FROM to_device');
  assert.equal((await bodies()).length, 1);
  assert.deepEqual((await rows()).map(({ event }) => event), [null, null, null]);
  for (const [userId, deviceId] of [[ALICE, 'PHONE'], [ALICE, 'TABLET'], [BOB, 'PC']] as const) assert.deepEqual(await waiting(users, userId, deviceId), [{ all: true }]);
  await users.batch(ack(ALICE, 'PHONE', 1000), ack(BOB, 'PC', 1000));
  assert.equal((await bodies()).length, 1);
  assert.deepEqual(await waiting(users, ALICE, 'TABLET'), [{ all: true }]);
  await users.batch(ack(ALICE, 'TABLET', 1000));
  assert.deepEqual([await bodies(), await rows()], [[], []]);
});

test('many shared messages go together', async () => {
  const users = await twoUsers();
  for (let n = 0; n < 70; n += 1) await users.batch(to([[ALICE, '*', 0]], [{ n }]));
  await users.batch(ack(ALICE, 'PHONE', 1000));
  assert.equal((await users.database.query('SELECT shared FROM to_device_shared')).length, 70);
  await users.batch(ack(ALICE, 'TABLET', 1000));
  assert.deepEqual(await users.database.query('SELECT shared FROM to_device_shared'), []);
});

test('a device that is named has its own message and not the one for all', async () => {
  const users = await twoUsers();
  await users.batch(to([[ALICE, '*', 0], [ALICE, 'TABLET', 1]], [{ all: true }, { own: true }]));
  assert.deepEqual(await waiting(users, ALICE, 'PHONE'), [{ all: true }]);
  assert.deepEqual(await waiting(users, ALICE, 'TABLET'), [{ own: true }]);
});

test('users and devices that there are not are passed over, and nothing is told', async () => {
  const users = await twoUsers();
  const told = users.log.length;
  assert.deepEqual(await users.batch(to([['@nobody:test.example', '*', 0], [ALICE, 'NONE', 0]], [{}])), ['accepted']);
  assert.equal(users.log.length, told);
  assert.deepEqual(await users.database.query('SELECT user_id FROM to_device'), []);
});

test('a device that logs in is sent to from the same batch on; one that goes takes its messages along, and its namesake begins anew', async () => {
  const users = await twoUsers();
  await users.batch(
    to([[ALICE, 'NEW', 0]], [{ early: true }]), { userId: ALICE, login: { device: deviceWith('NEW', 'd') } }, to([[ALICE, 'NEW', 0]], [{ n: 1 }]),
    { userId: ALICE, logout: { deviceId: 'NEW' } }, to([[ALICE, 'NEW', 0]], [{ n: 2 }]), { userId: ALICE, login: { device: deviceWith('NEW', 'e') } }, to([[ALICE, 'NEW', 0]], [{ n: 3 }]));
  assert.deepEqual(await waiting(users, ALICE, 'NEW'), [{ n: 3 }]);
});

test('the end of an account is the end of its messages', async () => {
  const users = await twoUsers();
  await users.batch(to([[ALICE, '*', 0]], [{ n: 1 }]));
  await users.batch({ userId: ALICE, deactivate: { erase: false, roomSequences: [] } }, to([[ALICE, '*', 0]], [{ n: 2 }]));
  assert.deepEqual(await users.database.query('SELECT user_id FROM to_device'), []);
  assert.deepEqual(await users.database.query('SELECT shared FROM to_device_shared'), []);
});

test('messages for devices elsewhere leave by the output log', async () => {
  const users = await twoUsers();
  const messages = { '@carol:b.example': { '*': { n: 1 } } };
  await users.batch({ userId: ALICE, sendToServers: { type: 'm.room_key', servers: [{ serverName: 'b.example', messageId: 'id1', messages: json(messages) }] } });
  const { output } = users.log.at(-1)!;
  assert.deepEqual(output.toDeviceLeaving!.messages.map(({ destination, content }) => [destination, JSON.parse(Buffer.from(content).toString())]), [
    ['b.example', { message_id: 'id1', messages, sender: ALICE, type: 'm.room_key' }],
  ]);
});

test('what came in a partition is found by its partition', async () => {
  const users = await twoUsers();
  await users.batch(to([[ALICE, '*', 0]], [{}]));
  assert.deepEqual((await users.database.query<{ partition: number }>('SELECT DISTINCT partition FROM to_device_shared')).map(({ partition }) => partition), [PARTITION]);
});
