import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDevice } from '../../../test/kit/e2ee-keys.ts';
import { ALICE, BOB, deviceWith, json, openUserapi, PARTITION, registration, type UserDriver, type Wish } from '../../../test/kit/user-driver.ts';
import { userSnapshot } from '../query/snapshot.ts';

const DATA = { algorithm: 'org.matrix.msc3814.v2', device_pickle: 'pickle' };
const NONE = new Uint8Array(0);
const of = (more: Omit<Wish, 'userId'>): Wish => ({ userId: ALICE, ...more });
const REMOVE = of({ removeDehydratedDevice: {} });

function put(deviceId: string, { seed = deviceId, data = DATA as object, keys = 2, device = true } = {}): Wish {
  const { deviceKeys, oneTimeKeys, fallbackKey } = testDevice(ALICE, deviceId, seed);
  return of({ putDehydratedDevice: {
    keys: { deviceId, deviceKeys: device ? json({ ...deviceKeys }) : NONE, oneTimeKeys: json(oneTimeKeys(1, keys)), fallbackKeys: json(fallbackKey(90)) }, deviceData: json(data), displayName: 'Dehydrated device',
  } });
}
const claim = (deviceId: string): Wish => of({ claimKeys: { claims: [{ deviceId, algorithm: 'signed_curve25519' }] } });
const send = (deviceId: string, n: number): Wish => of({ sendToDevice: { sender: BOB, type: 'm.room.encrypted', targets: [{ userId: ALICE, deviceId, content: 0 }], contents: [json({ n })] } });

async function open(): Promise<UserDriver> {
  const users = await openUserapi();
  await users.batch(of(registration('PHONE', 'a')), { userId: BOB, ...registration('PC', 'b') });
  return users;
}
const stored = async ({ query }: UserDriver) => {
  const device = await query.dehydratedDevice(ALICE);
  return device && [device.deviceId, JSON.parse(Buffer.from(device.data).toString())];
};
const devicesOf = async ({ query }: UserDriver) => (await query.devices(ALICE)).map(({ deviceId }) => deviceId);
const shownKeys = async ({ query }: UserDriver) => [...(await query.keysOf(new Map([[ALICE, []]]), BOB)).devices.get(ALICE)!.keys()];
const waiting = async ({ query }: UserDriver, deviceId: string) => (await query.toDevice({ userId: ALICE, deviceId }, { after: 0, upTo: 10_000, limit: 100 })).map(({ event }) => (JSON.parse(event) as { content: unknown }).content);
const told = ({ log }: UserDriver) => log.flatMap(({ output: { deviceList } }) => (deviceList ? [`${deviceList.deviceId} ${deviceList.deleted ? 'gone' : deviceList.displayName}`] : []));
async function claimed(users: UserDriver, deviceId: string): Promise<string[]> {
  const made = (await users.decide([claim(deviceId)])) as { decisions: { result?: { one_time_keys: Record<string, object> } }[] };
  await users.batch(claim(deviceId));
  return Object.keys(made.decisions[0]!.result?.one_time_keys[deviceId] ?? {});
}

test('a dehydrated device is a device for others, with keys and messages, and nobody is logged in with it', async () => {
  const users = await open();
  assert.deepEqual(await users.batch(put('DRY')), ['accepted']);
  assert.deepEqual(await stored(users), ['DRY', DATA]);
  assert.deepEqual([await devicesOf(users), await shownKeys(users), told(users)], [['DRY', 'PHONE'], ['DRY'], ['DRY Dehydrated device']]);
  assert.deepEqual(await claimed(users, 'DRY'), ['signed_curve25519:K00001']);
  await users.batch(send('DRY', 1), send('*', 2));
  assert.deepEqual([await waiting(users, 'DRY'), await waiting(users, 'PHONE')], [[{ n: 1 }, { n: 2 }], [{ n: 2 }]]);
  assert.deepEqual(await users.database.query(`SELECT device_id FROM access_tokens WHERE device_id = 'DRY'`), []);
  assert.deepEqual(await users.batch(of({ login: { device: deviceWith('DRY', 'c') } })), ['M_FORBIDDEN']);
  const snapshot = await userSnapshot(users.database, PARTITION, 0, 1000);
  assert.deepEqual(snapshot.flatMap(({ output }) => (output.device ? [output.device.deviceId] : [])).sort(), ['DRY', 'PC', 'PHONE']);
});

test('another one replaces it, with its keys and messages, in one step', async () => {
  const users = await open();
  await users.batch(put('ONE'), send('ONE', 1));
  const { length } = users.log;
  assert.deepEqual(await users.batch(put('TWO', { data: { ...DATA, device_pickle: 'other' } }), send('ONE', 2), send('TWO', 3)), ['accepted', 'accepted', 'accepted']);
  assert.deepEqual([await stored(users), await devicesOf(users), await shownKeys(users)], [['TWO', { ...DATA, device_pickle: 'other' }], ['PHONE', 'TWO'], ['TWO']]);
  assert.deepEqual([await waiting(users, 'ONE'), await waiting(users, 'TWO')], [[], [{ n: 3 }]]);
  assert.deepEqual([await claimed(users, 'ONE'), await claimed(users, 'TWO')], [[], ['signed_curve25519:K00001']]);
  assert.deepEqual(told(users), ['ONE Dehydrated device', 'ONE gone', 'TWO Dehydrated device']);
  const lists = users.log.slice(length).filter(({ output }) => output.deviceList);
  assert.equal(lists[1]!.output.deviceList!.previous, lists[0]!.sequence, 'each change names the one before');
});

test('the same one again keeps its messages, and keys that were claimed stay so', async () => {
  const users = await open();
  await users.batch(put('DRY'), send('DRY', 1), claim('DRY'));
  assert.deepEqual(await users.batch(put('DRY', { data: { ...DATA, again: true } })), ['accepted']);
  assert.deepEqual([await stored(users), await waiting(users, 'DRY'), told(users).length], [['DRY', { ...DATA, again: true }], [{ n: 1 }], 1]);
  assert.deepEqual([await claimed(users, 'DRY'), await claimed(users, 'DRY')], [['signed_curve25519:K00002'], ['signed_curve25519:K00090']]);
});

test('another one of the same name begins anew, with keys that nobody has claimed', async () => {
  const users = await open();
  await users.batch(put('DRY', { keys: 3 }), send('DRY', 1));
  assert.deepEqual(await users.batch(put('DRY', { seed: 'other', keys: 1 })), ['accepted']);
  assert.deepEqual([await devicesOf(users), await waiting(users, 'DRY'), await claimed(users, 'DRY'), await claimed(users, 'DRY')], [['DRY', 'PHONE'], [], ['signed_curve25519:K00001'], ['signed_curve25519:K00090']]);
  assert.deepEqual(await users.batch(put('DRY', { seed: 'third', keys: 1 })), ['M_INVALID_PARAM']);
  assert.deepEqual(await shownKeys(users), ['DRY']);
});

test('what is refused changes nothing', async () => {
  const users = await open();
  await users.batch(put('DRY'));
  const length = users.log.length;
  const wrong = (of({ putDehydratedDevice: { ...put('TWO').putDehydratedDevice!, keys: { ...put('TWO').putDehydratedDevice!.keys, deviceKeys: put('DRY').putDehydratedDevice!.keys.deviceKeys } } }));
  const big = put('TWO', { data: { algorithm: 'a', device_pickle: 'x'.repeat(65_536) } });
  assert.deepEqual(await users.batch(put('PHONE'), put('TWO', { device: false }), wrong, big), ['M_INVALID_PARAM', 'M_MISSING_PARAM', 'M_INVALID_PARAM', 'M_TOO_LARGE']);
  assert.deepEqual([await stored(users), users.log.length], [['DRY', DATA], length]);
});

const ENDS: [why: string, input: Wish, outcome: string][] = [
  ['removed', REMOVE, 'accepted'], ['removed as a device', of({ removeDevices: { deviceIds: ['DRY'] } }), 'accepted'], ['all sessions end', of({ logout: { deviceId: '' } }), 'accepted'],
  ['the account ends', of({ deactivate: { erase: false, roomSequences: [] } }), 'accepted'],
];
for (const [why, input, outcome] of ENDS) {
  test(`it is gone with all that it had: ${why}`, async () => {
    const users = await open();
    await users.batch(put('DRY'), send('DRY', 1));
    assert.deepEqual(await users.batch(input), [outcome]);
    assert.deepEqual([await stored(users), (await devicesOf(users)).includes('DRY'), await waiting(users, 'DRY'), await claimed(users, 'DRY')], [undefined, false, [], []]);
    assert.equal(told(users).at(-1), 'DRY gone');
    assert.deepEqual(await users.database.query('SELECT device_id FROM devices WHERE dehydrated IS NOT NULL'), []);
    if (why === 'removed') assert.deepEqual(await users.batch(REMOVE, of({ login: { device: deviceWith('DRY', 'd') } })), ['M_NOT_FOUND', 'accepted']);
    assert.equal(await stored(users), undefined);
  });
}

test('a device that was dehydrated, and in the same batch is a log-in, is that', async () => {
  const users = await open();
  await users.batch(put('DRY'), REMOVE, of({ login: { device: deviceWith('DRY', 'd') } }), put('TWO'), REMOVE, put('THREE'));
  assert.deepEqual([await stored(users), await devicesOf(users)], [['THREE', DATA], ['DRY', 'PHONE', 'THREE']]);
});

test('a new password ends sessions and not the dehydrated device', async () => {
  const users = await open();
  await users.batch(put('DRY'), of({ changePassword: { passwordHash: 'new', logsOutOthers: true, deviceId: '' } }));
  assert.deepEqual([await stored(users), await devicesOf(users)], [['DRY', DATA], ['DRY']]);
});
