import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import type { KnownKeys } from '../storage/server-keys.ts';
import { impatientKeys } from './impatient-keys.ts';

const WANTED = [{ serverName: 'a.test', keyIds: ['ed25519:1'], validUntilMs: 1 }];
const known = (validUntilMs: number): ReadonlyMap<string, KnownKeys> => new Map([['a.test', { serverName: 'a.test', keys: new Map(), validUntilMs, fetchedAtMs: 1 }]]);

test('keys that come in time are given; else what was known before; what fails fails', async () => {
  const { clock, advance } = createManualRuntime();
  let answer: Promise<ReadonlyMap<string, KnownKeys>> = Promise.resolve(known(2));
  const ring = impatientKeys({ keys: () => answer, known: async (names) => (assert.deepEqual(names, ['a.test']), known(1)) }, clock, 4000);
  assert.deepEqual(await ring.keys(WANTED), known(2));
  answer = new Promise(() => undefined);
  const slow = ring.keys(WANTED);
  await advance(3999);
  let ended = false;
  void slow.then(() => (ended = true));
  await advance(0);
  assert.equal(ended, false);
  await advance(1);
  assert.deepEqual(await slow, known(1));
  answer = Promise.reject(new Error('the disk is full'));
  await assert.rejects(ring.keys(WANTED), /the disk is full/);
});
