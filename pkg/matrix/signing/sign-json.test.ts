import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signingKeyIdsOf, signJson, verifyJson } from './sign-json.ts';
import { signingKeyFromSeed } from './signing-key.ts';

const KEY = signingKeyFromSeed('1', new Uint8Array(32).fill(1));
const SECOND = signingKeyFromSeed('2', new Uint8Array(32).fill(2));

test('several servers and keys sign one object', () => {
  const object = { a: 1, unsigned: { age: 3 } };
  const once = signJson(object, 'one.test', KEY);
  const all = signJson(signJson(once, 'one.test', SECOND), 'two.test', KEY);
  assert.deepEqual(object, { a: 1, unsigned: { age: 3 } });
  assert.deepEqual(signingKeyIdsOf(all, 'one.test'), ['ed25519:1', 'ed25519:2']);
  assert.ok(verifyJson(all, 'one.test', KEY.keyId, KEY.publicKey));
  assert.ok(verifyJson(all, 'one.test', SECOND.keyId, SECOND.publicKey));
  assert.ok(verifyJson({ ...all, unsigned: {} }, 'two.test', KEY.keyId, KEY.publicKey), 'unsigned is not signed');
  assert.ok(!verifyJson({ ...all, a: 2 }, 'two.test', KEY.keyId, KEY.publicKey));
  assert.ok(!verifyJson(all, 'three.test', KEY.keyId, KEY.publicKey));
  assert.ok(!verifyJson(all, 'two.test', SECOND.keyId, SECOND.publicKey));
});

test('malformed signatures are no signatures', () => {
  const values = [undefined, null, 5, 'x', [], { 'one.test': null }, { 'one.test': 'x' }, { 'one.test': { 'ed25519:1': 5 } }, { 'one.test': { 'ed25519:1': '*' } }];
  for (const signatures of values) assert.equal(verifyJson({ signatures }, 'one.test', KEY.keyId, KEY.publicKey), false);
  assert.equal(verifyJson({ ...signJson({}, 'one.test', KEY), a: 1.5 }, 'one.test', KEY.keyId, KEY.publicKey), false);
  assert.deepEqual(signingKeyIdsOf({ signatures: { 'one.test': { 'rsa:1': 'x' } } }, 'one.test'), []);
  assert.deepEqual(signingKeyIdsOf({}, 'toString'), []);
});
