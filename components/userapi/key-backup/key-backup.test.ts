import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ALICE, json, openUserapi, registration, type UserDriver, type Wish } from '../../../test/kit/user-driver.ts';
import type { BackupKey } from '../../../schemas/log/user-input.ts';
import { isBetter } from './decide-key-backup.ts';

const ALGORITHM = 'm.megolm_backup.v1.curve25519-aes-sha2';
const of = (more: Omit<Wish, 'userId'>): Wish => ({ userId: ALICE, ...more });
const CREATE = of({ createKeyBackup: { algorithm: ALGORITHM, authData: json({ public_key: 'abc' }) } });
const key = (roomId: string, sessionId: string, more: Partial<BackupKey> = {}): BackupKey => ({ roomId, sessionId, firstMessageIndex: 5, forwardedCount: 5, isVerified: false, sessionData: json({ s: sessionId }), ...more });
const put = (version: string, ...keys: BackupKey[]): Wish => of({ changeBackupKeys: { version, put: keys, roomId: '', sessionId: '', takesOut: false } });
const takeOut = (version: string, roomId = '', sessionId = ''): Wish => of({ changeBackupKeys: { version, put: [], roomId, sessionId, takesOut: true } });

async function open(): Promise<UserDriver> {
  const users = await openUserapi();
  await users.batch(of(registration('PHONE', 'a')));
  return users;
}

const state = async ({ query }: UserDriver, version?: string) => {
  const backup = await query.keyBackup(ALICE, version);
  return backup && [backup.version, backup.etag, backup.count];
};
const keys = async ({ query }: UserDriver, version: string) => (await query.backupKeys(ALICE, version, { roomId: '', sessionId: '', after: { roomId: '', sessionId: '' }, limit: 1000 })).map(({ roomId, sessionId }) => `${roomId} ${sessionId}`);

test('versions count up, are updated, and go; no number comes twice', async () => {
  const users = await open();
  assert.equal(await state(users), undefined);
  await users.batch(CREATE, CREATE);
  assert.deepEqual(await state(users), ['2', '0', 0]);
  assert.deepEqual(await state(users, '1'), ['1', '0', 0]);
  assert.deepEqual(await users.batch(of({ updateKeyBackup: { version: '1', algorithm: ALGORITHM, authData: json({ new: 1 }) } }), of({ updateKeyBackup: { version: '1', algorithm: 'other', authData: json({}) } }), of({ updateKeyBackup: { version: '3', algorithm: ALGORITHM, authData: json({}) } })),
    ['accepted', 'M_INVALID_PARAM', 'M_NOT_FOUND']);
  assert.deepEqual(JSON.parse(Buffer.from((await users.query.keyBackup(ALICE, '1'))!.authData).toString()), { new: 1 });
  const remove = (version: string) => of({ deleteKeyBackup: { version } });
  assert.deepEqual(await users.batch(put('2', key('!a', '1')), remove('2'), remove('2'), remove('3'), remove('x')), ['accepted', 'accepted', 'accepted', 'M_NOT_FOUND', 'M_NOT_FOUND']);
  assert.deepEqual([await state(users), await state(users, '2'), await keys(users, '2')], [['1', '0', 0], undefined, []]);
  await users.batch(CREATE);
  assert.deepEqual(await state(users), ['3', '0', 0]);
  assert.deepEqual(await users.batch(remove('2'), remove('3'), remove('1')), ['accepted', 'accepted', 'accepted']);
  assert.equal(await state(users), undefined);
  await users.batch(CREATE);
  assert.deepEqual(await state(users), ['4', '0', 0]);
});

test('keys go into the current version only', async () => {
  const users = await open();
  assert.deepEqual(await users.batch(put('1', key('!a', '1'))), ['M_NOT_FOUND']);
  await users.batch(CREATE, CREATE);
  const { decisions } = await users.decide([put('1', key('!a', '1'))]) as { decisions: { outcome: { status: number; errcode: string; fields: object } }[] };
  assert.deepEqual([decisions[0]!.outcome.status, decisions[0]!.outcome.errcode, decisions[0]!.outcome.fields], [403, 'M_WRONG_ROOM_KEYS_VERSION', { current_version: '2' }]);
  assert.deepEqual(await users.batch(put('2', key('!a', '1')), put('9', key('!a', '1'))), ['accepted', 'M_WRONG_ROOM_KEYS_VERSION']);
});

test('etag changes with the keys, and with nothing else', async () => {
  const users = await open();
  await users.batch(CREATE);
  for (const [input, expected] of [
    [put('1', key('!a', '1'), key('!b', '1')), ['1', '1', 2]], [put('1', key('!a', '1')), ['1', '1', 2]], [put('1'), ['1', '1', 2]], [put('1', key('!a', '1', { isVerified: true })), ['1', '2', 2]],
    [takeOut('1', '!c'), ['1', '2', 2]], [takeOut('1', '!a', '2'), ['1', '2', 2]], [takeOut('1', '!a', '1'), ['1', '3', 1]], [takeOut('1'), ['1', '4', 0]], [takeOut('1'), ['1', '4', 0]],
  ] as const) {
    assert.deepEqual(await users.batch(input), ['accepted']);
    assert.deepEqual(await state(users), expected);
  }
  assert.deepEqual(await users.batch(takeOut('2')), ['M_NOT_FOUND']);
});

test('which key replaces which', () => {
  const [verified, unverified] = [key('!a', '1', { isVerified: true, firstMessageIndex: 9, forwardedCount: 9 }), key('!a', '1')];
  assert.deepEqual([isBetter(verified, unverified), isBetter(unverified, verified)], [true, false]);
  const earlier = key('!a', '1', { firstMessageIndex: 4, forwardedCount: 9 });
  assert.deepEqual([isBetter(earlier, unverified), isBetter(unverified, earlier)], [true, false]);
  const nearer = key('!a', '1', { forwardedCount: 4 });
  assert.deepEqual([isBetter(nearer, unverified), isBetter(unverified, nearer), isBetter(unverified, unverified)], [true, false, false]);
});

test('keys are read page by page, of all rooms, of one, or one alone', async () => {
  const users = await open();
  await users.batch(CREATE, put('1', key('!b', '2'), key('!a', '2'), key('!a', '1'), key('!b', '1')));
  const read = async (wish: object) => (await users.query.backupKeys(ALICE, '1', { roomId: '', sessionId: '', after: { roomId: '', sessionId: '' }, limit: 3, ...wish })).map(({ roomId, sessionId }) => `${roomId} ${sessionId}`);
  assert.deepEqual(await read({}), ['!a 1', '!a 2', '!b 1']);
  assert.deepEqual(await read({ after: { roomId: '!b', sessionId: '1' } }), ['!b 2']);
  assert.deepEqual(await read({ roomId: '!b', after: { roomId: '!b', sessionId: '1' } }), ['!b 2']);
  assert.deepEqual(await read({ roomId: '!a' }), ['!a 1', '!a 2']);
  assert.deepEqual(await read({ roomId: '!a', sessionId: '2' }), ['!a 2']);
  const [one] = await users.query.backupKeys(ALICE, '1', { roomId: '!a', sessionId: '2', after: { roomId: '', sessionId: '' }, limit: 1 });
  assert.deepEqual(JSON.parse(one!.json), { first_message_index: 5, forwarded_count: 5, is_verified: false, session_data: { s: '2' } });
});

test('the end of an account is the end of its backups', async () => {
  const users = await open();
  await users.batch(CREATE, put('1', key('!a', '1')), of({ deactivate: { erase: false, roomSequences: [] } }));
  assert.deepEqual([await state(users, '1'), await keys(users, '1')], [undefined, []]);
});

const sessionOf = fc.constantFrom('1', '2', '3');
const roomOf = fc.constantFrom('!a', '!b');
const rank = fc.record({ firstMessageIndex: fc.integer({ min: 0, max: 2 }), forwardedCount: fc.integer({ min: 0, max: 2 }), isVerified: fc.boolean() });
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), keys: fc.uniqueArray(fc.tuple(roomOf, sessionOf, rank), { maxLength: 5, selector: ([room, session]) => `${room} ${session}` }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gone' as const), room: fc.option(roomOf, { nil: '' }), session: fc.option(sessionOf, { nil: '' }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('version' as const), isNew: fc.boolean() }) },
);

test('however inputs fall into batches, a backup holds what a plain model of it holds', async () => {
  await fc.assert(fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 6 }), async (changes, size) => {
    const users = await open();
    await users.batch(CREATE);
    let [version, etag] = [1, 0];
    let model = new Map<string, BackupKey>();
    const inputs: Wish[] = [];
    for (const one of changes) {
      const before = JSON.stringify([...model]);
      if (one.kind === 'put') {
        const wanted = one.keys.map(([room, session, more]) => key(room, session, more));
        inputs.push(put(String(version), ...wanted));
        for (const each of wanted) if (isBetter(each, model.get(`${each.roomId} ${each.sessionId}`))) model.set(`${each.roomId} ${each.sessionId}`, each);
      } else if (one.kind === 'gone') {
        const session = one.room === '' ? '' : one.session;
        inputs.push(takeOut(String(version), one.room, session));
        for (const name of [...model.keys()]) if ((one.room === '' || name.startsWith(`${one.room} `)) && (session === '' || name.endsWith(` ${session}`))) model.delete(name);
      } else {
        if (!one.isNew) inputs.push(of({ deleteKeyBackup: { version: String(version) } }));
        inputs.push(CREATE);
        [version, etag, model] = [version + 1, 0, new Map()];
        continue;
      }
      if (JSON.stringify([...model]) !== before) etag += 1;
    }
    for (let at = 0; at < inputs.length; at += size) await users.batch(...inputs.slice(at, at + size));
    assert.deepEqual(await state(users), [String(version), String(etag), model.size]);
    const stored = await users.query.backupKeys(ALICE, String(version), { roomId: '', sessionId: '', after: { roomId: '', sessionId: '' }, limit: 100 });
    const shown = ({ firstMessageIndex, forwardedCount, isVerified }: BackupKey) => [firstMessageIndex, forwardedCount, isVerified];
    assert.deepEqual(new Map(stored.map(({ roomId, sessionId, json: text }) => {
      const data = JSON.parse(text) as Record<string, unknown>;
      return [`${roomId} ${sessionId}`, [data['first_message_index'], data['forwarded_count'], data['is_verified']]];
    })), new Map([...model].sort().map(([name, each]) => [name, shown(each)])));
    await users.database.close();
  }), { numRuns: 60 });
});
