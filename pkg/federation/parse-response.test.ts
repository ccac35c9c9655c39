import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResponse } from './parse-response.ts';
import { FederationError, isDestinationFailing } from './transport.ts';

const of = (status: number, text: string | Uint8Array, headers: Record<string, string> = {}) => parseResponse({ status, headers, body: Buffer.from(text) }, 'two.test');

function failure(...args: Parameters<typeof of>): FederationError {
  try {
    of(...args);
  } catch (error) {
    if (error instanceof FederationError) return error;
  }
  throw new Error('it was no FederationError');
}

test('an object is an answer', () => {
  assert.deepEqual(of(200, '{"a":[1.5]}'), { status: 200, body: { a: [1.5] } });
  assert.equal(of(200, `${'{"a":'.repeat(512)}1${'}'.repeat(512)}`).status, 200);
  // Half a surrogate pair spoils its event, not the answer it comes in.
  assert.deepEqual(of(200, '{"a":"\\ud800"}').body, { a: '\ud800' });
});

test('anything else is garbage', () => {
  for (const [status, text] of [[200, ''], [200, '[]'], [200, 'null'], [200, '{'], [200, '<html>'], [302, '{}'], [101, '{}'], [600, '{}'], [200, `${'['.repeat(100_000)}`], [200, `${'{"a":'.repeat(513)}1${'}'.repeat(513)}`]] as const) {
    const error = failure(status, text);
    assert.deepEqual([error.kind, error.status, isDestinationFailing(error)], ['garbage', status, true], `${status} ${text.slice(0, 20)}`);
  }
  assert.match(failure(200, Buffer.from([0x22, 0xff, 0x22])).message, /no UTF-8/);
});

test('errors carry what the destination said, bounded', () => {
  const error = failure(403, JSON.stringify({ errcode: 'M_FORBIDDEN', error: 'x'.repeat(9999), more: 1 }));
  assert.deepEqual([error.kind, error.status, error.errcode, error.body?.more, error.retryAfterMs], ['http', 403, 'M_FORBIDDEN', 1, undefined]);
  assert.ok(error.message.length < 300);
  assert.equal(failure(429, '{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}').retryAfterMs, 1500);
  assert.equal(failure(503, 'down', { 'retry-after': '7' }).retryAfterMs, 7000);
  assert.equal(failure(503, '{"retry_after_ms":1e300}').retryAfterMs, 24 * 3_600_000);
  assert.equal(failure(500, '{"errcode":"not a code"}').errcode, undefined);
});

test('only some errors say that the destination is in trouble', () => {
  assert.ok(!isDestinationFailing(failure(403, '{"errcode":"M_FORBIDDEN"}')));
  assert.ok(!isDestinationFailing(failure(404, '{"errcode":"M_NOT_FOUND"}')));
  for (const error of [failure(500, '{"errcode":"M_UNKNOWN"}'), failure(429, '{"errcode":"M_LIMIT_EXCEEDED"}'), failure(404, '<html>')]) assert.ok(isDestinationFailing(error), error.message);
  const kinds = ['unreachable', 'untrusted', 'timeout', 'refused', 'overloaded', 'cancelled'] as const;
  assert.deepEqual(kinds.map((kind) => isDestinationFailing(new FederationError(kind, ''))), [true, true, true, false, false, false]);
  assert.ok(!isDestinationFailing(new Error('ours')));
});

test('in a pair, the object is the answer; an error is as it is', () => {
  const pair = (status: number, text: string) => parseResponse({ status, headers: {}, body: Buffer.from(text) }, 'two.test', true);
  assert.deepEqual(pair(200, '[200,{"a":1}]'), { status: 200, body: { a: 1 } });
  assert.deepEqual(pair(200, '{"a":1}').body, { a: 1 });
  for (const text of ['[200]', '[200,{},{}]', '[403,{}]', '[200,[]]', '[{},200]']) assert.throws(() => pair(200, text), FederationError, text);
  assert.throws(() => pair(404, '{"errcode":"M_UNRECOGNIZED"}'), { errcode: 'M_UNRECOGNIZED' });
  assert.throws(() => of(200, '[200,{"a":1}]'), FederationError);
});
