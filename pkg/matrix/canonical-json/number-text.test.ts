import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson, CanonicalJsonError, tolerantJson } from './canonical-json.ts';

/** Texts that Python's `json.dumps` gives back as they are when it has read them, which is how events of old rooms are hashed. */
const TEXTS = [
  '1.5', '-0.25', '0.1', '50.57', '0.0001', '1e-05', '1.5e-07', '-2.25e-10', '9007199254740992', '-9007199254740994', '1152921504606846976', '9223372036854775807', '-9223372036854775808',
  '1e+100', '-1.7976931348623157e+308', '123456.789',
];

test('numbers of old rooms come back as they were written', () => {
  for (const text of TEXTS) {
    assert.equal(tolerantJson({ b: [JSON.parse(text)], a: 1 }), `{"a":1,"b":[${text}]}`);
    assert.throws(() => canonicalJson({ a: JSON.parse(text) as unknown }), CanonicalJsonError);
  }
});

test('all that is canonical is the same to both', () => {
  const value = { b: [1, -5, 0, null, true, 2 ** 53 - 1], a: { é: '\u0000"', '\u{10000}': 1, '\uffff': 2 } };
  assert.equal(tolerantJson(value), canonicalJson(value));
  assert.equal(tolerantJson([-0]), '[0]');
});

test('what is no JSON is refused by both', () => {
  for (const bad of [NaN, Infinity, -Infinity, undefined, 5n, '\ud800']) assert.throws(() => tolerantJson([bad]), CanonicalJsonError);
});
