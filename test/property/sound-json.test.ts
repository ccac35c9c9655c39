/** `JSON.parse` as the server has it, against a slow reading of the same keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { installSoundJson, isFaulty, soundParse } from '../../pkg/runtime/real/sound-json.ts';

const parse = soundParse(JSON.parse);
const atom = fc.constantFrom('\\\\', '\\n', '\\"', '\\/', '\\u005c', '\\u000a', '\\u0061', '\\b', '\\ud83d\\ude00', 'a', 'n', '/', ':', '{', 'é', '\u{f8ff}0');
const rawKey = fc.array(atom, { maxLength: 4 }).map((atoms) => atoms.join(''));
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', b: '\b' };

function read(raw: string): string {
  return raw.replace(/\\(?:u([0-9a-f]{4})|(.))/g, (_, code: string | undefined, one: string) => (code === undefined ? ESCAPES[one] ?? one : String.fromCharCode(parseInt(code, 16))));
}

test('keys are what they say, whatever objects were read before', () => {
  fc.assert(fc.property(fc.array(rawKey, { minLength: 1, maxLength: 4 }), fc.array(rawKey, { minLength: 1, maxLength: 4 }), (before, keys) => {
    const textOf = (raw: readonly string[]): string => `{${raw.map((key, index) => `"${key}" : {"${key}":[${index},"a\\n\\"b\\":"]}`).join(',')}}`;
    const expected = (raw: readonly string[]): object => {
      const object = {};
      raw.forEach((key, index) => Object.defineProperty(object, read(key), { value: { [read(key)]: [index, 'a\n"b":'] }, enumerable: true, configurable: true, writable: true }));
      return object;
    };
    for (const raw of [before, keys]) {
      const found = parse(textOf(raw)) as object;
      assert.deepEqual(found, expected(raw));
      assert.deepEqual(Object.keys(found), Object.keys(expected(raw)));
    }
  }), { numRuns: 3_000, examples: [[['\\n'], ['a', '\\u0061', 'a']]] });
});

test('what is no JSON is refused as before', () => {
  for (const text of ['{"\\x":1}', '{"\\n":}', '{"\\n"', '{"a\\', '"\\n":1', '{"\\u12":0}', '{"a":1,"\\n":1,}']) assert.throws(() => parse(text), SyntaxError, text);
});

test('a key may have the name of the prototype', () => {
  const value = parse('{"\\n":1,"__proto__":{"a":1},"\\u005f_proto__":2}') as object;
  assert.deepEqual(Object.entries(value), [['\n', 1], ['__proto__', 2]]);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
});

test('a body with many escapes costs no more than its length', () => {
  const newlines = `{"body":"${'\\n'.repeat(2_000_000)}","\\t":1}`;
  assert.equal((parse(newlines) as { '\t': number })['\t'], 1);
});

test('this process has the sound one after the installation', () => {
  installSoundJson();
  assert.equal(isFaulty(JSON.parse), false);
});
