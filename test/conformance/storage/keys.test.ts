/** Keys of end-to-end encryption are the same on every database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { syncapiMigrations } from '../../../components/syncapi/index.ts';
import { writeKeyChanges } from '../../../components/syncapi/consumers/write-key-changes.ts';
import { loadDeviceLists } from '../../../components/syncapi/streams/device-lists.ts';
import { loadKeyCounts } from '../../../components/syncapi/streams/key-counts.ts';
import { userSnapshot } from '../../../components/userapi/index.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { testDevice, testIdentity } from '../../kit/e2ee-keys.ts';
import { ALICE, BOB, json, openUserapi, PARTITION, registration, type Wish } from '../../kit/user-driver.ts';
import { onEachBackend } from './backends.ts';

const NONE = new Uint8Array(0);
const PHONE = testDevice(ALICE, 'PHONE');
const upload = (parts: Partial<NonNullable<Wish['uploadKeys']>>): Wish => ({ userId: ALICE, uploadKeys: { deviceId: 'PHONE', deviceKeys: NONE, oneTimeKeys: NONE, fallbackKeys: NONE, ...parts } });
const claim: Wish = { userId: ALICE, claimKeys: { claims: [{ deviceId: 'PHONE', algorithm: 'signed_curve25519' }] } };

onEachBackend('keys of end-to-end encryption', (backend) => {
  test('keys are kept, claimed once each, signed, told of and forgotten', async () => {
    const { database, query, batch, log } = await openUserapi(await backend.open());
    const identity = testIdentity(ALICE);
    await batch({ userId: ALICE, ...registration('PHONE', 'a') }, { userId: BOB, ...registration('PC', 'b') });
    await batch(upload({ deviceKeys: json(PHONE.deviceKeys), oneTimeKeys: json(PHONE.oneTimeKeys(1, 5)), fallbackKeys: json(PHONE.fallbackKey(9)) }), claim);
    await batch(upload({ oneTimeKeys: json(PHONE.oneTimeKeys(1, 5)) }), claim, claim);
    const left = async () => (await database.query<{ key_id: string }>('SELECT key_id FROM one_time_keys WHERE claimed = 0 ORDER BY position, key_id')).map((row) => row.key_id);
    assert.deepEqual(await left(), ['K00004', 'K00005']);
    await batch(claim, claim, claim);
    assert.deepEqual([await left(), log.at(-1)?.output.keyCounts?.counts, log.at(-1)?.output.keyCounts?.unusedFallbacks], [[], '{}', '[]']);
    await batch({ userId: ALICE, uploadCrossSigning: { keys: json(identity.keys), mayReplace: false } });
    const signatures = { [ALICE]: { PHONE: identity.selfSigning.sign(PHONE.deviceKeys), [identity.master.publicKey]: PHONE.sign(identity.keys.master_key) } };
    await batch({ userId: ALICE, uploadSignatures: { signatures: json(signatures), masters: json({}) } });
    const seen = await query.keysOf(new Map([[ALICE, []], [BOB, []]]), BOB);
    const device = JSON.parse(seen.devices.get(ALICE)!.get('PHONE')!) as { signatures: Record<string, object>; unsigned: object };
    assert.deepEqual([Object.keys(device.signatures[ALICE]!).length, device.unsigned, seen.userSigning.size], [2, { device_display_name: 'phone' }, 0]);
    assert.ok((JSON.parse(seen.master.get(ALICE)!) as { signatures: object }).signatures);
    assert.equal((await userSnapshot(database, PARTITION, 0, 100)).filter(({ output }) => output.deviceList ?? output.keyCounts).length, 2);
    await batch({ userId: ALICE, logout: { deviceId: 'PHONE' } });
    assert.deepEqual([(await query.deviceList(ALICE)).devices, await database.query('SELECT name FROM one_time_keys'), await database.query('SELECT key FROM fallback_keys')], [[], [], []]);
  });

  test('devices of other servers\' users are kept while they are known', async () => {
    const { query, batch } = await openUserapi(await backend.open());
    const carol = '@carol:far.example';
    const keys = testDevice(carol, 'PC').deviceKeys;
    const far = (kind: string, content: object): Wish => ({ userId: carol, remoteKeys: { kind, content: json(content) } });
    await batch(far('device', { user_id: carol, device_id: 'PC', stream_id: 1, prev_id: [], keys }));
    assert.deepEqual(await query.staleDeviceLists('', 5), [carol]);
    await batch(far('list', { user_id: carol, stream_id: 1, devices: [{ device_id: 'PC', keys }], master_key: testIdentity(carol).keys.master_key }));
    assert.deepEqual([[...await query.knownDeviceLists([carol])], (await query.keysOf(new Map([[carol, []]]), ALICE)).master.size], [[carol], 1]);
    await batch(far('forget', {}));
    assert.deepEqual([(await query.knownDeviceLists([carol])).size, (await query.keysOf(new Map([[carol, []]]), ALICE)).devices.size], [0, 0]);
  });

  test('the read model tells of both', async () => {
    const database = await backend.open();
    await migrate(database, 'syncapi', syncapiMigrations, 0);
    const deviceList = { deviceId: 'PHONE', deleted: false, displayName: '', keys: NONE, crossSigning: NONE, previous: 0 };
    const output = { userId: ALICE, inputId: '', traceId: '' };
    const records = [{ partition: 1, sequence: 5, output: { ...output, deviceList } }, { partition: 1, sequence: 6, output: { ...output, keyCounts: { deviceId: 'PHONE', counts: '{"a":1}', unusedFallbacks: '[]' } } }];
    for (const _ of [1, 2]) assert.deepEqual(await database.transaction((tx) => writeKeyChanges(tx, records)), []);
    const lists = (since: number) => loadDeviceLists(database, { userId: ALICE, memberships: new Map(), since: { room: [], user: [0, since, 0] }, now: { room: [], user: [3, 9, 4] }, membersMoved: new Map(), signedUsers: () => Promise.resolve([]) });
    assert.deepEqual([await lists(4), await lists(5)], [{ changed: [ALICE], left: [] }, { changed: [], left: [] }]);
    assert.deepEqual(await loadKeyCounts(database, { userId: ALICE, deviceId: 'PHONE' }), { counts: '{"signed_curve25519":0,"a":1}', unusedFallbacks: '[]', sequence: 6 });
  });
});
