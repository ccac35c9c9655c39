import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPEN } from '../storage/rows.ts';
import { isVisible, membershipAt, membershipAtEvent, type VisibilityFacts } from './visibility.ts';

const bob = '@bob:x';
/** Invited at 10, joined at 20, left at 30. */
const intervals = [
  { membership: 'invite', from_sequence: 10, to_sequence: 20 },
  { membership: 'join', from_sequence: 20, to_sequence: 30 },
  { membership: 'leave', from_sequence: 30, to_sequence: OPEN },
];
const at = (sequence: number, history_visibility: string, more: Partial<VisibilityFacts> = {}): VisibilityFacts => {
  return { type: 'm.room.message', state_key: null, order_key: sequence, sequence, history_visibility, visibility_before: '', ...more };
};
const seenAt = (visibility: string): number[] => [5, 15, 25, 35].filter((sequence) => isVisible(at(sequence, visibility), bob, intervals));

test('the four settings, before the invite, invited, joined, and after leaving', () => {
  assert.deepEqual(seenAt('world_readable'), [5, 15, 25, 35]);
  assert.deepEqual(seenAt('shared'), [5, 15, 25]);
  assert.deepEqual(seenAt('invited'), [15, 25]);
  assert.deepEqual(seenAt('joined'), [25]);
  assert.deepEqual(seenAt('org.example.unknown'), [5, 15, 25]);
});

test('somebody who never joined sees only what the world may read', () => {
  for (const visibility of ['shared', 'invited', 'joined']) assert.equal(isVisible(at(5, visibility), bob, []), false);
  assert.equal(isVisible(at(5, 'world_readable'), bob, []), true);
});

test('own member events are seen, those of others are not', () => {
  const member = { type: 'm.room.member', state_key: bob };
  for (const sequence of [10, 20, 30]) assert.equal(isVisible(at(sequence, 'joined', member), bob, intervals), true);
  assert.equal(isVisible(at(30, 'joined', { type: 'm.room.member', state_key: '@carol:x' }), bob, intervals), true);
  assert.equal(isVisible(at(20, 'joined', { type: 'm.room.member', state_key: '@carol:x' }), bob, intervals), false);
});

test('a change of visibility is seen by whoever could see under either setting', () => {
  const change = { type: 'm.room.history_visibility', state_key: '' };
  assert.equal(isVisible(at(35, 'joined', { ...change, visibility_before: 'world_readable' }), bob, intervals), true);
  assert.equal(isVisible(at(35, 'world_readable', { ...change, visibility_before: 'joined' }), bob, intervals), true);
  assert.equal(isVisible(at(35, 'joined', { ...change, visibility_before: 'shared' }), bob, intervals), false);
});

test('history of before the server took part is shown as from before all memberships', () => {
  assert.equal(isVisible(at(25, 'joined', { order_key: -3 }), bob, intervals), false);
  assert.equal(isVisible(at(25, 'shared', { order_key: -3 }), bob, intervals), true);
});

test('membership at a sequence and at an event', () => {
  assert.deepEqual([9, 10, 19, 20, 30].map((sequence) => membershipAt(intervals, sequence)), [undefined, 'invite', 'invite', 'join', 'leave']);
  assert.equal(membershipAtEvent(at(20, 'shared'), bob, intervals), 'invite');
  assert.equal(membershipAtEvent(at(20, 'shared', { type: 'm.room.member', state_key: bob }), bob, intervals), 'join');
});
