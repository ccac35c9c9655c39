import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyBytesMaxOf, parseBody } from './body.ts';

const FORM = { method: 'POST', body: 'form', bodyBytesMax: 30 } as const;
const bytes = (text: string) => new TextEncoder().encode(text);

test('a form is its fields by their names', () => {
  assert.deepEqual(parseBody(FORM, bytes('a=1&b=%C3%BC+x&c=&a=2')), { a: '2', b: 'ü x', c: '' });
  assert.deepEqual([parseBody(FORM, undefined), parseBody(FORM, bytes(''))], [{}, {}]);
  assert.deepEqual(Object.keys(parseBody(FORM, bytes('__proto__=1')) as object), ['__proto__']);
  assert.equal(bodyBytesMaxOf(FORM), 30);
  assert.throws(() => parseBody(FORM, bytes(`a=${'x'.repeat(30)}`)), { status: 413, errcode: 'M_TOO_LARGE' });
});

test('a big body of values that weigh more than their bytes is not parsed', () => {
  const route = { method: 'PUT', bodyBytesMax: 10_000_000 } as const;
  assert.throws(() => parseBody(route, bytes(`{"pdus":[${'{},'.repeat(700_000)}{}]}`)), { status: 400, errcode: 'M_BAD_JSON' });
  const pdu = { type: 'm.room.message', sender: '@a:b', content: { body: 'x'.repeat(300), msgtype: 'm.text' }, auth_events: ['$1', '$2', '$3'], prev_events: ['$4'] };
  assert.equal((parseBody(route, bytes(JSON.stringify({ pdus: Array(4000).fill(pdu) }))) as { pdus: unknown[] }).pdus.length, 4000);
});
