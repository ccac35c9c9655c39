/** Where reading starts, and reading again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertOffsetsRise, bytes, collect, numbers, pause, until } from './collect.ts';
import type { Bench } from './suite.ts';

export function readTests(bench: Bench): void {
  test('reads from the oldest, from any offset, and from the head', async () => {
    const { driver } = bench.open();
    const partition = bench.partition();
    const sent = numbers('r', 30);
    for (const one of sent) await driver.append('room-input', partition, [bytes(one)]);
    const all = await collect(driver, 'room-input', partition, 0);
    await until('all are delivered', () => all.packs.length >= 30);
    assert.deepEqual(all.texts(), sent);

    const middle = await collect(driver, 'room-input', partition, all.packs[12]!.offset);
    await until('the rest is delivered', () => middle.packs.length >= 18);
    assert.deepEqual(middle.texts(), sent.slice(12));
    assert.deepEqual(middle.packs.map((pack) => pack.offset), all.packs.slice(12).map((pack) => pack.offset), 'offsets stay');

    const head = await driver.head('room-input', partition);
    assert.ok(head > all.packs[29]!.offset);
    const fresh = await collect(driver, 'room-input', partition, head);
    await driver.append('room-input', partition, [bytes('new')]);
    await until('the new one is delivered', () => fresh.packs.length >= 1);
    assert.deepEqual(fresh.texts(), ['new']);
    for (const collected of [all, middle, fresh]) await collected.subscription.close();
  });

  test('delivers again from an older position, exactly what followed it', async () => {
    const { driver } = bench.open();
    const partition = bench.partition();
    const sent = numbers('d', 40);
    const first = await collect(driver, 'room-input', partition, 0);
    for (const one of sent.slice(0, 25)) await driver.append('room-input', partition, [bytes(one)]);
    await until('the first part is delivered', () => first.packs.length >= 25);
    await first.subscription.close();
    const position = first.packs[9]!.offset + 1;
    for (const one of sent.slice(25)) await driver.append('room-input', partition, [bytes(one)]);
    const again = await collect(driver, 'room-input', partition, position);
    await until('all that followed is delivered', () => again.packs.length >= 30);
    assert.deepEqual(again.texts(), sent.slice(10));
    assertOffsetsRise(again.packs);
    await again.subscription.close();
  });

  test('a position saved between two starts of the process holds', async () => {
    const { driver } = bench.open();
    const partition = bench.partition();
    const before = await collect(driver, 'user-input', partition, await driver.head('user-input', partition));
    // Not durable: on the embedded driver these leave no trace, and yet no position may come twice.
    for (const one of numbers('n', 20)) await driver.append('user-input', partition, [bytes(one)], { durable: false });
    await until('they are delivered', () => before.packs.length >= 1 && before.texts().length >= 20);
    await before.subscription.close();
    const position = before.packs.at(-1)!.offset + 1;
    for (const one of numbers('p', 5)) await driver.append('user-input', partition, [bytes(one)]);
    const seen = await collect(driver, 'user-input', partition, position);
    await until('what was appended meanwhile is delivered', () => seen.texts().length >= 5);
    assert.deepEqual(seen.texts(), numbers('p', 5));
    await seen.subscription.close();
  });

  test('delivers nothing after a subscription was closed, also from within a delivery', async () => {
    const { driver } = bench.open();
    const partition = bench.partition();
    let calls = 0;
    const subscription = await driver.subscribe('room-input', partition, 0, async () => {
      calls += 1;
      await subscription.close();
    });
    await driver.append('room-input', partition, [bytes('one')]);
    await until('the first is delivered', () => calls === 1);
    await driver.append('room-input', partition, [bytes('two')]);
    await pause(300);
    assert.equal(calls, 1);
    const rest = await collect(driver, 'room-input', partition, 0);
    await until('another reader has both', () => rest.texts().length >= 2);
    assert.deepEqual(rest.texts(), ['one', 'two']);
    await rest.subscription.close();
  });

  test('repeats a delivery that failed, before anything else', async () => {
    const { driver } = bench.open();
    const partition = bench.partition();
    const attempts: string[] = [];
    let failures = 2;
    const subscription = await driver.subscribe('room-input', partition, 0, async (packs) => {
      const texts = packs.flatMap((pack) => pack.records.map((record) => Buffer.from(record).toString()));
      if (failures > 0) {
        failures -= 1;
        attempts.push(`failed ${texts[0]}`);
        throw new Error('the database is away');
      }
      attempts.push(...texts);
    });
    await driver.append('room-input', partition, [bytes('1')]);
    await driver.append('room-input', partition, [bytes('2')]);
    await until('both are delivered', () => attempts.includes('2'));
    assert.deepEqual(attempts, ['failed 1', 'failed 1', '1', '2']);
    await subscription.close();
  });
}
