import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SettingsError } from '../config/settings-error.ts';
import { readUserArguments } from './arguments.ts';
import { renderUserAnswer } from './render.ts';

const GOOD: [args: string, wish: object, more?: object][] = [
  ['create alice', { command: 'create', user: 'alice' }, { needsPassword: 'prompt' }],
  ['create alice --admin --password-stdin', { command: 'create', user: 'alice', admin: true }, { needsPassword: 'stdin' }],
  ['create alice --random-password --json', { command: 'create', user: 'alice', random_password: true }, { json: true }],
  ['list', { command: 'list' }],
  ['list al --data-dir d', { command: 'list', search: 'al' }, { rest: ['--data-dir', 'd'] }],
  ['set-password @a:b --keep-devices --random-password', { command: 'set-password', user: '@a:b', keep_devices: true, random_password: true }],
  ['deactivate a --erase --config c.yaml', { command: 'deactivate', user: 'a', erase: true }, { rest: ['--config', 'c.yaml'] }],
  ['make-admin a', { command: 'make-admin', user: 'a' }],
  ['tokens add', { command: 'tokens-add' }],
  ['tokens add tea --uses 3 --expires 2030-01-01T00:00:00Z', { command: 'tokens-add', token: 'tea', uses: 3, expires: Date.UTC(2030, 0, 1) }],
  ['tokens list --json', { command: 'tokens-list' }, { json: true }],
  ['tokens remove tea', { command: 'tokens-remove', token: 'tea' }],
];
for (const [args, wish, more] of GOOD) {
  test(`myelin user ${args}`, () => assert.deepEqual(readUserArguments(args.split(' ')), { wish, json: false, rest: [], needsPassword: undefined, ...more }));
}

const WRONG: [args: string, said: RegExp][] = [
  ['', /^there is no "myelin user"/],
  ['dance', /^there is no "myelin user dance"/],
  ['tokens', /^there is no "myelin user tokens"/],
  ['constructor', /^there is no/],
  ['show', /^myelin user show needs a user/],
  ['lock --json', /^myelin user lock needs a user/],
  ['tokens remove', /^myelin user tokens remove needs a token/],
  ['create a --random-password --password-stdin', /do not go together/],
  ['tokens add --uses many', /^--uses is "many", but must be a number/],
  ['tokens add --uses', /^--uses is "", but must be a number/],
  ['tokens add --expires soon', /^--expires is "soon", but must be a number of ms since 1970, or a date/],
];
for (const [args, said] of WRONG) {
  test(`myelin user ${args} is refused in a sentence`, () => {
    assert.throws(() => readUserArguments(args.split(' ').filter((word) => word !== '')), (error) => error instanceof SettingsError && said.test(error.problems[0] ?? ''));
  });
}

test('answers for people', () => {
  const created = Date.UTC(2026, 0, 2, 3, 4, 5);
  assert.equal(renderUserAnswer('create', { user_id: '@a:b', admin: true, password: 'xyz' }), 'user_id @a:b, admin\npassword xyz\n');
  assert.equal(renderUserAnswer('lock', { user_id: '@a:b', locked: true }), 'user_id @a:b, locked\n');
  assert.equal(renderUserAnswer('list', { users: [] }), 'there are no such users\n');
  assert.equal(renderUserAnswer('list', { users: [{ user_id: '@a:b', created, admin: true, locked: true }, { user_id: '@long:b', created }] }),
    '@a:b     2026-01-02 03:04:05  admin locked\n@long:b  2026-01-02 03:04:05\n');
  assert.equal(renderUserAnswer('tokens-list', { tokens: [{ token: 'tea', uses_allowed: 3, completed: 1, pending: 1, expires: created }, { token: 'x', uses_allowed: 0, completed: 0, pending: 0, expires: 0 }] }),
    'tea  used 1 of 3, 1 under way  until 2026-01-02 03:04:05\nx    used 0 of any number      for ever\n');
});
