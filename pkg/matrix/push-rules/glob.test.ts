import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { wholeGlob, wordGlob, wordText } from './glob.ts';

const FIXED = { seed: 20_261_121, numRuns: 500 };

test('a whole text matches, in either case', () => {
  const cases: [pattern: string, text: string, expected: boolean][] = [
    ['lunc?*', 'Lunch plans', true], ['lunc?*', 'LUNCH', true], ['lunc?*', ' lunch', false], ['lunc?*', 'lunc', false],
    ['', '', true], ['', 'a', false], ['*', '', true], ['*', 'anything', true], ['**a**', 'bab', true], ['?', '', false], ['?', '\u{1F375}', true], ['a?c', 'a\u{1F375}c', true],
    ['a*a', 'a', false], ['a*a', 'aa', true], ['*b*b', 'ab', false], ['m.room.*', 'm.room.member', true], ['m.room.*', 'mxroomxmember', false], ['[a]', 'a', false],
  ];
  for (const [pattern, text, expected] of cases) assert.equal(wholeGlob(pattern)(text), expected, `${pattern} on ${text}`);
});

test('in a body, a part matches that begins and ends at word boundaries', () => {
  const cases: [pattern: string, text: string, expected: boolean][] = [
    ['ex*ple', 'An example event.', true], ['ex*ple', 'exple', true], ['ex*ple', 'An exciting triple-whammy', true], ['ex*ple', 'an exemplar', false],
    ['cake', 'Cake!', true], ['cake', 'pancake', false], ['cake', 'cakes', false], ['cake', 'cakes and cake', true], ['cake*lie', 'the cake is a lie', true], ['cake*lie', 'cake lies', false],
    ['*cake', 'pancake', true], ['cake*', 'cakes', true], ['*', '', true], ['caf\u00e9', 'a caf\u00e9s', true], ['a', '_a', false], ['a', '\u00e4a', true],
  ];
  for (const [pattern, text, expected] of cases) assert.equal(wordGlob(pattern)(text), expected, `${pattern} on ${text}`);
  assert.equal(wordText('B*b')('hello b*B.'), true);
  assert.equal(wordText('B*b')('hello bob'), false, 'a name is no pattern');
});

const EDGE = '(?:^|$|(?<=\\W)|(?=\\W))';
const small = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '_'), maxLength: 12 });
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '*', '?'), maxLength: 6 });
const source = (text: string): string => [...text].map((character) => (character === '*' ? '[^]*' : character === '?' ? '[^]' : character)).join('');

test('globs equal regular expressions', () => {
  fc.assert(fc.property(pattern, small, (glob, text) => {
    assert.equal(wholeGlob(glob)(text), new RegExp(`^(?:${source(glob)})$`).test(text));
    const inside = new RegExp(`${EDGE}(?:${source(glob)})${EDGE}`);
    assert.equal(wordGlob(glob)(text), inside.test(text));
  }), FIXED);
});

test('no pattern is slow', () => {
  const text = 'a'.repeat(60_000);
  assert.equal(wholeGlob(`${'a*'.repeat(100)}b`)(text), false);
  assert.equal(wordGlob(`${'*a'.repeat(100)}b`)(text), false);
});
