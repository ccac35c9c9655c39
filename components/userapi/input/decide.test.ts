import assert from 'node:assert/strict';
import { test } from 'node:test';
import { userOutputCodec } from '../../../pkg/log/codec.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import { PROFILE_BYTES_MAX } from './decide-profile.ts';
import { CONTENT_BYTES_MAX, decideUserInput } from './decide.ts';
import { emptyPicture, type UserPicture } from './picture.ts';

const ALICE = '@alice:test.example';
const PLACE = { nextSequence: 41, nowMs: 0 };
const DEVICE = { deviceId: 'PHONE', tokenHash: new Uint8Array(32).fill(1), displayName: 'Phone' };

function input(kind: Partial<UserInput>): UserInput {
  return { inputId: 'i1', replyTo: '', deadlineMs: 0, traceId: 't1', ts: 1000, userId: ALICE, ...kind };
}

function withAccount(more: Partial<UserPicture> = {}): UserPicture {
  return { ...emptyPicture(), account: { deactivated: false, isErased: false, isGuest: false, isLocked: false, acceptedTerms: '' }, ...more };
}

function bytes(length: number): Uint8Array {
  return Buffer.from(JSON.stringify('x'.repeat(length - 2)));
}

function accept(picture: UserPicture, kind: Partial<UserInput>) {
  const decision = decideUserInput(picture, input(kind), PLACE);
  assert.equal(decision.kind, 'accepted');
  if (decision.kind !== 'accepted') throw new Error('not accepted');
  return { writes: decision.effects.writes, outputs: decision.outputs.map((record) => userOutputCodec.decode(record)), result: decision.result };
}

function refusal(picture: UserPicture, kind: Partial<UserInput>): string {
  const decision = decideUserInput(picture, input(kind), PLACE);
  assert.equal(decision.kind, 'rejected');
  return decision.kind === 'rejected' ? `${decision.outcome.status} ${decision.outcome.errcode}` : '';
}

test('a registration makes the account, its device and the token', () => {
  const { writes, outputs } = accept(emptyPicture(), { register: { passwordHash: 'phc', kind: 'user', device: DEVICE } });
  assert.deepEqual(writes.map((write) => write.kind), ['account', 'device', 'tokens']);
  assert.deepEqual(writes[1], { kind: 'device', deviceId: 'PHONE', displayName: 'Phone', sequence: 41 });
  assert.deepEqual(outputs.map(({ userId, inputId, traceId, device }) => ({ userId, inputId, traceId, device: { ...device } })), [{ userId: ALICE, inputId: 'i1', traceId: 't1', device: { deviceId: 'PHONE' } }]);
});

test('a registration without log-in makes the account alone and tells nobody', () => {
  const { writes, outputs } = accept(emptyPicture(), { register: { passwordHash: 'phc', kind: 'user' } });
  assert.deepEqual(writes, [{ kind: 'account', passwordHash: 'phc', accountKind: 'user', isAdmin: false }]);
  assert.equal(outputs.length, 0);
  assert.deepEqual(accept(emptyPicture(), { register: { passwordHash: 'phc', kind: 'user', admin: true } }).writes, [{ kind: 'account', passwordHash: 'phc', accountKind: 'user', isAdmin: true }]);
});

test('a taken name is refused, and so is everything for an account that does not exist or is deactivated', () => {
  assert.equal(refusal(withAccount(), { register: { passwordHash: 'phc', kind: 'user' } }), '400 M_USER_IN_USE');
  assert.equal(refusal(emptyPicture(), { login: { device: DEVICE } }), '404 M_NOT_FOUND');
  assert.equal(refusal(withAccount({ account: { deactivated: true, isErased: false, isGuest: false, isLocked: false, acceptedTerms: '' } }), { login: { device: DEVICE } }), '403 M_USER_DEACTIVATED');
});

test('a log-in on an existing device replaces its token and keeps its name', () => {
  const { writes } = accept(withAccount({ devices: new Map([['PHONE', 'Old phone']]) }), { login: { device: DEVICE } });
  assert.deepEqual(writes, [
    { kind: 'device', deviceId: 'PHONE', displayName: 'Old phone', sequence: 41 },
    { kind: 'tokens', deviceId: 'PHONE', tokens: [{ tokenHash: DEVICE.tokenHash, createdAt: 1000, expiresMs: 0, isNew: false, familyHash: null, refreshHash: null, refreshExpiresMs: 0 }] },
  ]);
});

test('logging out of one device leaves the others; of all, none; of a device that is gone, nothing happens', () => {
  const devices = new Map([['PHONE', ''], ['LAPTOP', '']]);
  assert.deepEqual(accept(withAccount({ devices }), { logout: { deviceId: 'PHONE' } }).outputs.map((output) => output.device?.deviceId), ['PHONE']);
  const all = accept(withAccount({ devices }), { logout: { deviceId: '' } });
  assert.deepEqual(all.outputs.map((output) => [output.device?.deviceId, output.device?.removed]), [['LAPTOP', true], ['PHONE', true]]);
  assert.deepEqual(all.writes.filter((write) => write.kind === 'device-removed').map((write) => write.sequence), [41, 42]);
  assert.deepEqual(accept(withAccount({ devices }), { logout: { deviceId: 'TABLET' } }), { writes: [], outputs: [], result: {} });
});

test('a profile field is set, not set twice, and removed', () => {
  const value = Buffer.from('"Al"');
  const set = accept(withAccount(), { setProfileField: { key: 'displayname', value } });
  assert.deepEqual(set.writes, [{ kind: 'profile', field: 'displayname', value, sequence: 41 }, { kind: 'profile-changed', mark: 41 }]);
  const present = withAccount({ profile: new Map([['displayname', value]]) });
  assert.equal(accept(present, { setProfileField: { key: 'displayname', value: Buffer.from('"Al"') } }).outputs.length, 0);
  const removed = accept(present, { setProfileField: { key: 'displayname', value: new Uint8Array(0) } });
  assert.equal(removed.outputs[0]?.profileField?.value.length, 0);
  assert.equal(accept(withAccount(), { setProfileField: { key: 'displayname', value: new Uint8Array(0) } }).outputs.length, 0);
});

test('a profile of exactly 64 KiB is taken, one byte more is not', () => {
  // {"a":…,"b":…,} counts two braces, and five bytes for each field's key, colon and comma.
  const present = withAccount({ profile: new Map([['a', bytes(1000)]]) });
  const room = PROFILE_BYTES_MAX - 2 - (1000 + 5) - 5;
  assert.equal(accept(present, { setProfileField: { key: 'b', value: bytes(room) } }).outputs.length, 1);
  assert.equal(refusal(present, { setProfileField: { key: 'b', value: bytes(room + 1) } }), '400 M_PROFILE_TOO_LARGE');
  assert.equal(refusal(present, { setProfileField: { key: 'k'.repeat(256), value: bytes(3) } }), '400 M_KEY_TOO_LARGE');
});

test('account data and filters are bounded', () => {
  assert.equal(accept(withAccount(), { setAccountData: { roomId: '', type: 'a.b', content: bytes(CONTENT_BYTES_MAX) } }).outputs.length, 1);
  assert.equal(refusal(withAccount(), { setAccountData: { roomId: '', type: 'a.b', content: bytes(CONTENT_BYTES_MAX + 1) } }), '413 M_TOO_LARGE');
  assert.deepEqual(accept(withAccount(), { putFilter: { filterId: 'f', definition: Buffer.from('{}') } }).result, { filter_id: 'f' });
  assert.equal(refusal(withAccount(), { putFilter: { filterId: 'f', definition: bytes(CONTENT_BYTES_MAX + 1) } }), '413 M_TOO_LARGE');
});

test('an input of an unknown kind is poison', () => {
  assert.throws(() => decideUserInput(withAccount(), input({}), PLACE), PoisonRecord);
});
