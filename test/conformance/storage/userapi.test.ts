/** The userapi writes the same rows and answers the same on every database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { userSnapshot } from '../../../components/userapi/index.ts';
import { ALICE, BOB, deviceWith, hashOf, json, openUserapi, PARTITION, registration, type Wish } from '../../kit/user-driver.ts';
import { onEachBackend } from './backends.ts';

const NOTHING = new Uint8Array(0);

const BATCHES: Wish[][] = [
  [{ userId: ALICE, ...registration('ONE', 'a1') }, { userId: ALICE, ...registration('TWO', 'a2') }, { userId: BOB, ...registration('ONE', 'b1') }],
  [
    { userId: ALICE, setProfileField: { key: 'displayname', value: json('Ali\u0000ce ☕') } },
    { userId: ALICE, setProfileField: { key: 'displayname', value: json('Alice ☕') } },
    { userId: ALICE, setProfileField: { key: 'a.b', value: json([1, null]) } },
    { userId: ALICE, setAccountData: { roomId: '', type: 'a.b', content: json({ x: 1 }) } },
    { userId: ALICE, setAccountData: { roomId: '!r:x', type: 'a.b', content: json({ x: 2 }) } },
    { userId: ALICE, putFilter: { filterId: 'f', definition: json({}) } },
    { userId: ALICE, putFilter: { filterId: 'f', definition: json({}) } },
    { userId: BOB, logout: { deviceId: 'ONE' } },
    { userId: BOB, login: { device: deviceWith('ONE', 'b2') } },
  ],
  [
    { userId: ALICE, login: { device: deviceWith('ONE', 'a3') } },
    { userId: ALICE, login: { device: deviceWith('THREE', 'a4') } },
    { userId: ALICE, logout: { deviceId: 'THREE' } },
    { userId: ALICE, setAccountData: { roomId: '', type: 'a.b', content: json({ x: 3 }) } },
    { userId: ALICE, setProfileField: { key: 'a.b', value: NOTHING } },
  ],
];

onEachBackend('userapi', (backend) => {
  test('inputs leave the same tables and answers', async () => {
    const driver = await openUserapi(await backend.open());
    const { query, database } = driver;
    const answers = [];
    for (const batch of BATCHES) answers.push(...(await driver.batch(...batch)));
    assert.deepEqual(answers.filter((answer) => answer !== 'accepted'), ['M_USER_IN_USE']);
    const holders = await Promise.all(['a1', 'a2', 'a3', 'a4', 'b1', 'b2'].map((token) => query.requesterByToken(hashOf(token))));
    assert.deepEqual(holders.map((holder) => holder && `${holder.userId} ${holder.deviceId}`), [undefined, undefined, `${ALICE} ONE`, undefined, undefined, `${BOB} ONE`]);
    assert.deepEqual([await query.profile(ALICE), await query.profile(BOB), await query.profile('@nobody:x')], [{ displayname: 'Alice ☕' }, {}, undefined]);
    assert.deepEqual([await query.accountData(ALICE, '', 'a.b'), await query.accountData(ALICE, '!r:x', 'a.b')], ['{"x":3}', '{"x":2}']);
    assert.deepEqual(await query.filter(ALICE, 'f'), { filterId: 'f', definition: Buffer.from('{}') });
    const snapshot = await userSnapshot(database, PARTITION, 0, 100);
    assert.deepEqual(snapshot.map(({ output }) => [output.userId, output.device?.deviceId ?? output.profileField?.key ?? output.accountData?.type]), [
      [ALICE, 'displayname'], [ALICE, 'a.b'], [BOB, 'ONE'], [ALICE, 'ONE'], [ALICE, 'THREE'], [ALICE, 'a.b'], [ALICE, 'a.b'],
    ]);
    const pages = [];
    for (let page = await userSnapshot(database, PARTITION, 0, 3); page.length > 0; page = await userSnapshot(database, PARTITION, page.at(-1)!.sequence, 3)) pages.push(...page);
    assert.deepEqual(pages, snapshot);
    assert.deepEqual(driver.log.map(({ sequence }) => sequence), driver.log.map((_, index) => index + 1));
  });
});
