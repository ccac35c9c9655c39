/** Slow and dead consumers: bounded, and nobody else waits for them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogUnavailable } from '../../../pkg/log/log.ts';
import { bytes, collect, numbers, text, until } from './collect.ts';
import type { Bench } from './suite.ts';

const RECORD_BYTES = 100_000;
/** 40 MB: more than any buffer on the way may hold. */
const FLOOD = 400;

export function backPressureTests(bench: Bench): void {
  test('a consumer that does not come back gets no second delivery, others go on', async () => {
    const { driver } = bench.open();
    const [dead, alive] = [bench.partition(), bench.partition()];
    let deliveries = 0;
    let deliveredBytes = 0;
    let release = (): void => undefined;
    const received: number[] = [];
    const subscription = await driver.subscribe('room-input', dead, 0, async (packs) => {
      deliveries += 1;
      for (const pack of packs) for (const record of pack.records) {
        deliveredBytes += record.byteLength;
        received.push(Buffer.from(record).readUInt32BE(0));
      }
      if (deliveries === 1) await new Promise<void>((resolve) => { release = resolve; });
    });
    const other = await collect(driver, 'room-input', alive, 0);
    await driver.append('room-input', dead, [numbered(0)]);
    await until('the first delivery', () => deliveries === 1);

    let taken = 1;
    for (let i = 1; i < FLOOD; i += 1) {
      try {
        await driver.append('room-input', dead, [numbered(i)]);
        taken += 1;
      } catch (error) {
        assert.ok(error instanceof LogUnavailable, String(error));
        break;
      }
    }
    for (const one of numbers('e', 100)) await driver.append('room-input', alive, [bytes(one)]);
    await until('the other partition goes on', () => other.texts().length >= 100);
    assert.equal(deliveries, 1);
    assert.ok(deliveredBytes <= RECORD_BYTES);

    release();
    await until('everything that was taken is delivered', () => received.length >= taken);
    assert.deepEqual(received, Array.from({ length: taken }, (_, i) => i));
    if (bench.name === 'embedded') assert.ok(taken < FLOOD, 'memory is bounded: appends were refused');
    else assert.equal(taken, FLOOD, 'a broker takes what its consumers do not');
    await subscription.close();
    await other.subscription.close();
  });

  test('a slow consumer gets everything in order, in few deliveries', async () => {
    const { driver } = bench.open();
    const partition = bench.partition();
    const received: string[] = [];
    let deliveries = 0;
    const subscription = await driver.subscribe('room-input', partition, 0, async (packs) => {
      deliveries += 1;
      await new Promise((resolve) => { setTimeout(resolve, 10); });
      received.push(...packs.flatMap((pack) => pack.records.map(text)));
    });
    const sent = numbers('s', 1000);
    // Each after the one before, without waiting: one call hands all of them over in order.
    await Promise.all(sent.map((one) => driver.append('room-input', partition, [bytes(one)])));
    await until('all are delivered', () => received.length >= sent.length);
    assert.deepEqual(received, sent);
    assert.ok(deliveries <= 200, `${deliveries} deliveries for 1000 records`);
    await subscription.close();
  });
}

function numbered(number: number): Uint8Array {
  const record = Buffer.alloc(RECORD_BYTES);
  record.writeUInt32BE(number);
  return record;
}
