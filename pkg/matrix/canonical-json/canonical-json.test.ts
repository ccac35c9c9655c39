import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from './base64.ts';
import { CANONICAL_JSON_DEPTH_MAX, CanonicalJsonError, canonicalJson } from './canonical-json.ts';

test('numbers are integers that a double holds exactly', () => {
  assert.equal(canonicalJson([2 ** 53 - 1, -(2 ** 53) + 1, -0]), '[9007199254740991,-9007199254740991,0]');
  for (const bad of [2 ** 53, -(2 ** 53), 0.5, NaN, Infinity, 1e300]) assert.throws(() => canonicalJson({ a: bad }), CanonicalJsonError);
});

test('what is not JSON is refused, absent members are left out', () => {
  for (const bad of [undefined, () => 1, Symbol('s'), 5n, [undefined]]) assert.throws(() => canonicalJson(bad), CanonicalJsonError);
  assert.equal(canonicalJson({ b: undefined, a: 1, c: undefined }), '{"a":1}');
});

test('nesting has a limit', () => {
  const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
  assert.equal(canonicalJson(nested(CANONICAL_JSON_DEPTH_MAX)).length, 2 * CANONICAL_JSON_DEPTH_MAX);
  assert.throws(() => canonicalJson(nested(CANONICAL_JSON_DEPTH_MAX + 1)), CanonicalJsonError);
  assert.throws(() => canonicalJson(nested(50_000)), CanonicalJsonError);
});

test('a flood of different keys changes nothing', () => {
  for (let index = 0; index < 10_000; index++) assert.equal(canonicalJson({ [`key${index}`]: index, '"': 1 }), `{"\\"":1,"key${index}":${index}}`);
});

test('base64 in both alphabets, with and without padding', () => {
  const bytes = Uint8Array.of(0xfb, 0xff, 0xfe, 0x3f);
  assert.equal(encodeBase64(bytes), '+//+Pw');
  assert.equal(encodeBase64Url(bytes), '-__-Pw');
  assert.deepEqual([decodeBase64('+//+Pw'), decodeBase64('+//+Pw=='), decodeBase64Url('-__-Pw')], [bytes, bytes, bytes]);
  for (const bad of ['-__-Pw', '+//+P', '+ //', '+//+Pw===', 'ä']) assert.equal(decodeBase64(bad), undefined, bad);
  assert.equal(decodeBase64Url('+//+Pw'), undefined);
});
