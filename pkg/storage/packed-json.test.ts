import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { packJson, unpackJson } from './packed-json.ts';
import { PHRASES } from './phrases.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const MESSAGE = bytes('{"auth_events":["$Xocs8ejxaQ7DFDDxM5AiS29JokBfzBDJv5vyIAhPkQo","$jMC3b4J72gvbRfRQR92DigzB9RDJO9miLBUl_jx-X-k"],"content":{"body":"gr\u00fc\u00dfe, gr\u00fc\u00dfe","msgtype":"m.text"},'
  + '"depth":4795,"hashes":{"sha256":"YPegIvQA/kgfwTOhP2oAsyGJMStGVIXB/fElulprb14"},"origin_server_ts":1700005000000,"prev_events":["$GxHYfCTViYdOXsBw2lyylxjpPb0NDpGYL93Z7agLo9k"],'
  + '"room_id":"!replay:server0.test","sender":"@user476:server56.test","signatures":{"server56.test":{"ed25519:1":'
  + '"EnhYT+/E0Kd4T5JJY9XmxNJVnzjhcE5FJhZMT/pYuRhdvG4Soeu8gKGOmbjBcDZSNGY2/Blyct4mcZYtY640BA"}},"type":"m.room.message"}');

/** Like canonical JSON: what a word is, and what is random. */
const text = fc.array(fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }).map((one) => JSON.stringify(one)),
  fc.string({ unit: fc.constantFrom(...BASE64), maxLength: 120 }), fc.string({ unit: fc.constantFrom(...BASE64, '-', '_'), maxLength: 120 }),
  fc.nat(PHRASES.length).chain((from) => fc.nat(80).map((length) => PHRASES.slice(from, from + length))), fc.constantFrom('the ', ':matrix.org', 'aaaaaaaaaaaaaaaaaaaaaaaa', MESSAGE.toString()),
  fc.tuple(fc.constantFrom('ab c', '{"x":1}'), fc.nat(200)).map(([one, times]) => one.repeat(times)),
), { maxLength: 20 }).map((parts) => bytes(`{${parts.join('')}`));

test('what is packed comes out as it was, never longer, whatever was packed before', () => {
  fc.assert(fc.property(text, (one) => {
    const packed = packJson(one);
    const again = Buffer.from(packed);
    packJson(MESSAGE);
    assert.deepEqual(Buffer.from(packed), again, 'it is nobody else\'s memory');
    assert.ok(packed.byteLength <= one.byteLength);
    assert.deepEqual(Buffer.from(unpackJson(packed)), one);
    assert.deepEqual(Buffer.from(packJson(one)), again, 'the same text becomes the same bytes');
  }), { numRuns: 100 });
});

test('an event takes about 60% of its bytes', () => {
  assert.ok(packJson(MESSAGE).byteLength < MESSAGE.byteLength * 0.65, `${packJson(MESSAGE).byteLength} of ${MESSAGE.byteLength}`);
});

test('texts beyond the room that there is at first, and matches beyond the places that can be named', () => {
  const long = bytes(`{"body":"${Array.from({ length: 4000 }, (_, index) => `${index * 7919} and so on, `).join('')}"}`);
  assert.ok(long.byteLength > 2 ** 16);
  const packed = packJson(long);
  assert.ok(packed.byteLength < long.byteLength * 0.8);
  assert.deepEqual(Buffer.from(unpackJson(packed)), long);
  assert.deepEqual(Buffer.from(unpackJson(packJson(MESSAGE))), MESSAGE);
});

test('what cannot be packed stays as it is, and is read as it is', () => {
  for (const one of ['', '{}', '{"a":1}', `{"control":"\u0001${'a'.repeat(100)}"}`]) {
    assert.deepEqual(Buffer.from(packJson(bytes(one))), bytes(one));
    assert.deepEqual(Buffer.from(unpackJson(bytes(one))), bytes(one), 'rows from before are texts');
  }
  assert.throws(() => packJson(bytes('\u0001{}')), RangeError);
});

test('damaged bytes are told from packed ones', () => {
  const packed = Buffer.from(packJson(MESSAGE));
  for (let to = 1; to < packed.byteLength; to += 5) assert.throws(() => unpackJson(packed.subarray(0, to)), /no packed JSON/);
  assert.throws(() => unpackJson(Buffer.concat([packed, bytes('}')])), /no packed JSON/);
  assert.throws(() => unpackJson(Buffer.from([1, 20, 5, 0xff, 0xff])), /no packed JSON/, 'a place that is not there yet');
  assert.throws(() => unpackJson(Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0xff])), /no packed JSON/);
});

test('the format stays: what was stored once has to be readable', () => {
  assert.equal(createHash('sha256').update(PHRASES).digest('hex'), '05ccf882b9e5a6abbab91164c25d8a564b9e4e270ea48b1709f2b253bd34cd5b');
  assert.equal(Buffer.from(packJson(MESSAGE)).toString('hex'), '01b8040d09841e2b5e872cf1e8f1690ec31430f13390224b6f49a2405fcc10c9bf9bf220084f910a00222c22241f2b8cc0b76f827bda0bdb45f45047dd838a0cc1f510c93bd9a22c1525fe3c7e5fe9000a0b510209a96772c3bcc39f652c20020cac221809b1343739351009ce1e2b60f7a022f400fe481fc133a13f6a00b32189312b465485c1fdf125ba5a6b6f5e00130ba4303030303530000d3b0d0a111e2b1b11d87c24d589874e5ec070da5cb29718e93dbd0d0e91982fddd9eda80ba3d90022090a24000929793a010baf302e7465737422070bbd75736572343736020d933536040d9b080bcd010d94030dbb060beb31223a221e561278584fefc4d0a7784f924963d5e6c4d2559f38e1704e4526164c4ffa58b9185dbc6e12a1ebbc80a18e99b8c1703652346636fc197272de2671962d63ae340400000aac040b95020aca020a8b');
  const stored = '01b6027b2261223a227468650006bf1d0c3076222c2262223a221e4000108310518720928b30d38f41149351559761969b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3dfbf222c22631d0cd41f2d5f227d';
  assert.equal(Buffer.from(unpackJson(Buffer.from(stored, 'hex'))).toString(), `{"a":"${'the '.repeat(40)}","b":"${BASE64}","c":"${BASE64.slice(0, -2)}-_"}`);
});
