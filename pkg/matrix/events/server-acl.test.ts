import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aclAllows } from './server-acl.ts';

test('a room without the event lets everybody in; one that allows nobody nobody', () => {
  assert.equal(aclAllows(undefined, 'a.test'), true);
  assert.equal(aclAllows({}, 'a.test'), false);
  assert.equal(aclAllows({ allow: 'a.test' }, 'a.test'), false);
});

test('denied wins over allowed; ports and case do not count', () => {
  const acl = { allow: ['*'], deny: ['*.evil.test', 'Bad.test', 7] };
  assert.deepEqual(['a.test', 'evil.test', 'bad.test.org'].map((name) => aclAllows(acl, name)), [true, true, true]);
  assert.deepEqual(['a.evil.test', 'bad.test:8448', 'BAD.TEST', 'no name'].map((name) => aclAllows(acl, name)), [false, false, false, false]);
});

test('IP addresses can be shut out as such', () => {
  assert.deepEqual(['1.2.3.4', '[::1]:80', 'a.test'].map((name) => aclAllows({ allow: ['*'], allow_ip_literals: false }, name)), [false, false, true]);
  assert.deepEqual(['1.2.3.4', '[::1]:80'].map((name) => aclAllows({ allow: ['1.2.*', '[::?]'] }, name)), [true, true]);
});

test('patterns match as a whole', () => {
  const cases: [pattern: string, name: string, expected: boolean][] = [
    ['a.test', 'a.test', true], ['a.test', 'b.a.test', false], ['a?test', 'a.test', true], ['a*t', 'a.b.test', true], ['*a*b*', 'xaybz', true], ['*a*b', 'xaybz', false], ['a.tes', 'a.test', false], ['a.test**', 'a.test', true], ['(.*)', 'a', false],
  ];
  for (const [pattern, name, expected] of cases) assert.equal(aclAllows({ allow: [pattern] }, name), expected, `${pattern} ${name}`);
});
