import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePageToken, encodePageToken } from './page-token.ts';
import { covers, decodeSyncToken, encodeSyncToken, type SyncPosition } from './sync-token.ts';

const sequence = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const vector = fc.array(sequence, { maxLength: 40 });
const place = fc.record({ partition: fc.nat(4095), epoch: sequence, counter: sequence }, { noNullPrototype: true });
const position: fc.Arbitrary<SyncPosition> = fc.record(
  {
    mapVersion: sequence, room: vector, user: vector, typing: fc.array(place, { maxLength: 8 }), typingAtMs: sequence, presence: fc.array(place, { minLength: 1, maxLength: 8 }),
    toDevice: fc.record({ device: fc.nat(0xffff_ffff), sequence, isUnacknowledged: fc.boolean() }, { noNullPrototype: true }),
  },
  { noNullPrototype: true, requiredKeys: ['mapVersion', 'room', 'user', 'typing', 'typingAtMs'] },
);
const refusal = { status: 400, errcode: 'M_INVALID_PARAM' };

test('a sync token says what it was made of, in characters that URLs take', () => {
  fc.assert(
    fc.property(position, (value) => {
      const token = encodeSyncToken(value);
      assert.match(token, /^m1[A-Za-z0-9_-]+$/);
      assert.deepEqual(decodeSyncToken(token), value);
    }),
  );
});

test('tokens of devices that are at the same place share what is everybody\'s, and each keeps its own', () => {
  fc.assert(
    fc.property(position, fc.array(fc.tuple(sequence, fc.nat(0xffff_ffff), sequence, fc.boolean()), { minLength: 2, maxLength: 5 }), (value, devices) => {
      const values = devices.map(([mapVersion, device, seen, isUnacknowledged]) => ({ ...value, mapVersion, toDevice: { device, sequence: seen, isUnacknowledged } }));
      const decoded = values.map((one) => decodeSyncToken(encodeSyncToken(one)));
      assert.deepEqual(decoded, values);
      for (const one of decoded) assert.equal(one.room, decoded[0]!.room, 'one vector for all');
    }),
  );
});

test('a page token says what it was made of', () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (boundary) => assert.equal(decodePageToken(encodePageToken(boundary)), boundary)));
});

test('covering is an order: reflexive, transitive, and kept by advancing', () => {
  fc.assert(
    fc.property(position, fc.array(fc.nat(1000), { minLength: 40, maxLength: 40 }), (earlier, steps) => {
      const room = earlier.room.map((value, partition) => Math.min(Number.MAX_SAFE_INTEGER, value + (steps[partition] ?? 0)));
      const later = { ...earlier, room };
      assert.ok(covers(earlier, earlier));
      assert.ok(covers(later, earlier));
      assert.equal(covers(earlier, later), room.every((value, partition) => value === earlier.room[partition]));
    }),
  );
});

test('refuses garbage as sync token', () => {
  const good = encodeSyncToken({ mapVersion: 1, room: [5, 300], user: [0, 1], typing: [], typingAtMs: 0 });
  const withTwice = `m1${Buffer.from([1, 1, 1, 5, 1, 1, 6, 2, 0]).toString('base64url')}`;
  const ofDevice = encodeSyncToken({ mapVersion: 1, room: [5, 300], user: [0, 1], typing: [], typingAtMs: 0, toDevice: { device: 5, sequence: 3, isUnacknowledged: true } });
  assert.equal(decodeSyncToken(ofDevice).toDevice?.sequence, 3);
  const [cutInDevice, wrongInDevice] = [ofDevice.slice(0, 8), `${ofDevice.slice(0, 4)}~${ofDevice.slice(5)}`];
  const padded = `m1${Buffer.from([1, 1, 2, 0x80, 0x00, 2, 0]).toString('base64url')}`;
  for (const token of ['', 'm', 'm1', 's72594_4483_1934', 'm1!', `${good.slice(0, -1)}`, `${good}AAAA`, `m1${Buffer.from([1, 1, 1, 5, 2, 0, 0, 0]).toString('base64url')}`, `${good} `, withTwice, padded, cutInDevice, wrongInDevice, 'm1AQ', `m1${'A'.repeat(70_000)}`]) {
    assert.throws(() => decodeSyncToken(token), refusal, token.slice(0, 40));
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        decodeSyncToken(text);
      } catch (error) {
        assert.equal((error as { errcode?: string }).errcode, 'M_INVALID_PARAM');
      }
    }),
  );
});

test('refuses garbage as page token', () => {
  for (const token of ['', 't', 't-1', 'tn0', 't01', 't1.5', 't99999999999999999', 'x1', 't1 ']) assert.throws(() => decodePageToken(token), refusal, token);
});

test('skips sections of a newer server', () => {
  const token = `m1${Buffer.from([7, 1, 1, 5, 99, 2, 0xff, 0xff, 2, 1, 6]).toString('base64url')}`;
  assert.deepEqual(decodeSyncToken(token), { mapVersion: 7, room: [5], user: [6], typing: [], typingAtMs: 0 });
});
