import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { ALICE, BOB, deviceWith, json, openUserapi, PARTITION, registration, type UserDriver } from '../../../test/kit/user-driver.ts';
import { createUnclaimedDropper, UNUSED_MS } from './drop-unclaimed.ts';

const DONE: Outcome = { inputId: '', partition: 0, sequence: 1, result: new Uint8Array(0), errcode: '', error: '', status: 200, errorFields: new Uint8Array(0) };
const MESSAGES_MAX = 3;

/** Messages 1 to `count`, to all devices of Alice and one of Bob's. */
async function fill(driver: UserDriver, count: number): Promise<void> {
  for (let number = 1; number <= count; number += 1) {
    const targets = [{ userId: ALICE, deviceId: '*', content: 0 }, { userId: BOB, deviceId: 'B', content: 0 }];
    await driver.batch({ userId: ALICE, sendToDevice: { sender: BOB, type: 'm.test', targets, contents: [json({ number })] } });
  }
}

async function waiting(driver: UserDriver, userId: string, deviceId: string): Promise<number[]> {
  const messages = await driver.query.toDevice({ userId, deviceId }, { after: 0, upTo: 1_000_000, limit: 1000 });
  return messages.map(({ event }) => (JSON.parse(event) as { content: { number: number } }).content.number);
}

async function world() {
  const driver = await openUserapi();
  const runtime = createManualRuntime({ startMs: UNUSED_MS });
  await driver.batch({ userId: ALICE, ...registration('OLD', 'a') }, { userId: BOB, ...registration('B', 'b') }, { userId: ALICE, login: { device: deviceWith('USED', 'c') } }, { userId: ALICE, login: { device: deviceWith('STORED', 'd') } });
  await driver.database.transaction((tx) => tx.run(`UPDATE devices SET dehydrated = ? WHERE device_id = 'STORED'`, [json({})]));
  const inputs: string[] = [];
  const dropper = (owned: readonly number[] = [PARTITION]) => createUnclaimedDropper({
    database: driver.database, runtime, owned: () => owned, messagesMax: MESSAGES_MAX,
    commands: {
      submitUserInput: async ({ inputId: _inputId, traceId: _traceId, ...input }) => {
        inputs.push(input.userId);
        await driver.batch(input);
        return DONE;
      },
    },
  });
  return { driver, runtime, dropper, inputs };
}

test('only devices that are unused for long lose messages: the oldest of those that are too many', async () => {
  const { driver, runtime, dropper } = await world();
  await fill(driver, 5);
  // Everybody is unused for less than that.
  const early = dropper();
  early.start();
  await runtime.settle();
  await early.stop();
  assert.deepEqual(await waiting(driver, ALICE, 'OLD'), [1, 2, 3, 4, 5]);
  await runtime.advance(3_600_000);
  await driver.batch({ userId: ALICE, ts: runtime.clock.now(), seeDevice: { deviceId: 'USED', ip: '' } });
  const stranger = dropper([PARTITION + 1]);
  stranger.start();
  await runtime.settle();
  await stranger.stop();
  assert.deepEqual(await waiting(driver, ALICE, 'OLD'), [1, 2, 3, 4, 5], 'another process owns them');
  const late = dropper();
  late.start();
  await runtime.settle();
  assert.deepEqual(await waiting(driver, ALICE, 'OLD'), [3, 4, 5]);
  assert.deepEqual(await waiting(driver, BOB, 'B'), [3, 4, 5]);
  assert.deepEqual(await waiting(driver, ALICE, 'USED'), [1, 2, 3, 4, 5]);
  assert.deepEqual(await waiting(driver, ALICE, 'STORED'), [1, 2, 3, 4, 5]);
  await fill(driver, 1);
  await runtime.advance(3_600_000);
  await late.stop();
  assert.deepEqual(await waiting(driver, ALICE, 'OLD'), [4, 5, 1]);
});

test('what all have lost is not kept for them, and nothing is asked of whose messages are few', async () => {
  const { driver, runtime, dropper, inputs } = await world();
  await driver.batch({ userId: ALICE, removeDevices: { deviceIds: ['USED', 'STORED'] } });
  await fill(driver, 4);
  await runtime.advance(3_600_000);
  const rounds = dropper();
  rounds.start();
  await runtime.settle();
  assert.deepEqual(inputs.sort(), [ALICE, BOB]);
  assert.equal((await driver.database.query('SELECT sequence FROM to_device_shared')).length, 3);
  await runtime.advance(3_600_000);
  assert.equal(inputs.length, 2);
  await rounds.stop();
});
