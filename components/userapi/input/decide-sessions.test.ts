/** Tokens over a real database: what refreshing, confirming and issuing leave behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, BOB, deviceWith, hashOf, openUserapi, registration, type UserDriver } from '../../../test/kit/user-driver.ts';
import { ISSUED_TOKENS_MAX, UNUSED_REFRESHES_MAX } from './decide-sessions.ts';

const refreshed = (deviceId: string, name: string) => ({ ...deviceWith(deviceId, `${name}-a`), familyHash: hashOf(`family ${deviceId}`), refreshHash: hashOf(`${name}-r`), expiresMs: 900_000 });
const refresh = (from: string, to: string, deviceId = 'ONE') => ({
  userId: ALICE,
  refreshTokens: {
    deviceId, familyHash: hashOf(`family ${deviceId}`), refreshHash: hashOf(`${from}-r`), newTokenHash: hashOf(`${to}-a`), expiresMs: 900_000, newRefreshHash: hashOf(`${to}-r`), refreshExpiresMs: 0,
  },
});
const confirm = (name: string, deviceId = 'ONE') => ({ userId: ALICE, confirmToken: { deviceId, tokenHash: hashOf(`${name}-a`) } });

/** Names of the access tokens that are there; ended ones in brackets, those that were not used yet with a question mark. */
async function tokens({ database }: UserDriver, names: readonly string[]): Promise<string> {
  const rows = await database.query<{ token_hash: Uint8Array; expires_at: number; is_new: number }>('SELECT token_hash, expires_at, is_new FROM access_tokens WHERE user_id = ?', [ALICE]);
  const nameOf = (hash: Uint8Array) => names.find((name) => Buffer.compare(hashOf(`${name}-a`), hash) === 0) ?? 'stranger';
  return rows.map((row) => (row.expires_at === 1 ? `(${nameOf(row.token_hash)})` : `${nameOf(row.token_hash)}${row.is_new ? '?' : ''}`)).sort().join(' ');
}

async function withAlice(): Promise<UserDriver> {
  const users = await openUserapi();
  await users.batch({ userId: ALICE, register: { passwordHash: 'phc', kind: 'user', device: refreshed('ONE', 't1') } }, { userId: BOB, ...registration('ONE', 'bob') });
  return users;
}

test('refreshing in one batch is as refreshing one after the other', async () => {
  const names = ['t1', 't2', 't3', 't4'];
  const [together, apart] = [await withAlice(), await withAlice()];
  const inputs = [refresh('t1', 't2'), refresh('t1', 't3'), confirm('t3'), confirm('t3'), confirm('t2'), refresh('t3', 't4')];
  assert.deepEqual(await together.batch(...inputs), inputs.map(() => 'accepted'));
  for (const input of inputs) assert.deepEqual(await apart.batch(input), ['accepted']);
  for (const users of [together, apart]) {
    assert.equal(await tokens(users, names), '(t1) t3 t4?');
    assert.equal((await users.query.requesterByToken(hashOf('t4-a')))?.token?.isNew, true);
    assert.deepEqual(await users.query.sessionOfFamily(hashOf('family ONE')), { userId: ALICE, deviceId: 'ONE' });
    assert.ok((await users.query.requesterByToken(hashOf('bob'))) !== undefined, "others' tokens stay");
    await users.database.close();
  }
});

test('answers that are lost over and over leave a bounded number of tokens; the newest are good', async () => {
  const users = await withAlice();
  const names = ['t1', ...Array.from({ length: 9 }, (_, index) => `n${index}`)];
  for (const name of names.slice(1)) assert.deepEqual(await users.batch(refresh('t1', name)), ['accepted']);
  assert.equal(await tokens(users, names), ['n5?', 'n6?', 'n7?', 'n8?', 't1'].join(' '));
  assert.equal(UNUSED_REFRESHES_MAX, 4);
  await users.batch(refresh('n7', 'last'));
  assert.equal(await tokens(users, [...names, 'last']), '(t1) last? n7', 'one that refreshes was received');
  await users.database.close();
});

test('each session has its family: one that ends leaves the others, and a new log-in leaves nothing of the old one', async () => {
  const users = await withAlice();
  await users.batch({ userId: ALICE, login: { device: refreshed('TWO', 's1') } });
  assert.deepEqual(await users.batch(refresh('s1', 's2', 'TWO'), confirm('s2', 'TWO'), refresh('gone', 'x')), ['accepted', 'accepted', 'M_UNKNOWN_TOKEN']);
  await users.batch({ userId: ALICE, login: { device: { ...refreshed('ONE', 'u1'), familyHash: hashOf('another family') } } });
  assert.equal(await tokens(users, ['t1', 's1', 's2', 'u1']), '(s1) s2 u1');
  assert.deepEqual(await users.batch(refresh('t1', 'x')), ['M_UNKNOWN_TOKEN']);
  assert.equal(await tokens(users, ['t1', 's1', 's2', 'u1']), '(s1) s2 u1');
  assert.deepEqual(await users.batch({ userId: ALICE, removeDevices: { deviceIds: ['TWO', 'TWO', 'NONE'] } }), ['accepted']);
  assert.equal(await tokens(users, ['u1']), 'u1');
  assert.equal(users.log.filter(({ output }) => output.device?.removed === true).length, 1);
  await users.database.close();
});

test('issued tokens are bounded for each user and purpose, and swept when their time is over', async () => {
  const users = await withAlice();
  const issue = (name: string, expiresMs: number, purpose = 'openid') => ({ userId: ALICE, issueToken: { purpose, tokenHash: hashOf(name), expiresMs } });
  const count = async () => (await users.database.query<{ n: number }>('SELECT COUNT(*) AS n FROM issued_tokens'))[0]!.n;
  await users.batch(issue('login', 500_000, 'login'), ...Array.from({ length: ISSUED_TOKENS_MAX + 3 }, (_, index) => issue(`o${index}`, 400_000 + index)));
  assert.equal(await count(), ISSUED_TOKENS_MAX + 1);
  assert.equal(await users.query.issuedToken('openid', hashOf('o2')), undefined);
  assert.deepEqual(await users.query.issuedToken('openid', hashOf('o3')), { userId: ALICE, expiresMs: 400_003 });
  assert.equal(await users.query.issuedToken('openid', hashOf('login')), undefined);
  const byToken = (name: string) => ({ userId: ALICE, login: { device: deviceWith('THREE', `by ${name}`), loginTokenHash: hashOf(name) } });
  assert.deepEqual(await users.batch(byToken('login'), byToken('login'), byToken('o3')), ['accepted', 'M_FORBIDDEN', 'M_FORBIDDEN']);
  await users.batch({ ...issue('late', 900_000), ts: 500_000 });
  assert.equal(await count(), 1);
  await users.database.close();
});

test('stages of a session are kept in order, and the session is used up once', async () => {
  const users = await withAlice();
  const step = (stage: string, ts = 2000) => ({ userId: '~session', ts, uiaStep: { stage, expiresMs: 10_000 } });
  assert.deepEqual(await users.batch(step('b'), step('a'), step('b')), ['accepted', 'accepted', 'accepted']);
  assert.deepEqual(await users.query.uiaSession('~session'), { stages: ['b', 'a'], isUsedUp: false });
  assert.deepEqual(await users.batch(step(''), step(''), step('c')), ['accepted', 'M_FORBIDDEN', 'M_FORBIDDEN']);
  assert.deepEqual(await users.query.uiaSession('~session'), { stages: ['b', 'a'], isUsedUp: true });
  await users.batch({ ...step('x', 10_000), userId: '~other' });
  assert.equal(await users.query.uiaSession('~session'), undefined);
  await users.database.close();
});
