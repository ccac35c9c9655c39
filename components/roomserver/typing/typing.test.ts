import assert from 'node:assert/strict';
import { test } from 'node:test';
import { typingCodec } from '../../../pkg/log/codec.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { ALICE, assertRefused, BOB, CAROL, createRoomDriver, member, newRoom, typing as typingInput } from '../../../test/kit/room-driver.ts';
import { createTyping, TYPING_CHANNEL, TYPING_MS_MAX } from './typing.ts';

function setUp() {
  const runtime = createManualRuntime();
  const signals: { roomId: string; epoch: number; counter: number; userIds: string[]; expiresMs: number }[] = [];
  const driver = {
    signal(channel: string, value: Uint8Array) {
      assert.equal(channel, TYPING_CHANNEL);
      const { roomId, epoch, counter, userIds, expiresMs } = typingCodec.decode(value);
      signals.push({ roomId, epoch, counter, userIds: [...userIds], expiresMs: expiresMs - runtime.clock.now() });
    },
  };
  return { runtime, signals, typing: createTyping({ clock: runtime.clock, driver }) };
}

const PLACE = { partition: 3, epoch: 7 };
const change = (userId: string, typing: boolean, timeoutMs = 10_000) => ({ roomId: '!r', userId, typing, timeoutMs });

test('each change sends the whole list; names run out one by one, and an empty list ends it', async () => {
  const { runtime, signals, typing } = setUp();
  typing.set(PLACE, change(BOB, true));
  await runtime.advance(4000);
  typing.set(PLACE, change(ALICE, true));
  await runtime.advance(5999);
  assert.equal(signals.length, 2);
  await runtime.advance(1);
  await runtime.advance(60_000);
  assert.deepEqual(signals.map(({ counter, userIds }) => [counter, userIds]), [[1, [BOB]], [2, [ALICE, BOB]], [3, [ALICE]], [4, []]]);
  assert.deepEqual(signals.slice(0, 3).map(({ expiresMs }) => expiresMs), [10_000, 10_000, 4000]);
});

test('renewing pushes the end out; stopping tells at once; stopping what nobody began tells nothing', async () => {
  const { runtime, signals, typing } = setUp();
  typing.set(PLACE, change(BOB, false));
  assert.equal(signals.length, 0);
  typing.set(PLACE, change(BOB, true));
  await runtime.advance(9000);
  typing.set(PLACE, change(BOB, true));
  await runtime.advance(9000);
  assert.equal(signals.length, 2);
  typing.set(PLACE, change(BOB, false));
  assert.deepEqual(signals.at(-1)!.userIds, []);
  await runtime.advance(60_000);
  assert.equal(signals.length, 3);
});

test('nobody types for longer than the bound', async () => {
  const { runtime, signals, typing } = setUp();
  typing.set(PLACE, change(BOB, true, 1e12));
  await runtime.advance(TYPING_MS_MAX);
  assert.deepEqual(signals.map(({ userIds }) => userIds), [[BOB], []]);
});

test('a forgotten partition falls silent; its counter goes on', async () => {
  const { runtime, signals, typing } = setUp();
  typing.set(PLACE, change(BOB, true));
  typing.forget(PLACE.partition);
  await runtime.advance(60_000);
  assert.equal(signals.length, 1);
  typing.set({ ...PLACE, epoch: 8 }, change(BOB, true));
  assert.deepEqual([signals[1]!.epoch, signals[1]!.counter], [8, 2]);
});

test('given a member, when they type, then it is told after the commit and costs no record; leaving ends it', async () => {
  const { signals, typing } = setUp();
  const driver = await createRoomDriver({ typing });
  const room = newRoom({ joinRule: 'public' });
  await driver.batch([room.input, member(room.roomId, BOB, BOB, 'join')]);
  const records = driver.outputs.length;
  assertRefused(await driver.send(typingInput(room.roomId, CAROL, true)), 403, 'M_FORBIDDEN');
  assert.equal(signals.length, 0);
  assert.deepEqual(await driver.send(typingInput(room.roomId, BOB, true)), { ok: {} });
  assert.deepEqual(signals.map(({ roomId, userIds }) => [roomId, userIds]), [[room.roomId, [BOB]]]);
  assert.equal(driver.outputs.length, records);
  await driver.send(member(room.roomId, BOB, BOB, 'leave'));
  assert.deepEqual(signals.at(-1)!.userIds, []);
  await driver.close();
});
