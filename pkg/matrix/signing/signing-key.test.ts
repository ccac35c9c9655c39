import assert from 'node:assert/strict';
import { test } from 'node:test';
import nacl from 'tweetnacl';
import { encodeBase64 } from '../canonical-json/base64.ts';
import { formatSigningKeyFile, parseSigningKeyFile, signingKeyFromSeed, verifySignature } from './signing-key.ts';

const seedOf = (fill: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, index) => (index * 31 + fill * 17) % 256);

test('node:crypto and tweetnacl make and accept the same signatures', () => {
  for (let fill = 0; fill < 20; fill++) {
    const key = signingKeyFromSeed('a_1', seedOf(fill));
    const bytes = new Uint8Array(fill * 13).fill(fill);
    const pair = nacl.sign.keyPair.fromSeed(seedOf(fill));
    const signature = key.sign(bytes);
    assert.deepEqual(key.publicKey, pair.publicKey);
    assert.deepEqual(Uint8Array.from(signature), nacl.sign.detached(bytes, pair.secretKey));
    assert.ok(verifySignature(key.publicKey, bytes, signature));
  }
});

test('a changed signature, text or key is refused', () => {
  const key = signingKeyFromSeed('1', seedOf(1));
  const bytes = Buffer.from('text');
  const signature = key.sign(bytes);
  const flip = (from: Uint8Array): Uint8Array => Uint8Array.from(from, (byte, index) => (index === 3 ? byte ^ 1 : byte));
  assert.ok(verifySignature(key.publicKey, bytes, signature));
  assert.ok(!verifySignature(key.publicKey, bytes, flip(signature)));
  assert.ok(!verifySignature(key.publicKey, Buffer.from('tixt'), signature));
  assert.ok(!verifySignature(signingKeyFromSeed('1', seedOf(2)).publicKey, bytes, signature));
  assert.ok(!verifySignature(key.publicKey.slice(1), bytes, signature));
  assert.ok(!verifySignature(key.publicKey, bytes, signature.slice(1)));
  assert.ok(!verifySignature(flip(key.publicKey), bytes, signature), 'a key that may be no point of the curve');
});

test('the key file holds the key', () => {
  const text = formatSigningKeyFile('a_1', seedOf(3));
  assert.equal(text, `ed25519 a_1 ${encodeBase64(seedOf(3))}\n`);
  const key = parseSigningKeyFile(text);
  assert.equal(key.keyId, 'ed25519:a_1');
  assert.deepEqual(key.publicKey, signingKeyFromSeed('a_1', seedOf(3)).publicKey);
  assert.equal(parseSigningKeyFile(`\n  ed25519\ta_1  ${encodeBase64(seedOf(3))}=  \r\n`).keyId, 'ed25519:a_1');
});

const good = encodeBase64(seedOf(3));
const BAD_FILES: [title: string, text: string, message: RegExp][] = [
  ['empty', '', /one line, this one holds 0/],
  ['two keys', `ed25519 1 ${good}\ned25519 2 ${good}\n`, /one line, this one holds 2/],
  ['a bare seed', good, /"ed25519 <key version> <base64 seed>"/],
  ['another algorithm', `rsa 1 ${good}`, /algorithm must be ed25519/],
  ['a bad version', `ed25519 a:1 ${good}`, /only letters, digits and underscores/],
  ['no base64', `ed25519 1 ${'*'.repeat(43)}`, /32 bytes in base64/],
  ['a short seed', 'ed25519 1 c2hvcnQ', /32 bytes in base64/],
];

for (const [title, text, message] of BAD_FILES) {
  test(`a key file that is ${title}`, () => {
    assert.throws(() => parseSigningKeyFile(text), (error: Error) => {
      assert.match(error.message, message);
      return error.name === 'SigningKeyFileError' && !error.message.includes(good);
    });
  });
}

test('a seed of another length or a malformed version make no key', () => {
  assert.throws(() => signingKeyFromSeed('1', new Uint8Array(31)), /32 bytes, not 31/);
  assert.throws(() => signingKeyFromSeed('', new Uint8Array(32)), /letters, digits and underscores/);
});
