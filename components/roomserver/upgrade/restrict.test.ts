import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restrictedPower, withoutAliases } from './restrict.ts';

const contentOf = (draft: { content: Uint8Array } | undefined): unknown => draft && JSON.parse(Buffer.from(draft.content).toString());

test('levels only rise, above what everybody has', () => {
  assert.deepEqual(contentOf(restrictedPower({ users: { a: 1 } })), { users: { a: 1 }, events_default: 50, invite: 50 });
  assert.deepEqual(contentOf(restrictedPower({ users_default: 60, events_default: 10, invite: 70 })), { users_default: 60, events_default: 61, invite: 70 });
  assert.deepEqual(contentOf(restrictedPower({ users_default: '50', events_default: '0' })), { users_default: '50', events_default: 51, invite: 51 });
  assert.equal(restrictedPower({ events_default: 50, invite: 100 }), undefined);
});

test('of the canonical alias what has moved goes, and nothing else', () => {
  const gone = new Set(['#a:x', '#b:x']);
  assert.deepEqual(contentOf(withoutAliases({ alias: '#a:x', alt_aliases: ['#b:x', '#c:y'], more: 1 }, gone)), { more: 1, alt_aliases: ['#c:y'] });
  assert.deepEqual(contentOf(withoutAliases({ alias: '#c:y', alt_aliases: ['#b:x'] }, gone)), { alias: '#c:y' });
  assert.equal(withoutAliases({ alias: '#c:y', alt_aliases: ['#d:y'] }, gone), undefined);
  assert.equal(withoutAliases({}, gone), undefined);
  assert.equal(withoutAliases({ alt_aliases: 5 }, gone), undefined);
});
