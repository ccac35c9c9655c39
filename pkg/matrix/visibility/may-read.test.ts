import assert from 'node:assert/strict';
import { test } from 'node:test';
import { knownVisibility, mayRead } from './may-read.ts';

const MEMBERSHIPS = ['join', 'invite', 'knock', 'leave', 'ban', undefined];

/** For each visibility: memberships at the event that read it without joining later, and with it. */
const TABLE: [visibility: string | undefined, never: unknown[], later: unknown[]][] = [
  ['world_readable', MEMBERSHIPS, MEMBERSHIPS],
  ['shared', ['join'], MEMBERSHIPS],
  [undefined, ['join'], MEMBERSHIPS],
  ['not understood', ['join'], MEMBERSHIPS],
  ['invited', ['join', 'invite'], ['join', 'invite']],
  ['joined', ['join'], ['join']],
];

for (const [historyVisibility, never, later] of TABLE) {
  test(`visibility ${historyVisibility}`, () => {
    const readers = (more: object): unknown[] => MEMBERSHIPS.filter((membershipAtEvent) => mayRead({ historyVisibility, membershipAtEvent, ...more }));
    assert.deepEqual(readers({}), never);
    assert.deepEqual(readers({ membershipNow: 'leave', joinedSince: false }), never);
    assert.deepEqual(readers({ membershipNow: 'join' }), later);
    assert.deepEqual(readers({ membershipNow: 'leave', joinedSince: true }), later);
  });
}

test('a change of the visibility is read by those who could before or after it', () => {
  const stranger = { membershipAtEvent: undefined };
  assert.ok(mayRead({ ...stranger, historyVisibility: 'world_readable', historyVisibilityAfter: 'joined' }));
  assert.ok(mayRead({ ...stranger, historyVisibility: 'joined', historyVisibilityAfter: 'world_readable' }));
  assert.ok(!mayRead({ ...stranger, historyVisibility: 'joined', historyVisibilityAfter: 'invited' }));
});

test('a change of the own membership is read by those who could before or after it', () => {
  assert.ok(mayRead({ historyVisibility: 'joined', membershipAtEvent: 'invite', membershipAfter: 'join' }));
  assert.ok(mayRead({ historyVisibility: 'joined', membershipAtEvent: 'join', membershipAfter: 'ban' }));
  assert.ok(!mayRead({ historyVisibility: 'joined', membershipAtEvent: 'invite', membershipAfter: 'leave' }));
});

test('what is not a visibility means shared', () => {
  assert.deepEqual(['joined', 'shared', null, 5, undefined].map(knownVisibility), ['joined', 'shared', 'shared', 'shared', 'shared']);
});
