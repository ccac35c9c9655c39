/** The test vectors of the specification's appendices: canonical JSON, signing, unpadded base64. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBase64, encodeBase64 } from '../../pkg/matrix/canonical-json/base64.ts';
import { canonicalJson } from '../../pkg/matrix/canonical-json/canonical-json.ts';
import { redact } from '../../pkg/matrix/events/redact.ts';
import type { Pdu } from '../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { hashAndSignEvent, verifyEvent } from '../../pkg/matrix/signing/sign-event.ts';
import { signJson, verifyJson } from '../../pkg/matrix/signing/sign-json.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';

const SEED = decodeBase64('YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1') as Uint8Array;
const KEY = signingKeyFromSeed('1', SEED);
/** These events are older than room version 10, whose redaction treats them the same. */
const VERSION = roomVersion('10') as RoomVersion;

const CANONICAL: [given: string, expected: string][] = [
  ['{}', '{}'],
  ['{"one": 1, "two": "Two"}', '{"one":1,"two":"Two"}'],
  ['{"b": "2", "a": "1"}', '{"a":"1","b":"2"}'],
  ['{"b":"2","a":"1"}', '{"a":"1","b":"2"}'],
  [
    `{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
      "three_pids": [{"medium": "email", "address": "john.doe@example.org"}, {"medium": "msisdn", "address": "123456789"}]}}}`,
    '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
  ],
  ['{"a": "日本語"}', '{"a":"日本語"}'],
  ['{"本": 2, "日": 1}', '{"日":1,"本":2}'],
  [String.raw`{"a": "\u65E5"}`, '{"a":"日"}'],
  ['{"a": null}', '{"a":null}'],
  ['{"a": -0, "b": 1e10}', '{"a":0,"b":10000000000}'],
];

for (const [given, expected] of CANONICAL) {
  test(`canonical JSON of ${given.slice(0, 40)}`, () => {
    assert.equal(canonicalJson(JSON.parse(given)), expected);
  });
}

const BASE64: [text: string, encoded: string][] = [['', ''], ['f', 'Zg'], ['fo', 'Zm8'], ['foo', 'Zm9v'], ['foob', 'Zm9vYg'], ['fooba', 'Zm9vYmE'], ['foobar', 'Zm9vYmFy']];

for (const [text, encoded] of BASE64) {
  test(`unpadded base64 of "${text}"`, () => {
    assert.equal(encodeBase64(Buffer.from(text)), encoded);
    assert.deepEqual(decodeBase64(encoded), Uint8Array.from(Buffer.from(text)));
  });
}

const SIGNED_JSON: [object: Record<string, unknown>, signature: string][] = [
  [{}, 'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ'],
  [{ one: 1, two: 'Two' }, 'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw'],
];

for (const [object, signature] of SIGNED_JSON) {
  test(`signing ${JSON.stringify(object)}`, () => {
    const signed = signJson(object, 'domain', KEY);
    assert.deepEqual(signed, { ...object, signatures: { domain: { 'ed25519:1': signature } } });
    assert.ok(verifyJson(signed, 'domain', KEY.keyId, KEY.publicKey));
  });
}

const MINIMAL = {
  room_id: '!x:domain', sender: '@a:domain', origin: 'domain', origin_server_ts: 1000000, signatures: {}, hashes: {}, type: 'X', content: {}, prev_events: [],
  auth_events: [], depth: 3, unsigned: { age_ts: 1000000 },
};
const REDACTABLE = {
  content: { body: 'Here is the message content' }, event_id: '$0:domain', origin: 'domain', origin_server_ts: 1000000, type: 'm.room.message', room_id: '!r:domain',
  sender: '@u:domain', signatures: {}, unsigned: { age_ts: 1000000 },
};
const SIGNED_EVENTS: [title: string, event: object, sha256: string, signature: string][] = [
  ['a minimal event', MINIMAL, '5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos', 'KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg'],
  ['an event with redactable content', REDACTABLE, 'onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g', 'Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA'],
];

for (const [title, event, sha256, signature] of SIGNED_EVENTS) {
  test(`signing ${title}`, () => {
    const signed = hashAndSignEvent(event as unknown as Pdu, VERSION, 'domain', KEY);
    assert.deepEqual(signed, { ...event, hashes: { sha256 }, signatures: { domain: { 'ed25519:1': signature } } });
    const signer = { serverName: 'domain', keyId: KEY.keyId, publicKey: KEY.publicKey };
    assert.ok(verifyEvent(signed, VERSION, signer));
    assert.ok(verifyEvent(redact(signed, VERSION), VERSION, signer), 'the signature covers the redacted event too');
    assert.ok(!verifyEvent({ ...signed, sender: '@b:domain' }, VERSION, signer));
  });
}
