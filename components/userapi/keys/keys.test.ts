import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDevice, testIdentity } from '../../../test/kit/e2ee-keys.ts';
import { ALICE, BOB, json, openUserapi, PARTITION, registration, type UserDriver } from '../../../test/kit/user-driver.ts';
import { userSnapshot } from '../query/snapshot.ts';

const PHONE = testDevice(ALICE, 'PHONE');
const NONE = new Uint8Array(0);
const upload = (parts: { device?: object; oneTime?: object; fallback?: object }, deviceId = 'PHONE') => ({
  userId: ALICE,
  uploadKeys: { deviceId, deviceKeys: parts.device ? json(parts.device) : NONE, oneTimeKeys: parts.oneTime ? json(parts.oneTime) : NONE, fallbackKeys: parts.fallback ? json(parts.fallback) : NONE },
});
const claim = (deviceId = 'PHONE', algorithm = 'signed_curve25519') => ({ userId: ALICE, claimKeys: { claims: [{ deviceId, algorithm }] } });
const crossSign = (keys: object, mayReplace = false) => ({ userId: ALICE, uploadCrossSigning: { keys: json(keys), mayReplace } });

async function withAlice(): Promise<UserDriver & { claimed(...inputs: Parameters<UserDriver['decide']>[0]): Promise<string[]> }> {
  const driver = await openUserapi();
  await driver.batch({ userId: ALICE, ...registration('PHONE', 't1') }, { userId: BOB, ...registration('PC', 't2') });
  return {
    ...driver,
    async claimed(...inputs) {
      const made = (await driver.decide(inputs)) as { decisions: { result: { one_time_keys: Record<string, object> } }[] };
      assert.deepEqual(await driver.batch(...inputs), inputs.map(() => 'accepted'));
      return made.decisions.flatMap(({ result }) => Object.values(result.one_time_keys).flatMap((keys) => Object.keys(keys)));
    },
  };
}

const lists = ({ log }: UserDriver) => log.flatMap(({ output }) => (output.deviceList ? [output.deviceList] : []));
const counts = ({ log }: UserDriver) => log.flatMap(({ output }) => (output.keyCounts ? [[output.keyCounts.counts, output.keyCounts.unusedFallbacks]] : []));

test('keys are claimed in the order of their upload, each once, and then the fallback key', async () => {
  const alice = await withAlice();
  assert.deepEqual(await alice.batch(upload({ device: PHONE.deviceKeys, oneTime: PHONE.oneTimeKeys(50, 2), fallback: PHONE.fallbackKey(900) }), upload({ oneTime: PHONE.oneTimeKeys(10, 2) })), ['accepted', 'accepted']);
  assert.deepEqual(await alice.claimed(claim(), claim(), claim()), ['signed_curve25519:K00050', 'signed_curve25519:K00051', 'signed_curve25519:K00010']);
  assert.deepEqual(await alice.claimed(claim(), claim(), claim('GONE'), claim('PHONE', 'other')), ['signed_curve25519:K00011', 'signed_curve25519:K00900']);
  assert.deepEqual(await alice.claimed(claim()), ['signed_curve25519:K00900']);
  assert.deepEqual(counts(alice), [
    ['{"signed_curve25519":2}', '["signed_curve25519"]'], ['{"signed_curve25519":4}', '["signed_curve25519"]'],
    ...['{"signed_curve25519":3}', '{"signed_curve25519":2}', '{"signed_curve25519":1}', '{}'].map((left) => [left, '["signed_curve25519"]']), ['{}', '[]'],
  ]);
});

test('a claimed key is not taken in again; another value under its name is refused', async () => {
  const alice = await withAlice();
  await alice.batch(upload({ device: PHONE.deviceKeys, oneTime: PHONE.oneTimeKeys(1, 1) }));
  assert.equal((await alice.claimed(claim())).length, 1);
  assert.deepEqual(await alice.batch(upload({ oneTime: PHONE.oneTimeKeys(1, 1) })), ['accepted']);
  assert.deepEqual(await alice.claimed(claim()), []);
  const other = { 'signed_curve25519:K00001': testDevice(ALICE, 'PHONE', 'other').oneTimeKeys(2, 1)['signed_curve25519:K00002'] };
  assert.deepEqual(await alice.batch(upload({ oneTime: other })), ['M_INVALID_PARAM']);
  assert.deepEqual(await alice.batch(upload({ oneTime: PHONE.oneTimeKeys(7, 1) }), claim(), claim(), upload({ oneTime: PHONE.oneTimeKeys(7, 1) })), ['accepted', 'accepted', 'accepted', 'accepted']);
  assert.deepEqual(await alice.claimed(claim()), []);
});

test('a fallback key is used until another one comes', async () => {
  const alice = await withAlice();
  await alice.batch(upload({ fallback: PHONE.fallbackKey(1) }), claim(), upload({ fallback: PHONE.fallbackKey(1) }));
  assert.deepEqual(counts(alice).at(-1), ['{}', '[]'], 'the same one again stays used');
  await alice.batch(upload({ fallback: PHONE.fallbackKey(2) }));
  assert.deepEqual(counts(alice).at(-1), ['{}', '["signed_curve25519"]']);
  assert.deepEqual(await alice.claimed(claim()), ['signed_curve25519:K00002']);
});

const BAD: [why: string, parts: Parameters<typeof upload>[0], errcode: string][] = [
  ['another user', { device: testDevice(BOB, 'PHONE').deviceKeys }, 'M_INVALID_PARAM'],
  ['another device', { device: testDevice(ALICE, 'PC').deviceKeys }, 'M_INVALID_PARAM'],
  ['no algorithms', { device: { ...PHONE.deviceKeys, algorithms: undefined } }, 'M_BAD_JSON'],
  ['changed after signing', { device: { ...PHONE.deviceKeys, algorithms: [] } }, 'M_INVALID_SIGNATURE'],
  ['not signed', { device: { ...PHONE.deviceKeys, signatures: {} } }, 'M_INVALID_SIGNATURE'],
  ['a one-time key without an algorithm', { oneTime: { key: 'x' } }, 'M_INVALID_PARAM'],
  ['a one-time key without signatures', { oneTime: { 'signed_curve25519:A': { key: 'x' } } }, 'M_BAD_JSON'],
  ['a one-time key that is a number', { oneTime: { 'curve25519:A': 7 } }, 'M_BAD_JSON'],
  ['a number that is no integer', { oneTime: { 'curve25519:A': { key: 'x', signatures: {}, more: 0.5 } } }, 'M_BAD_JSON'],
];
for (const [why, parts, errcode] of BAD) {
  test(`an upload is refused whole: ${why}`, async () => {
    const alice = await withAlice();
    assert.deepEqual(await alice.batch(upload({ fallback: PHONE.fallbackKey(1), oneTime: PHONE.oneTimeKeys(1, 1), ...parts })), [errcode]);
    assert.deepEqual(await alice.claimed(claim()), []);
  });
}

test('who has devices with keys is told of: keys, names, ends; each change names the one before', async () => {
  const alice = await withAlice();
  await alice.batch(upload({ device: PHONE.deviceKeys }), upload({ device: PHONE.deviceKeys }));
  await alice.batch({ userId: ALICE, putDevice: { deviceId: 'PHONE', displayName: 'Old phone', mayCreate: false } });
  await alice.batch({ userId: BOB, putDevice: { deviceId: 'PC', displayName: 'has no keys', mayCreate: false } });
  assert.deepEqual((await alice.query.keysOf(new Map([[ALICE, []], [BOB, []]]), BOB)).devices.get(ALICE)?.get('PHONE')?.includes('"device_display_name":"Old phone"'), true);
  await alice.batch({ userId: ALICE, logout: { deviceId: 'PHONE' } });
  const told = lists(alice);
  assert.deepEqual(told.map(({ deviceId, deleted, displayName }) => [deviceId, deleted, displayName]), [['PHONE', false, 'phone'], ['PHONE', false, 'Old phone'], ['PHONE', true, '']]);
  const sequences = alice.log.flatMap(({ sequence, output }) => (output.deviceList ? [sequence] : []));
  assert.deepEqual(told.map(({ previous }) => previous), [0, ...sequences.slice(0, -1)]);
  assert.equal((await alice.query.deviceList(ALICE)).streamId, sequences.at(-1));
  assert.deepEqual(JSON.parse(Buffer.from(told[0]!.keys).toString()), PHONE.deviceKeys);
  assert.equal((await alice.query.keysOf(new Map([[ALICE, []]]), BOB)).devices.get(ALICE)?.size, 0);
  assert.deepEqual(await alice.claimed(claim()), []);
});

test('cross-signing keys are set once, replaced when it was confirmed, and signed as they have to be', async () => {
  const alice = await withAlice();
  const [one, two] = [testIdentity(ALICE), testIdentity(ALICE, 'second')];
  assert.deepEqual(await alice.batch(crossSign({ self_signing_key: one.keys.self_signing_key })), ['M_MISSING_PARAM']);
  assert.deepEqual(await alice.batch(crossSign({ ...one.keys, user_signing_key: two.keys.user_signing_key })), ['M_INVALID_SIGNATURE']);
  assert.deepEqual(await alice.batch(crossSign({ ...one.keys, master_key: testIdentity(BOB).keys.master_key })), ['M_INVALID_PARAM']);
  assert.deepEqual(await alice.batch(crossSign(one.keys), crossSign(one.keys), crossSign(two.keys)), ['accepted', 'accepted', 'M_FORBIDDEN']);
  assert.equal(lists(alice).length, 1, 'the same keys again change nothing');
  await alice.batch(crossSign({ master_key: two.keys.master_key }, true));
  const keys = await alice.query.keysOf(new Map([[ALICE, []]]), ALICE);
  assert.deepEqual([JSON.parse(keys.master.get(ALICE)!), keys.selfSigning.size, keys.userSigning.size], [two.keys.master_key, 0, 0], 'what the old master key has signed is gone');
  assert.deepEqual(await alice.batch({ userId: ALICE, login: { device: { deviceId: two.master.publicKey, tokenHash: NONE, displayName: '' } } }), ['M_FORBIDDEN']);
  await alice.batch({ userId: ALICE, ...{ login: { device: { deviceId: testIdentity(ALICE, 'third').master.publicKey, tokenHash: new Uint8Array(32), displayName: '' } } } });
  assert.deepEqual(await alice.batch(crossSign(testIdentity(ALICE, 'third').keys, true)), ['M_FORBIDDEN'], 'a device has that name');
});

test('signatures are kept when they are right, and shown to whom they concern', async () => {
  const alice = await withAlice();
  const [own, bobs] = [testIdentity(ALICE), testIdentity(BOB)];
  const pc = testDevice(BOB, 'PC');
  await alice.batch(upload({ device: PHONE.deviceKeys }), crossSign(own.keys));
  await alice.batch({ userId: BOB, uploadCrossSigning: { keys: json(bobs.keys), mayReplace: false } }, { userId: BOB, uploadKeys: { deviceId: 'PC', deviceKeys: json(pc.deviceKeys), oneTimeKeys: NONE, fallbackKeys: NONE } });
  const before = lists(alice).length;
  const signatures = {
    [ALICE]: { PHONE: own.selfSigning.sign(PHONE.deviceKeys), [own.master.publicKey]: PHONE.sign(own.keys.master_key), WATCH: own.selfSigning.sign(testDevice(ALICE, 'WATCH').deviceKeys) },
    [BOB]: { [bobs.master.publicKey]: own.userSigning.sign(bobs.keys.master_key), PC: own.userSigning.sign(pc.deviceKeys) },
  };
  const asked = { userId: ALICE, uploadSignatures: { signatures: json(signatures), masters: json({ [BOB]: bobs.keys.master_key }) } };
  const { decisions } = (await alice.decide([asked])) as { decisions: { result: { failures: Record<string, Record<string, { errcode: string }>> } }[] };
  const failures = Object.entries(decisions[0]!.result.failures).flatMap(([user, keys]) => Object.entries(keys).map(([key, { errcode }]) => [user, key, errcode]));
  assert.deepEqual(failures, [[ALICE, 'WATCH', 'M_NOT_FOUND'], [BOB, 'PC', 'M_NOT_FOUND']]);
  await alice.batch(asked, asked);
  const told = lists(alice).slice(before);
  assert.deepEqual(told.map(({ deviceId }) => deviceId), ['PHONE', '', ''], 'the device, the keys of users, and what is signed of others once more');
  const signersOf = (text: string | undefined) => Object.entries((JSON.parse(text!) as { signatures: Record<string, object> }).signatures).map(([user, keys]) => [user, Object.keys(keys).length]);
  const wanted = new Map([[ALICE, []], [BOB, []]]);
  const seenBy = async (viewer: string) => {
    const { devices, master } = await alice.query.keysOf(wanted, viewer);
    return [signersOf(devices.get(ALICE)?.get('PHONE')), signersOf(master.get(ALICE)), master.get(BOB)!.includes(ALICE)];
  };
  assert.deepEqual(await seenBy(ALICE), [[[ALICE, 2]], [[ALICE, 1]], true]);
  assert.deepEqual(await seenBy(BOB), [[[ALICE, 2]], [[ALICE, 1]], false], 'whom Alice trusts is nobody else\'s business');
  assert.deepEqual([await alice.query.signedUsers(ALICE), await alice.query.signedUsers(BOB)], [[BOB], []]);
  const forged = { [ALICE]: { PHONE: testIdentity(ALICE, 'other').selfSigning.sign(PHONE.deviceKeys) } };
  const again = (await alice.decide([{ userId: ALICE, uploadSignatures: { signatures: json(forged), masters: json({}) } }])) as { decisions: { result: { failures: object } }[] };
  assert.deepEqual(again.decisions[0]!.result.failures, { [ALICE]: { PHONE: { errcode: 'M_INVALID_SIGNATURE', error: 'Invalid signature' } } });
});

const CAROL = '@carol:elsewhere.example';
const far = (kind: string, content: object) => ({ userId: CAROL, remoteKeys: { kind, content: json(content) } });

test('devices of other servers\' users are known as long as every change was seen', async () => {
  const driver = await openUserapi();
  const [phone, pc] = [testDevice(CAROL, 'PHONE'), testDevice(CAROL, 'PC')];
  const device = (streamId: number, previous: number[], keys: object = phone.deviceKeys) => far('device', { user_id: CAROL, device_id: (keys as { device_id: string }).device_id, stream_id: streamId, prev_id: previous, keys });
  const known = async () => [[...await driver.query.knownDeviceLists([CAROL])], await driver.query.staleDeviceLists('', 10), [...(await driver.query.keysOf(new Map([[CAROL, []]]), ALICE)).devices.get(CAROL)?.keys() ?? []].sort()];
  await driver.batch(device(3, []));
  assert.deepEqual(await known(), [[], [CAROL], []], 'what was before is not known');
  await driver.batch(far('list', { user_id: CAROL, stream_id: 2, devices: [] }));
  assert.deepEqual(await known(), [[], [CAROL], []], 'an answer from before the change');
  await driver.batch(far('list', { user_id: CAROL, stream_id: 3, devices: [{ device_id: 'PHONE', keys: phone.deviceKeys, device_display_name: 'Far phone' }, { device_id: 'X', keys: pc.deviceKeys }], master_key: testIdentity(CAROL).keys.master_key }));
  assert.deepEqual(await known(), [[CAROL], [], ['PHONE']]);
  await driver.batch(device(5, [3], pc.deviceKeys), device(5, [3], pc.deviceKeys));
  assert.deepEqual(await known(), [[CAROL], [], ['PC', 'PHONE']]);
  await driver.batch(far('device', { user_id: CAROL, device_id: 'PHONE', stream_id: 6, prev_id: [5], deleted: true }));
  assert.deepEqual(await known(), [[CAROL], [], ['PC']]);
  await driver.batch(device(9, [8]));
  assert.deepEqual((await known()).slice(0, 2), [[], [CAROL]], 'one is missing');
  assert.equal(lists(driver).length, 4, 'a repeated one changes nothing');
  await driver.batch(far('forget', {}));
  assert.deepEqual(await known(), [[], [], []]);
});

test('an account that is over has no keys; a read model can be made again', async () => {
  const alice = await withAlice();
  await alice.batch(upload({ device: PHONE.deviceKeys, oneTime: PHONE.oneTimeKeys(1, 5) }), crossSign(testIdentity(ALICE).keys));
  const remade = (await userSnapshot(alice.database, PARTITION, 0, 100)).flatMap(({ sequence, output }) => (output.deviceList || output.keyCounts ? [[sequence, output.keyCounts?.counts]] : []));
  const newest = alice.log.flatMap(({ sequence, output }) => (output.deviceList || output.keyCounts ? [[sequence, output.keyCounts?.counts]] : []));
  assert.deepEqual(remade, newest.slice(1));
  await alice.batch({ userId: ALICE, deactivate: { erase: false, roomSequences: [] } });
  const left = await alice.query.keysOf(new Map([[ALICE, []]]), ALICE);
  assert.deepEqual([left.devices.get(ALICE)?.size, left.master.size], [0, 0]);
  assert.equal(lists(alice).at(-1)?.deleted, true);
});
