/** The processor over a real database: what a batch leaves behind, and what the queries say of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { userInputCodec } from '../../../pkg/log/codec.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import { ALICE, BOB, deviceWith, hashOf, json, openUserapi, PARTITION, registration } from '../../../test/kit/user-driver.ts';
import { userSnapshot } from '../query/snapshot.ts';

const PLAIN = { isGuest: false, isAdmin: false, isLocked: false, isSuspended: false, acceptedTerms: '' };

test('of two registrations of one name in one batch, the first wins', async () => {
  const { query, batch, database } = await openUserapi();
  assert.deepEqual(await batch({ userId: ALICE, ...registration('ONE', 't1') }, { userId: ALICE, ...registration('TWO', 't2') }), ['accepted', 'M_USER_IN_USE']);
  assert.deepEqual(await query.requesterByToken(hashOf('t1')), { userId: ALICE, deviceId: 'ONE', ...PLAIN });
  assert.equal(await query.requesterByToken(hashOf('t2')), undefined);
  assert.deepEqual(await batch({ userId: ALICE, ...registration('THREE', 't3') }), ['M_USER_IN_USE']);
  await database.close();
});

test('a new log-in on a device kills its old token, also within a batch', async () => {
  const { query, batch, database } = await openUserapi();
  await batch({ userId: ALICE, ...registration('ONE', 't1') });
  await batch({ userId: ALICE, login: { device: deviceWith('ONE', 't2') } }, { userId: ALICE, login: { device: deviceWith('ONE', 't3') } });
  assert.equal(await query.requesterByToken(hashOf('t1')), undefined);
  assert.equal(await query.requesterByToken(hashOf('t2')), undefined);
  assert.deepEqual(await query.requesterByToken(hashOf('t3')), { userId: ALICE, deviceId: 'ONE', ...PLAIN });
  await database.close();
});

test('logging out after logging in, in one batch, leaves no token; logging in after logging out leaves one', async () => {
  const { query, batch, database } = await openUserapi();
  await batch({ userId: ALICE, ...registration('ONE', 't1') }, { userId: BOB, ...registration('ONE', 'b1') });
  await batch({ userId: ALICE, login: { device: deviceWith('TWO', 't2') } }, { userId: ALICE, logout: { deviceId: '' } });
  for (const token of ['t1', 't2']) assert.equal(await query.requesterByToken(hashOf(token)), undefined);
  await batch({ userId: BOB, logout: { deviceId: 'ONE' } }, { userId: BOB, login: { device: deviceWith('ONE', 'b2') } });
  assert.equal(await query.requesterByToken(hashOf('b1')), undefined);
  assert.deepEqual(await query.requesterByToken(hashOf('b2')), { userId: BOB, deviceId: 'ONE', ...PLAIN });
  await database.close();
});

test('the queries answer for what is there and for what is not', async () => {
  const { query, batch, database } = await openUserapi();
  await batch(
    { userId: ALICE, ...registration('ONE', 't1') },
    { userId: ALICE, setProfileField: { key: 'displayname', value: json('Al') } },
    { userId: ALICE, setProfileField: { key: 'org.example.list', value: json([1, null]) } },
    { userId: ALICE, setAccountData: { roomId: '', type: 'a.b', content: json({ x: 1.5 }) } },
    { userId: ALICE, setAccountData: { roomId: '!r:x', type: 'a.b', content: json({ x: 2 }) } },
    { userId: ALICE, putFilter: { filterId: 'f', definition: json({ room: {} }) } },
  );
  assert.deepEqual(await query.profile(ALICE), { displayname: 'Al', 'org.example.list': [1, null] });
  await batch({ userId: ALICE, setProfileField: { key: 'displayname', value: new Uint8Array(0) } });
  assert.deepEqual(await query.profile(ALICE), { 'org.example.list': [1, null] });
  assert.equal(await query.profile(BOB), undefined);
  assert.equal(await query.accountData(ALICE, '', 'a.b'), '{"x":1.5}');
  assert.equal(await query.accountData(ALICE, '!r:x', 'a.b'), '{"x":2}');
  assert.equal(await query.accountData(ALICE, '!r:x', 'a.c'), undefined);
  assert.equal(Buffer.from((await query.filter(ALICE, 'f'))!.definition).toString(), '{"room":{}}');
  assert.equal(await query.filter(BOB, 'f'), undefined);
  assert.deepEqual(await query.loginSecret(ALICE), { userId: ALICE, passwordHash: 'phc', deactivated: false });
  assert.equal(await query.loginSecret(BOB), undefined);
  assert.deepEqual([await query.userExists(ALICE), await query.userExists(BOB)], [true, false]);
  await database.close();
});

test('a commit that failed leaves nothing in memory', async () => {
  const { decide, batch, processor, database } = await openUserapi();
  await decide([{ userId: ALICE, ...registration('ONE', 't1') }]);
  processor.forget(PARTITION);
  assert.deepEqual(await batch({ userId: ALICE, ...registration('ONE', 't1') }), ['accepted']);
  await database.close();
});

test('the snapshot says in order, page by page, what the newest records said', async () => {
  const { batch, log, database } = await openUserapi();
  await batch({ userId: ALICE, ...registration('ONE', 't1') }, { userId: BOB, ...registration('ONE', 'b1') });
  await batch(
    { userId: ALICE, setProfileField: { key: 'displayname', value: json('Al') } },
    { userId: ALICE, setAccountData: { roomId: '', type: 'a.b', content: json({ x: 1 }) } },
    { userId: ALICE, login: { device: deviceWith('TWO', 't2') } },
  );
  await batch(
    { userId: ALICE, setAccountData: { roomId: '', type: 'a.b', content: json({ x: 2 }) } },
    { userId: ALICE, setProfileField: { key: 'displayname', value: new Uint8Array(0) } },
    { userId: ALICE, logout: { deviceId: 'TWO' } },
  );
  const pages = [];
  for (let after = 0, page = await userSnapshot(database, PARTITION, 0, 2); page.length > 0; page = await userSnapshot(database, PARTITION, after, 2)) {
    pages.push(...page);
    after = page.at(-1)!.sequence;
  }
  const nameOf = ({ userId, device, profileField, accountData }: UserOutput) => JSON.stringify([userId, device?.deviceId, profileField?.key, accountData?.type]);
  const sayOf = ({ device, profileField, accountData }: UserOutput) => [device?.removed ?? null, Buffer.from(profileField?.value ?? []).toString(), Buffer.from(accountData?.content ?? []).toString()];
  const newest = new Map(log.map((record) => [nameOf(record.output), record]));
  const expected = [...newest.values()].sort((a, b) => a.sequence - b.sequence);
  assert.ok(expected.length < log.length);
  assert.deepEqual(pages.map(({ sequence, output }) => [sequence, nameOf(output), sayOf(output)]), expected.map(({ sequence, output }) => [sequence, nameOf(output), sayOf(output)]));
  assert.deepEqual(await userSnapshot(database, PARTITION + 1, 0, 10), []);
  await database.close();
});

test('a record without a user is poison', async () => {
  const { processor, database } = await openUserapi();
  assert.throws(() => processor.decode(userInputCodec.encode({ inputId: 'i', replyTo: '', deadlineMs: 0, traceId: '', ts: 0, userId: '' })), PoisonRecord);
  await database.close();
});
