import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressCheck, DENIED_RANGES_DEFAULT, parseRange } from './ip-ranges.ts';

const isPublic = addressCheck({ denied: DENIED_RANGES_DEFAULT, allowed: [] });

test('by default only the public internet is reached', () => {
  for (const address of ['1.1.1.1', '172.15.255.255', '172.32.0.0', '100.128.0.0', '2606:4700::1111', '2a00::1', '::ffff:1.1.1.1', '64:ff9b::101:101']) assert.ok(isPublic(address), address);
  for (const address of [
    '0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.255', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.168.1.1', '198.19.0.1', '224.0.0.1', '255.255.255.255',
    '::', '::1', 'fc00::1', 'fdff:ffff::', 'fe80::1', 'fe80::1%eth0', 'ff02::1', '2001:db8::1', '2002:7f00:1::',
    '::ffff:127.0.0.1', '::ffff:7f00:1', '::FFFF:10.0.0.1', '64:ff9b::7f00:1', '::10.0.0.1',
  ]) assert.ok(!isPublic(address), address);
});

test('what is no address is refused', () => {
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '12345::', 'g::', '1:2:3:4:5:6:7:1.1.1.1', ':']) assert.ok(!isPublic(text), text);
});

test('exceptions allow what a range refuses, in every notation of it', () => {
  const check = addressCheck({ denied: ['127.0.0.0/8', '::1', '10.0.0.0/8'], allowed: ['127.0.0.1', '10.5.0.0/16'] });
  assert.deepEqual(['127.0.0.1', '::ffff:127.0.0.1', '127.0.0.2', '::1', '10.5.9.9', '10.6.0.0', '9.9.9.9'].map(check), [true, true, false, false, true, false, true]);
  const none = addressCheck({ denied: ['0.0.0.0/0', '::/0'], allowed: [] });
  assert.deepEqual(['1.2.3.4', '1::'].map(none), [false, false]);
});

test('malformed ranges are told', () => {
  for (const text of ['10.0.0.0/33', '::/129', '10.0.0/8', 'localhost', '10.0.0.0/8/8', '10.0.0.0/', '10.0.0.0/-1']) assert.throws(() => parseRange(text), RangeError, text);
});
