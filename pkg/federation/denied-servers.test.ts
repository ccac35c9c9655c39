import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deniedServers, isServerPattern } from './denied-servers.ts';

test('a denied server is one whose host matches, whatever its port and case', () => {
  const isDenied = deniedServers(['evil.example', '*.spam.example', 'n?.example', '::1']);
  const names = ['evil.example', 'EVIL.example:8448', 'a.b.spam.example', 'n1.example', '[::1]:80', 'no server'];
  assert.deepEqual(names.filter((name) => !isDenied(name)), []);
  assert.deepEqual(['good.example', 'notevil.example', 'evil.example.org', 'evilXexample', 'spam.example', 'n12.example'].filter(isDenied), []);
});

test('nobody is denied by an empty list', () => {
  assert.equal(deniedServers([])('a.example'), false);
});

test('with a list of those allowed, all others are denied, and who is on both lists too', () => {
  const isDenied = deniedServers(['bad.friend.example'], ['*.friend.example', '[2001:db8::1]']);
  assert.deepEqual(['a.friend.example', '[2001:db8::1]:8448'].filter(isDenied), []);
  assert.deepEqual(['bad.friend.example', 'friend.example', 'a.example', '[2001:db8::2]'].filter((name) => !isDenied(name)), []);
});

test('a pattern is made of what server names are made of, * and ?', () => {
  assert.deepEqual(['a.example', '*.b', 'c?', '[::1]'].map(isServerPattern), [true, true, true, true]);
  assert.deepEqual(['', 'a b', '(a)', 'a/b'].map(isServerPattern), [false, false, false, false]);
});
