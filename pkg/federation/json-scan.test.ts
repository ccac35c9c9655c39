/** What is seen of JSON while it arrives, however it is cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createJsonScan } from './json-scan.ts';

function scanned(text: string, { depthMax = 3, step = text.length } = {}): string | undefined {
  const scan = createJsonScan(depthMax);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += step) {
    const problem = scan.take(bytes.subarray(at, at + step));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

test('depth counts outside strings only, wherever the chunks end', () => {
  for (const step of [1, 2, 1000]) {
    assert.equal(scanned('{"a":[[1]],"[[[[":"{{{{\\"[[[[\\\\"}', { step }), undefined);
    assert.equal(scanned('{"a":[[[1]]]}', { step }), 'nested too deep');
    assert.equal(scanned('["\\\\",[[[', { step }), 'nested too deep');
  }
});

test('values that weigh more than their bytes are refused early; events are not', () => {
  const scan = createJsonScan(100);
  const chunk = Buffer.from('{},'.repeat(1000));
  let chunks = 1;
  while (scan.take(chunk) === undefined) chunks += 1;
  assert.ok(chunks < 10, `${chunks}`);
  assert.equal(scanned(`[${'1,'.repeat(100_000)}1]`), 'made of too many values');
  const event = { type: 'm.room.member', state_key: '@a:b', content: { membership: 'join' }, auth_events: ['$1', '$2', '$3'], prev_events: ['$4'], depth: 1, origin_server_ts: 1, hashes: { sha256: 'abc' }, signatures: { b: { 'ed25519:1': 'abc' } } };
  assert.equal(scanned(JSON.stringify(Array(20_000).fill(event)), { depthMax: 10 }), undefined);
});
