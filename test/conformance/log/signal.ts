/** Signals reach who listens, here and in other processes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startChild } from './child.ts';
import { bytes, text, until } from './collect.ts';
import { openLog, type OpenLog } from './harness.ts';
import type { Bench } from './suite.ts';

export function signalTests(bench: Bench): void {
  test('a signal reaches all listeners of its channel, later than the call, and nobody else', async () => {
    const { driver } = bench.open();
    const got: string[] = [];
    const listeners = [
      await driver.listen('reply.to me/1 *>', (value) => got.push(`a ${text(value)}`)),
      await driver.listen('reply.to me/1 *>', () => { throw new Error('a listener that fails'); }),
      await driver.listen('reply.to me/1 *>', (value) => got.push(`b ${text(value)}`)),
      await driver.listen('reply.to me/2', (value) => got.push(`c ${text(value)}`)),
    ];
    driver.signal('reply.to me/1 *>', bytes('hello'));
    assert.deepEqual(got, []);
    await until('both have it', () => got.length >= 2);
    assert.deepEqual(got.sort(), ['a hello', 'b hello']);
    await listeners[0]!.close();
    driver.signal('reply.to me/1 *>', bytes('again'));
    driver.signal('reply.to me/2', bytes('for c'));
    await until('the remaining ones have it', () => got.length >= 4);
    assert.deepEqual(got.sort(), ['a hello', 'b again', 'b hello', 'c for c']);
    for (const listener of listeners) await listener.close();
  });

  test('signals of one channel keep their order', async () => {
    const { driver } = bench.open();
    const got: number[] = [];
    const listener = await driver.listen('order', (value) => got.push(Number(text(value))));
    for (let i = 0; i < 500; i += 1) driver.signal('order', bytes(String(i)));
    await until('the last one is there', () => got.at(-1) === 499);
    assert.deepEqual(got, [...got].sort((a, b) => a - b));
    await listener.close();
  });

  test('signals reach other processes', { skip: bench.name === 'embedded' ? 'one process only' : false }, async () => {
    const opened: OpenLog = await openLog(bench.address());
    const got = new Set<string>();
    const listener = await opened.driver.listen('from another process', (value) => got.add(text(value)));
    const child = startChild('signal-writer.ts', { address: bench.address(), channel: 'from another process' });
    await until('signals of the child arrive', () => got.size >= 3);
    await child.kill();
    await listener.close();
    await opened.close();
  });
}
