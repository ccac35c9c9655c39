/** The processor over a real database: what a batch leaves behind, and what the queries say of it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { userInputCodec, userOutputCodec } from '../../../pkg/log/codec.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { Decision, InputPlace } from '../../../pkg/log/processor.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import { userSnapshot } from '../query/snapshot.ts';
import { userQuery } from '../query/user-query.ts';
import { userapiMigrations } from '../storage/migrations.ts';
import type { UserEffects } from './effects.ts';
import { createUserProcessor } from './processor.ts';

const ALICE = '@alice:test.example';
const BOB = '@bob:test.example';
const PARTITION = 3;

const hashOf = (token: string): Uint8Array => createHash('sha256').update(token).digest();
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const deviceWith = (deviceId: string, token: string) => ({ deviceId, tokenHash: hashOf(token), displayName: deviceId.toLowerCase() });
const registration = (deviceId: string, token: string) => ({ register: { passwordHash: 'phc', kind: 'user', device: deviceWith(deviceId, token) } });

async function openUserapi() {
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'userapi', userapiMigrations, 0);
  const processor = createUserProcessor({ database });
  const log: { sequence: number; output: UserOutput }[] = [];
  let numbers = 0;

  async function decide(batch: readonly (Partial<UserInput> & { userId: string })[]) {
    const inputs = batch.map((one) => processor.decode(userInputCodec.encode({ inputId: `i${(numbers += 1)}`, replyTo: '', deadlineMs: 0, traceId: '', ts: 1000 + numbers, ...one })));
    await processor.load(inputs.map((input) => ({ input, partition: PARTITION })));
    const accepted: { place: InputPlace; effects: UserEffects }[] = [];
    const decisions: Decision<UserEffects>[] = [];
    const made: typeof log = [];
    for (const input of inputs) {
      const place = { partition: PARTITION, epoch: 1, nextSequence: log.length + made.length + 1, nowMs: 0 };
      const decision = processor.decide(input, place);
      decisions.push(decision);
      if (decision.kind !== 'accepted') continue;
      accepted.push({ place, effects: decision.effects });
      for (const record of decision.outputs) made.push({ sequence: log.length + made.length + 1, output: userOutputCodec.decode(record) });
    }
    return { accepted, decisions, made };
  }

  async function batch(...inputs: readonly (Partial<UserInput> & { userId: string })[]): Promise<string[]> {
    const { accepted, decisions, made } = await decide(inputs);
    await database.transaction((tx) => processor.commit(tx, accepted));
    processor.committed?.(accepted);
    log.push(...made);
    return decisions.map((decision) => (decision.kind === 'rejected' ? decision.outcome.errcode : decision.kind));
  }
  return { database, processor, query: userQuery(database), log, decide, batch };
}

test('of two registrations of one name in one batch, the first wins', async () => {
  const { query, batch, database } = await openUserapi();
  assert.deepEqual(await batch({ userId: ALICE, ...registration('ONE', 't1') }, { userId: ALICE, ...registration('TWO', 't2') }), ['accepted', 'M_USER_IN_USE']);
  assert.deepEqual(await query.requesterByToken(hashOf('t1')), { userId: ALICE, deviceId: 'ONE', isGuest: false });
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
  assert.deepEqual(await query.requesterByToken(hashOf('t3')), { userId: ALICE, deviceId: 'ONE', isGuest: false });
  await database.close();
});

test('logging out after logging in, in one batch, leaves no token; logging in after logging out leaves one', async () => {
  const { query, batch, database } = await openUserapi();
  await batch({ userId: ALICE, ...registration('ONE', 't1') }, { userId: BOB, ...registration('ONE', 'b1') });
  await batch({ userId: ALICE, login: { device: deviceWith('TWO', 't2') } }, { userId: ALICE, logout: { deviceId: '' } });
  for (const token of ['t1', 't2']) assert.equal(await query.requesterByToken(hashOf(token)), undefined);
  await batch({ userId: BOB, logout: { deviceId: 'ONE' } }, { userId: BOB, login: { device: deviceWith('ONE', 'b2') } });
  assert.equal(await query.requesterByToken(hashOf('b1')), undefined);
  assert.deepEqual(await query.requesterByToken(hashOf('b2')), { userId: BOB, deviceId: 'ONE', isGuest: false });
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
