import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDevice, testIdentity } from '../../../test/kit/e2ee-keys.ts';
import { checkSignatures } from './check-signatures.ts';
import { crossSigningProblem, isSameKey, isSignedByMaster, nameOf } from './cross-signing.ts';
import { deviceKeysProblem, sessionKeysOf } from './device-keys.ts';
import { splitKeyId, withSignatures } from './key-object.ts';

const ALICE = '@alice:a.example';
const BOB = '@bob:b.example';
const { keys, master, selfSigning, userSigning } = testIdentity(ALICE);
const phone = testDevice(ALICE, 'PHONE');

test('key IDs have an algorithm and a name', () => {
  assert.deepEqual(splitKeyId('signed_curve25519:AA:B'), { algorithm: 'signed_curve25519', name: 'AA:B' });
  for (const bad of ['', 'a', ':a', 'a:', `a:${'b'.repeat(254)}`, 'a:\0']) assert.equal(splitKeyId(bad), undefined, bad);
});

test('keys of a device are signed by it; keys of algorithms that cannot sign need no signature', () => {
  const owner = { userId: ALICE, deviceId: 'PHONE' };
  assert.equal(deviceKeysProblem(phone.deviceKeys, owner), undefined);
  assert.equal(deviceKeysProblem({ ...phone.deviceKeys, extra: 1 }, owner)?.errcode, 'M_INVALID_SIGNATURE');
  assert.equal(deviceKeysProblem({ ...phone.deviceKeys, keys: { 'x:PHONE': 'y' }, signatures: {} }, owner), undefined);
  assert.equal(deviceKeysProblem({ ...phone.deviceKeys, signatures: { [ALICE]: { 'ed25519:PHONE': 1 } } }, owner)?.errcode, 'M_BAD_JSON');
  assert.deepEqual(sessionKeysOf({ 'curve25519:A': 'x' }, 'one_time_keys'), [{ algorithm: 'curve25519', keyId: 'A', key: 'x' }]);
});

test('a cross-signing key is one ed25519 key, named after itself, for the usage', () => {
  assert.deepEqual([crossSigningProblem(keys.master_key, ALICE, 'master'), nameOf(keys.master_key)], [undefined, master.publicKey]);
  const two = { ...(keys.master_key['keys'] as object), [`ed25519:${selfSigning.publicKey}`]: selfSigning.publicKey };
  const bad: [object, string][] = [
    [{ ...keys.master_key, user_id: BOB }, 'M_INVALID_PARAM'], [{ ...keys.master_key, usage: ['self_signing'] }, 'M_INVALID_PARAM'], [{ ...keys.master_key, usage: 'master' }, 'M_BAD_JSON'],
    [{ ...keys.master_key, keys: two }, 'M_INVALID_PARAM'], [{ ...keys.master_key, keys: { 'ed25519:x': 'x' } }, 'M_INVALID_PARAM'], [{ ...keys.master_key, signatures: 1 }, 'M_BAD_JSON'],
  ];
  for (const [key, errcode] of bad) assert.equal(crossSigningProblem(key, ALICE, 'master')?.errcode, errcode, JSON.stringify(key));
  assert.deepEqual([isSignedByMaster(keys.self_signing_key, ALICE, keys.master_key), isSignedByMaster(keys.self_signing_key, ALICE, testIdentity(BOB).keys.master_key)], [true, false]);
  assert.deepEqual([isSameKey(keys.master_key, phone.sign(keys.master_key)), isSameKey(keys.master_key, keys.self_signing_key), isSameKey(undefined, undefined)], [true, false, false]);
});

test('signatures are added to those that there are', () => {
  const added = withSignatures(phone.deviceKeys, [{ signer: ALICE, keyId: 'ed25519:x', signature: 's' }, { signer: BOB, keyId: 'ed25519:y', signature: 't' }]) as { signatures: Record<string, object> };
  assert.deepEqual(Object.entries(added.signatures).map(([user, signed]) => [user, Object.keys(signed)]), [[ALICE, ['ed25519:PHONE', 'ed25519:x']], [BOB, ['ed25519:y']]]);
  assert.ok(!JSON.stringify(phone.deviceKeys).includes(BOB), 'a copy');
});

test('devices are signed by the self-signing key, the master key by devices, others by the user-signing key; nothing else counts', () => {
  const bob = testIdentity(BOB);
  const known = { userId: ALICE, crossSigning: { master: keys.master_key, self_signing: keys.self_signing_key, user_signing: keys.user_signing_key }, devices: new Map([['PHONE', phone.deviceKeys]]), masters: { [BOB]: bob.keys.master_key } };
  const verdict = (user: string, key: string, object: object) => {
    const { good, failures } = checkSignatures({ [user]: { [key]: object } }, known);
    return failures[user]?.[key]?.errcode ?? good.map(({ signingKey }) => signingKey).join();
  };
  assert.equal(verdict(ALICE, 'PHONE', selfSigning.sign(phone.deviceKeys)), `ed25519:${selfSigning.publicKey}`);
  assert.equal(verdict(ALICE, master.publicKey, phone.sign(keys.master_key)), 'ed25519:PHONE');
  assert.equal(verdict(BOB, bob.master.publicKey, userSigning.sign(bob.keys.master_key)), `ed25519:${userSigning.publicKey}`);
  assert.equal(verdict(ALICE, 'PHONE', userSigning.sign(phone.deviceKeys)), 'M_INVALID_SIGNATURE');
  assert.equal(verdict(ALICE, selfSigning.publicKey, phone.sign(keys.self_signing_key)), 'M_NOT_FOUND');
  assert.equal(verdict(BOB, bob.master.publicKey, selfSigning.sign(bob.keys.master_key)), 'M_INVALID_SIGNATURE');
  assert.equal(verdict(ALICE, 'PHONE', selfSigning.sign({ ...phone.deviceKeys, extra: 1 })), 'M_INVALID_PARAM');
  assert.equal(verdict(ALICE, 'PHONE', { ...phone.deviceKeys, signatures: {} }), 'M_INVALID_SIGNATURE');
  assert.equal(verdict(ALICE, 'PHONE', phone.deviceKeys), '', 'what it had is no news');
});
