import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { test } from 'node:test';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createPasswords, formatPhc, parsePhc, passwordProblem } from './password.ts';

test('a hash fits its own password and no other, and two hashes of one password differ', async () => {
  const passwords = createPasswords(createManualRuntime());
  const stored = await passwords.hash('correct horse');
  assert.match(stored, /^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/);
  assert.equal(await passwords.verify('correct horse', stored), true);
  assert.equal(await passwords.verify('correct horsf', stored), false);
  assert.notEqual(await passwords.hash('correct horse'), stored);
});

test('a hash made elsewhere with another cost is understood', async () => {
  const salt = Buffer.from('0123456789abcdef');
  const key = scryptSync('päss', salt, 24, { N: 2 ** 4, r: 2, p: 3 });
  const stored = formatPhc({ cost: { ln: 4, r: 2, p: 3 }, salt, key });
  const passwords = createPasswords(createManualRuntime());
  assert.equal(await passwords.verify('päss', stored), true);
  assert.equal(await passwords.verify('pa\u0308ss', stored), true, 'the same letters in another Unicode form');
});

test('a user who does not exist costs as much as a wrong password', async () => {
  const runtime = createManualRuntime();
  const costs: unknown[] = [];
  const offload = { ...runtime.offload, scrypt: (...[password, salt, cost]: Parameters<typeof runtime.offload.scrypt>) => (costs.push({ salt: salt.length, ...cost }), runtime.offload.scrypt(password, salt, cost)) };
  const passwords = createPasswords({ offload, random: runtime.random });
  const stored = await passwords.hash('correct horse');
  assert.equal(await passwords.verify('wrong', stored), false);
  assert.equal(await passwords.verify('wrong', undefined), false);
  assert.equal(await passwords.verify('wrong', 'no hash at all'), false);
  assert.equal(costs.length, 4);
  for (const cost of costs) assert.deepEqual(cost, costs[0]);
});

test('what is no scrypt hash, or asks for boundless work, is not computed', () => {
  for (const stored of ['', '$scrypt$', '$argon2id$v=19$m=1,t=1,p=1$c2FsdHNhbHQ$aGFzaA', '$scrypt$ln=25,r=8,p=1$MDEyMzQ1Njc4$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3']) assert.equal(parsePhc(stored), undefined);
});

test('passwords have 8 to 512 characters', () => {
  assert.notEqual(passwordProblem('1234567'), undefined);
  assert.equal(passwordProblem('12345678'), undefined);
  assert.equal(passwordProblem('x'.repeat(512)), undefined);
  assert.notEqual(passwordProblem('x'.repeat(513)), undefined);
});
