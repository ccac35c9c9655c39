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
