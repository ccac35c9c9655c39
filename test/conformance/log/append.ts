/** Order, atomic packs, sizes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { RECORD_BYTES_MAX } from '../../../pkg/log/log.ts';
import { assertOffsetsRise, bytes, collect, numbers, until } from './collect.ts';
import type { Bench } from './suite.ts';

export function appendTests(bench: Bench): void {
  test('keeps the order of appends to one partition, each after the one before', async () => {
    const { driver } = bench.open();
    const partition = bench.partition();
    const seen = await collect(driver, 'room-input', partition, 0);
    const sent = numbers('a', 200);
    for (const one of sent) await driver.append('room-input', partition, [bytes(one)], { durable: Number(one.slice(1)) % 3 === 0 });
    await until('all are delivered', () => seen.texts().length >= sent.length);
    assert.deepEqual(seen.texts(), sent);
    assertOffsetsRise(seen.packs);
    await seen.subscription.close();
  });

  test('keeps order per partition under concurrent appends to many partitions', async () => {
    const { driver, close } = bench.open();
    assert.ok(close);
    const partitions = Array.from({ length: bench.address().partitions }, (_, i) => i);
    const seen = await Promise.all(partitions.map((partition) => driver.head('user-input', partition).then((head) => collect(driver, 'user-input', partition, head))));
    const sent = numbers('m', 100);
    // Four writers a partition: each one's records stay in its order.
    await Promise.all(partitions.flatMap((partition) => ['w', 'x', 'y', 'z'].map(async (writer) => {
      for (const one of sent) await driver.append('user-input', partition, [bytes(writer + one)]);
    })));
    for (const [partition, collected] of seen.entries()) {
      await until(`partition ${partition} is complete`, () => collected.texts().length >= 4 * sent.length);
      for (const writer of ['w', 'x', 'y', 'z']) {
        assert.deepEqual(collected.texts().filter((one) => one.startsWith(writer)), sent.map((one) => writer + one));
      }
      assertOffsetsRise(collected.packs);
      await collected.subscription.close();
    }
  });

  test('keeps the records of one append together, in order, under one offset', async () => {
    const { driver } = bench.open();
    const partition = bench.partition();
    const seen = await collect(driver, 'room-input', partition, 0);
    const groups = numbers('g', 20).map((group) => numbers(`${group}.`, 7));
    await Promise.all(groups.map((group) => driver.append('room-input', partition, group.map(bytes))));
    await until('all are delivered', () => seen.texts().length >= 140);
    const delivered = seen.texts();
    for (const group of groups) {
      const at = delivered.indexOf(group[0]!);
      assert.deepEqual(delivered.slice(at, at + 7), group);
      assert.equal(seen.packs.filter((pack) => pack.records.some((record) => bytes(group[0]!).toString() === Buffer.from(record).toString()
        || Buffer.from(record).toString() === group[6])).length, 1, 'one pack holds the first and the last');
    }
    await seen.subscription.close();
  });

  test('carries records of every size from 0 to the limit, byte for byte', async () => {
    const { driver } = bench.open();
    const partition = bench.partition();
    const seen = await collect(driver, 'room-input', partition, 0);
    const sizes = [0, 1, 2, 3, 4, 5, 255, 256, 65_535, 65_536, 200_000, 262_144, 500_000, RECORD_BYTES_MAX];
    const records = sizes.map((size) => randomBytes(size));
    for (const record of records) await driver.append('room-input', partition, [record]);
    await driver.append('room-input', partition, records);
    await until('all are delivered', () => seen.packs.flatMap((pack) => pack.records).length >= 2 * sizes.length);
    const delivered = seen.packs.flatMap((pack) => pack.records);
    assert.deepEqual(delivered.map((record) => record.byteLength), [...sizes, ...sizes]);
    for (const [i, record] of delivered.entries()) assert.ok(records[i % sizes.length]!.equals(record), `record ${i} is intact`);
    await seen.subscription.close();
  });

  test('refuses a record over the limit and takes an empty append as done', async () => {
    const { driver } = bench.open();
    await assert.rejects(driver.append('room-input', 0, [new Uint8Array(RECORD_BYTES_MAX + 1)]), RangeError);
    await driver.append('room-input', 0, []);
  });

  test('delivers output logs to every subscriber', async () => {
    const { driver } = bench.open();
    const head = await driver.head('room-output', 3);
    const one = await collect(driver, 'room-output', 3, head);
    const other = await collect(driver, 'room-output', 3, head);
    const sent = numbers('o', 50);
    for (const record of sent) await driver.append('room-output', 3, [bytes(record)]);
    await until('both have all', () => one.texts().length >= 50 && other.texts().length >= 50);
    assert.deepEqual(one.texts(), sent);
    assert.deepEqual(other.texts(), sent);
    await one.subscription.close();
    await other.subscription.close();
  });
}
