/** What was acknowledged is there after kill -9 of the process that wrote it; an orderly end leaves nothing open. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startChild } from './child.ts';
import { assertOffsetsRise, collect, until } from './collect.ts';
import { makeAddress, openLog } from './harness.ts';
import type { Bench } from './suite.ts';

const KILLS = 2;
const ACKED = 300;

export function durabilityTests(bench: Bench): void {
  test('acknowledged records survive kill -9 of the writing process, each writer\'s in order', async () => {
    const place = await makeAddress(bench.name);
    const partitions = [0, 1, 2];
    const acknowledged: string[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const child = startChild('record-writer.ts', { address: place.address, partitions, writers: 12 });
      await child.said(ACKED);
      await child.kill();
      acknowledged.push(...child.lines);
    }
    const { driver, close } = await openLog(place.address);
    for (const partition of partitions) {
      const wanted = acknowledged.filter((one) => one.startsWith(`${partition}/`));
      const seen = await collect(driver, 'room-input', partition, 0);
      const missing = (): string[] => {
        const counts = new Map<string, number>();
        for (const one of seen.texts()) counts.set(one, (counts.get(one) ?? 0) + 1);
        return wanted.filter((one) => {
          const count = counts.get(one) ?? 0;
          counts.set(one, count - 1);
          return count <= 0;
        });
      };
      await until(`partition ${partition} has ${wanted.length} records`, () => seen.texts().length >= wanted.length && missing().length === 0);
      assertOffsetsRise(seen.packs);
      for (let writer = 0; writer < 12; writer += 1) {
        const own = seen.texts().filter((one) => one.startsWith(`${partition}/${writer}/`)).map((one) => Number(one.split('/')[2]));
        const starts = own.filter((number) => number === 0).length;
        // Ascending within each of the child's lives.
        assert.equal(own.filter((number, i) => i > 0 && number <= own[i - 1]!).length, Math.max(0, starts - 1), `writer ${writer}: ${own.join(' ')}`);
      }
      await seen.subscription.close();
    }
    await close();
    await place.release();
  });

  test('a process that closes its driver ends by itself, and what it appended last is there', async () => {
    const place = await makeAddress(bench.name);
    const child = startChild('closer.ts', { address: place.address });
    const deadline = new Promise<'too late'>((resolve) => { setTimeout(resolve, 20_000, 'too late').unref(); });
    assert.equal(await Promise.race([child.exited, deadline]), 0, [...child.lines, child.errors()].join('\n'));
    assert.deepEqual(child.lines, ['closed']);
    const { driver, close } = await openLog(place.address);
    const seen = await collect(driver, 'room-input', 0, 0);
    await until('all five are there', () => seen.texts().length >= 5);
    assert.deepEqual(seen.texts(), ['1', '2', '3', '4', '5']);
    await seen.subscription.close();
    await close();
    await place.release();
  });
}
