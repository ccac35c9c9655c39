import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Requester } from '../../schemas/ports/requester.ts';
import type { UserInput } from '../../schemas/log/user-input.ts';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { createTokenUse, NOTED_TOGETHER_MS, SEEN_AGAIN_MS } from './token-use.ts';

const ALICE: Requester = { userId: '@alice:x', deviceId: 'PHONE', isGuest: false, isAdmin: false };
const TOKEN = { tokenHash: new Uint8Array([1]), address: '192.0.2.1' };

function world(submit?: () => Promise<never>) {
  const runtime = createManualRuntime();
  const inputs: Partial<UserInput>[] = [];
  const submitUserInput = async (input: Partial<UserInput>) => (inputs.push(input), submit?.()) as never;
  return { runtime, inputs, use: createTokenUse({ runtime, commands: { submitUserInput } }) };
}

test('a device is noted some time after the start, and then seldom', async () => {
  const { runtime, inputs, use } = world();
  await runtime.advance(SEEN_AGAIN_MS);
  const usedAt = runtime.clock.now();
  for (let i = 0; i < 10; i += 1) assert.equal(use.note(ALICE, TOKEN), undefined);
  await runtime.advance(NOTED_TOGETHER_MS);
  assert.deepEqual(inputs.map(({ userId, seeDevice, ts }) => [userId, seeDevice, ts]), [['@alice:x', { deviceId: 'PHONE', ip: '192.0.2.1' }, usedAt]]);
  await runtime.advance(SEEN_AGAIN_MS - NOTED_TOGETHER_MS - 1);
  void use.note(ALICE, TOKEN);
  await runtime.advance(1);
  assert.equal(inputs.length, 1);
  void use.note(ALICE, TOKEN);
  await runtime.advance(NOTED_TOGETHER_MS);
  assert.equal(inputs.length, 2);
});

test('devices that are used at about the same time are noted together', async () => {
  const { runtime, inputs, use } = world();
  await runtime.advance(SEEN_AGAIN_MS);
  void use.note(ALICE, TOKEN);
  await runtime.advance(NOTED_TOGETHER_MS - 1);
  void use.note({ ...ALICE, deviceId: 'LAPTOP' }, TOKEN);
  assert.equal(inputs.length, 0);
  await runtime.advance(1);
  assert.equal(inputs.length, 2);
  for (let n = 0; n < 1000; n += 1) void use.note({ ...ALICE, deviceId: `D${n}` }, TOKEN);
  assert.equal(inputs.length, 1002, 'so many do not wait');
  await runtime.advance(NOTED_TOGETHER_MS);
  assert.equal(inputs.length, 1002);
});

test('after a start the notes do not come all at once', async () => {
  const { runtime, inputs, use } = world();
  const perStep: number[] = [];
  for (let step = 0; step < 12; step += 1) {
    const before = inputs.length;
    for (let i = 0; i < 100; i += 1) void use.note({ ...ALICE, deviceId: `D${i}` }, TOKEN);
    perStep.push(inputs.length - before);
    await runtime.advance(12_000);
  }
  assert.equal(inputs.length, 100);
  assert.ok(Math.max(...perStep) < 40, String(perStep));
});

test('what acts on no device, or from nowhere, is not noted', async () => {
  const { runtime, inputs, use } = world();
  await runtime.advance(SEEN_AGAIN_MS);
  void use.note({ ...ALICE, deviceId: '' }, TOKEN);
  void use.note(ALICE, { ...TOKEN, address: undefined });
  assert.deepEqual([inputs.length, use.size()], [0, 0]);
});

test('a token is refused from the moment on at which it expires', () => {
  const { runtime, use } = world();
  const expiring = (inMs: number) => () => use.note({ ...ALICE, token: { expiresMs: runtime.clock.now() + inMs, isNew: false } }, TOKEN);
  assert.throws(expiring(0), { status: 401, errcode: 'M_UNKNOWN_TOKEN', fields: { soft_logout: true } });
  assert.doesNotThrow(expiring(1));
  assert.doesNotThrow(() => use.note({ ...ALICE, token: { expiresMs: 0, isNew: false } }, TOKEN));
});

test('the first use of a token is told once, by however many requests; when that fails the request goes on', async () => {
  const { inputs, use } = world();
  const fresh: Requester = { ...ALICE, token: { expiresMs: 0, isNew: true } };
  const first = [use.note(fresh, TOKEN), use.note(fresh, TOKEN)];
  assert.ok(first.every((one) => one instanceof Promise));
  await Promise.all(first);
  assert.equal(inputs.filter(({ confirmToken }) => confirmToken).length, 1);
  const failing = world(() => Promise.reject(new Error('the log is away')));
  await failing.use.note(fresh, TOKEN);
  await failing.use.note(fresh, TOKEN);
  assert.equal(failing.inputs.filter(({ confirmToken }) => confirmToken).length, 2);
});
