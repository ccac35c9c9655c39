import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { signingKeyFromSeed, verifySignature } from '../../matrix/signing/signing-key.ts';
import { isSignatureRight } from './ed25519.ts';
import { createSignatureThreads } from './signature-threads.ts';

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
  const verify = createSignatureThreads();
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
  const verify = createSignatureThreads();
  const good = checks(1)[0]!;
  const odd = [{ ...good, publicKey: good.publicKey.subarray(1) }, good, { ...good, signature: new Uint8Array(65) }, good, { ...good, bytes: new Uint8Array() }, good];
  assert.deepEqual(await verify(odd), [false, true, false, true, false, true]);
  assert.deepEqual(odd.map(isSignatureRight), [false, true, false, true, false, true]);
});

test('a program that has checked signatures ends by itself', async () => {
  const program = `
    const { createSignatureThreads } = await import(${JSON.stringify(new URL('./signature-threads.ts', import.meta.url).href)});
    const check = { publicKey: new Uint8Array(32), bytes: new Uint8Array(9), signature: new Uint8Array(64) };
    console.log((await createSignatureThreads()(Array(20).fill(check))).length);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 8000 });
  assert.equal(stdout.trim(), '20');
});
