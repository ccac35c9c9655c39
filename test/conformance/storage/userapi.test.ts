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

  test('tokens, issued tokens, stages and uses of devices are the same', async () => {
    const { query, database, batch } = await openUserapi(await backend.open());
    const family = hashOf('family');
    const refresh = (from: string, to: string): Wish => ({
      userId: ALICE, refreshTokens: { deviceId: 'ONE', familyHash: family, refreshHash: hashOf(from), newTokenHash: hashOf(`${to} access`), expiresMs: 9000, newRefreshHash: hashOf(to), refreshExpiresMs: 0 },
    });
    await batch({ userId: ALICE, register: { passwordHash: 'phc', kind: 'user', device: { ...deviceWith('ONE', 'r1 access'), familyHash: family, refreshHash: hashOf('r1'), expiresMs: 8000, ip: '192.0.2.1' } } });
    assert.deepEqual(await batch(refresh('r1', 'r2'), refresh('r1', 'r3'), { userId: ALICE, confirmToken: { deviceId: 'ONE', tokenHash: hashOf('r3 access') } }), ['accepted', 'accepted', 'accepted']);
    const tokenOf = async (token: string) => (await query.requesterByToken(hashOf(token)))?.token;
    assert.deepEqual([await tokenOf('r1 access'), await tokenOf('r2 access'), await tokenOf('r3 access')], [{ expiresMs: 1, isNew: false }, undefined, { expiresMs: 9000, isNew: false }]);
    assert.deepEqual([await query.sessionOfFamily(family), await query.sessionOfFamily(hashOf('other'))], [{ userId: ALICE, deviceId: 'ONE' }, undefined]);
    await batch({ userId: ALICE, issueToken: { purpose: 'login', tokenHash: hashOf('once'), expiresMs: 9000 } }, { userId: ALICE, issueToken: { purpose: 'openid', tokenHash: hashOf('o'), expiresMs: 9000 } });
    assert.deepEqual(await batch({ userId: ALICE, login: { device: deviceWith('TWO', 'a2'), loginTokenHash: hashOf('once') } }), ['accepted']);
    assert.deepEqual([await query.issuedToken('login', hashOf('once')), await query.issuedToken('openid', hashOf('o'))], [undefined, { userId: ALICE, expiresMs: 9000 }]);
    await batch({ userId: '~s', uiaStep: { stage: 'a', expiresMs: 9000 } }, { userId: '~s', uiaStep: { stage: '', expiresMs: 9000 } });
    assert.deepEqual(await query.uiaSession('~s'), { stages: ['a'], isUsedUp: true });
    await batch({ userId: ALICE, ts: 5000, seeDevice: { deviceId: 'ONE', ip: '192.0.2.2' } }, { userId: ALICE, ts: 4000, seeDevice: { deviceId: 'TWO', ip: '192.0.2.3' } }, { userId: ALICE, putDevice: { deviceId: 'TWO', displayName: 'Two', mayCreate: false } });
    assert.deepEqual(await query.devices(ALICE), [
      { deviceId: 'ONE', displayName: 'one', seenMs: 5000, seenIp: '192.0.2.2' }, { deviceId: 'TWO', displayName: 'Two', seenMs: 4000, seenIp: '192.0.2.3' },
    ]);
    await batch({ userId: ALICE, changePassword: { passwordHash: 'new', logsOutOthers: true, deviceId: 'TWO' } });
    assert.deepEqual([(await query.loginSecret(ALICE))?.passwordHash, await query.device(ALICE, 'ONE'), (await query.devices(ALICE)).length], ['new', undefined, 1]);
    await batch({ userId: ALICE, login: { device: deviceWith('ONE', 'a1') } });
    assert.deepEqual(await query.device(ALICE, 'ONE'), { deviceId: 'ONE', displayName: 'one', seenMs: 0, seenIp: '' });
    await database.close();
  });

  test('accounts, their end and registration tokens are the same', async () => {
    const { query, database, batch, log } = await openUserapi(await backend.open());
    const flag = (userId: string, name: string, isSet = true): Wish => ({ userId, setAccountFlag: { flag: name, isSet } });
    await batch({ userId: ALICE, ...registration('ONE', 'a1') }, { userId: BOB, register: { passwordHash: '', kind: 'guest', device: deviceWith('ONE', 'b1') } });
    assert.deepEqual(await batch(flag(ALICE, 'admin'), flag(ALICE, 'suspended'), flag(BOB, 'locked'), { userId: BOB, login: { device: deviceWith('TWO', 'b2') } }), ['accepted', 'accepted', 'accepted', 'M_USER_LOCKED']);
    await batch({ userId: ALICE, acceptTerms: { versions: json({ a: '1' }) } }, { userId: ALICE, acceptTerms: { versions: json({ b: '2' }) } });
    const alice = await query.requesterByToken(hashOf('a1'));
    assert.deepEqual([alice?.isAdmin, alice?.isSuspended, alice?.isLocked, alice?.acceptedTerms], [true, true, false, '{"a":"1","b":"2"}']);
    assert.deepEqual([...(await query.guestsAmong([ALICE, BOB, '@nobody:x']))], [BOB]);
    assert.deepEqual(await batch({ userId: BOB, upgradeGuest: { passwordHash: 'phc', device: deviceWith('NEW', 'b3') } }, { userId: BOB, upgradeGuest: { passwordHash: 'other' } }), ['accepted', 'M_USER_IN_USE']);
    assert.deepEqual([(await query.requesterByToken(hashOf('b1')))?.deviceId, (await query.requesterByToken(hashOf('b3')))?.isGuest, (await query.loginSecret(BOB))?.passwordHash], [undefined, false, 'phc']);
    assert.deepEqual((await query.listAccounts({ search: 'B_b', after: '', limit: 10 })).map(({ userId }) => userId), [], 'no letter stands for others');
    assert.deepEqual((await query.listAccounts({ search: '', after: ALICE, limit: 1 })).map(({ userId }) => userId), [BOB]);
    assert.deepEqual((await query.listAccounts({ search: 'ALICE', after: '', limit: 10 })).map(({ userId }) => userId), [ALICE]);

    await batch({ userId: ALICE, setAccountData: { roomId: '', type: 'a', content: json({}) } }, { userId: ALICE, setProfileField: { key: 'displayname', value: json('A') } });
    assert.deepEqual(await batch({ userId: ALICE, deactivate: { erase: false, roomSequences: [] } }, { userId: ALICE, setProfileField: { key: 'displayname', value: json('B') } }, { userId: ALICE, finishDeactivation: {} }),
      ['accepted', 'M_USER_DEACTIVATED', 'accepted']);
    const before = log.length;
    await batch({ userId: ALICE, deactivate: { erase: false, roomSequences: [] } }, { userId: ALICE, deactivate: { erase: true, roomSequences: [7, 8] } }, { userId: ALICE, deactivate: { erase: true, roomSequences: [9, 9] } });
    assert.deepEqual(log.slice(before).map(({ output }) => [output.deactivated?.erased, output.deactivated?.roomSequences]), [[true, [7, 8]]], 'an erasure is asked for once');
    const ended = await query.accountDetails(ALICE);
    assert.deepEqual([ended?.isDeactivated, ended?.isErased, ended?.hasLeftRooms, ended?.isAdmin, ended?.acceptedTerms], [true, true, true, false, '']);
    assert.deepEqual([await query.requesterByToken(hashOf('a1')), await query.profile(ALICE), await query.accountData(ALICE, '', 'a'), await query.devicesSeen(ALICE)], [undefined, {}, undefined, []]);
    assert.deepEqual([...(await query.erasedAmong([ALICE, BOB]))], [ALICE]);
    const told = (await userSnapshot(database, PARTITION, 0, 100)).filter(({ output }) => output.userId === ALICE).map(({ output }) => output.deactivated ?? output.device?.removed ?? output.profileField?.value.length);
    assert.deepEqual(told, [true, 0, { erased: true, roomSequences: [7, 8] }]);

    const put = (removed: boolean, usesAllowed = 2): Wish => ({ userId: '#tea', putRegistrationToken: { removed, usesAllowed, expiresMs: 9000 } });
    const use = (userId: string, insteadOf = ''): Wish => ({ userId: '#tea', useRegistrationToken: { userId, insteadOf } });
    assert.deepEqual(await batch(use('@c:test.example'), put(true), put(false), use('~s'), use('@c:test.example', '~s'), use(BOB), use('@d:test.example')), ['M_FORBIDDEN', 'M_NOT_FOUND', 'accepted', 'accepted', 'accepted', 'accepted', 'M_FORBIDDEN']);
    assert.deepEqual(await query.registrationTokens(0), [{ token: 'tea', usesAllowed: 2, completed: 1, pending: 1, expiresMs: 9000, createdAtMs: (await query.registrationTokens(0))[0]?.createdAtMs }]);
    assert.deepEqual([await query.reservedRegistrationToken('@c:test.example'), await query.reservedRegistrationToken('~s')], ['tea', undefined]);
    assert.deepEqual([await query.isRegistrationTokenValid('tea', 0), await query.isRegistrationTokenValid('tea', 15 * 60_000 + 1)], [false, false], 'it has expired by then');
    assert.deepEqual(await batch(put(false, 0), use('@d:test.example'), use('', '@d:test.example'), put(true)), ['accepted', 'accepted', 'accepted', 'accepted']);
    assert.deepEqual([await query.registrationTokens(0), await query.isRegistrationTokenValid('tea', 0)], [[], false]);
    await database.close();
  });
});
