import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { canonicalJson } from '../../matrix/canonical-json/canonical-json.ts';
import { buildEvent } from '../../matrix/events/build-event.ts';
import type { Pdu } from '../../matrix/events/pdu.ts';
import { roomVersion } from '../../matrix/room-versions/room-versions.ts';
import { signingKeyFromSeed, verifySignature } from '../../matrix/signing/signing-key.ts';
import { isSignatureRight } from './ed25519.ts';
import { createCheckThreads } from './check-threads.ts';

const keys = [1, 2, 3].map((seed) => signingKeyFromSeed('1', new Uint8Array(32).fill(seed)));

/** Every third one is right, every third changed, every third of another key. */
function checks(count: number) {
  return Array.from({ length: count }, (_, index) => {
    const key = keys[index % 3]!;
    const bytes = Buffer.from(`event ${index} `.repeat(1 + (index % 70)));
    const signature = Buffer.from(key.sign(bytes));
    const kind = Math.floor(index / 3) % 3;
    if (kind === 1) bytes[index % bytes.length]! ^= 1;
    return { publicKey: kind === 2 ? keys[(index + 1) % 3]!.publicKey : key.publicKey, bytes, signature };
  });
}

test('threads say of each signature what Node says, in order, however many are asked about at once', async () => {
  const { verifySignatures: verify } = createCheckThreads();
  for (const lists of [[1], [4, 5], [200, 300, 1, 400]]) {
    await Promise.all(lists.map(async (count) => {
      const asked = checks(count);
      const said = await verify(asked);
      assert.deepEqual(said, asked.map(({ publicKey, bytes, signature }) => verifySignature(publicKey, bytes, signature)));
      if (count > 9) assert.ok(said.includes(true) && said.includes(false));
    }));
  }
});

test('a key or signature of another length is wrong, and shifts no other', async () => {
  const { verifySignatures: verify } = createCheckThreads();
  const good = checks(1)[0]!;
  const odd = [{ ...good, publicKey: good.publicKey.subarray(1) }, good, { ...good, signature: new Uint8Array(65) }, good, { ...good, bytes: new Uint8Array() }, good];
  assert.deepEqual(await verify(odd), [false, true, false, true, false, true]);
  assert.deepEqual(odd.map(isSignatureRight), [false, true, false, true, false, true]);
});

test('threads tell intact events from others, give their bytes, and say what was redacted', async () => {
  const version = roomVersion('11')!;
  const signingKey = keys[0]!;
  const build = (body: string) => buildEvent({ version, draft: { type: 'm.room.message', sender: '@a:a.test', content: { body } }, roomId: '!r:a.test', prevEvents: [], authEvents: [], depth: 3, originServerTs: 5, serverName: 'a.test', signingKey });
  const known = (publicKey: Uint8Array) => new Map([['a.test', { keys: new Map([[signingKey.keyId, { keyId: signingKey.keyId, publicKey, validUntilMs: 5, old: false }]]) }]]);
  const { verifyEvents } = createCheckThreads();
  const built = Array.from({ length: 7 }, (_, index) => build(`ä${index}`));
  const [first, second, third, fourth, ...others] = built.map(({ pdu }) => pdu) as [Pdu, Pdu, Pdu, Pdu, ...Pdu[]];
  const given = [first, { ...second, unsigned: { age: 1 } }, { ...third, depth: 4 }, { ...fourth, content: { body: 'changed' } }, 'no event', ...others];
  const redacted = { ...fourth, content: {} };
  const intact = (index: number) => ({ eventId: built[index]!.eventId, roomId: '!r:a.test', pdu: built[index]!.pdu, bytes: Buffer.from(built[index]!.json), redacted: false });
  const expected = [intact(0), intact(1), undefined, { ...intact(3), pdu: redacted, bytes: Buffer.from(canonicalJson(redacted)), redacted: true }, undefined, intact(4), intact(5), intact(6)];
  for (const count of [given.length, 4]) assert.deepEqual(await verifyEvents({ values: given.slice(0, count), version, known: known(signingKey.publicKey) }), expected.slice(0, count));
  for (const publicKey of [keys[1]!.publicKey, new Uint8Array(31)]) assert.deepEqual(await verifyEvents({ values: given, version, known: known(publicKey) }), given.map(() => undefined));
});

test('a program that has checked signatures ends by itself', async () => {
  const program = `
    const { createCheckThreads } = await import(${JSON.stringify(new URL('./check-threads.ts', import.meta.url).href)});
    const check = { publicKey: new Uint8Array(32), bytes: new Uint8Array(9), signature: new Uint8Array(64) };
    console.log((await createCheckThreads().verifySignatures(Array(20).fill(check))).length);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 8000 });
  assert.equal(stdout.trim(), '20');
});
