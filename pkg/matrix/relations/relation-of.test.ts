import assert from 'node:assert/strict';
import { test } from 'node:test';
import { relationOf, threadRootOf } from './relation-of.ts';

const content = (relatesTo: unknown): Record<string, unknown> => ({ body: 'x', 'm.relates_to': relatesTo });

test('a relation has a type and a parent', () => {
  assert.deepEqual(relationOf(content({ rel_type: 'm.reference', event_id: '$a' })), { relType: 'm.reference', eventId: '$a', key: undefined });
  assert.equal(threadRootOf(content({ rel_type: 'm.thread', event_id: '$a', 'm.in_reply_to': { event_id: '$b' } })), '$a');
  assert.equal(threadRootOf(content({ rel_type: 'm.replace', event_id: '$a' })), undefined);
});

test('only annotations have keys', () => {
  assert.equal(relationOf(content({ rel_type: 'm.annotation', event_id: '$a', key: '👍' }))?.key, '👍');
  assert.equal(relationOf(content({ rel_type: 'm.annotation', event_id: '$a', key: 1 }))?.key, undefined);
  assert.equal(relationOf(content({ rel_type: 'm.reference', event_id: '$a', key: '👍' }))?.key, undefined);
});

test('what is malformed, and a reply alone, is no relation', () => {
  const malformed = [
    undefined, null, 'x', 7, [], {}, { rel_type: 'm.thread' }, { event_id: '$a' }, { rel_type: '', event_id: '$a' }, { rel_type: 'm.thread', event_id: 'a' }, { rel_type: 5, event_id: '$a' },
    { rel_type: 'm.thread', event_id: ['$a'] }, { rel_type: 'x'.repeat(256), event_id: '$a' }, { rel_type: 'm.thread', event_id: `$${'é'.repeat(128)}` }, { 'm.in_reply_to': { event_id: '$a' } },
  ];
  for (const relatesTo of malformed) assert.equal(relationOf(content(relatesTo)), undefined, JSON.stringify(relatesTo));
  assert.equal(relationOf({}), undefined);
});
