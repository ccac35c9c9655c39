/** Collecting what a subscription delivers, and waiting for it. */
import assert from 'node:assert/strict';
import type { LogDriver, LogName, Pack, Subscription } from '../../../pkg/log/log.ts';

const WAIT_MS_MAX = 20_000;
const STEP_MS = 2;

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const text = (record: Uint8Array): string => Buffer.from(record).toString();

/** Waits for a condition; fails with its name when it does not come. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, waitMs = WAIT_MS_MAX): Promise<void> {
  const end = performance.now() + waitMs;
  while (!(await condition())) {
    if (performance.now() > end) assert.fail(`waited ${waitMs} ms in vain: ${what}`);
    await pause(STEP_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms); });
}

export interface Collected {
  readonly packs: Pack[];
  readonly subscription: Subscription;
  texts(): string[];
}

/** Subscribes and keeps everything. */
export async function collect(driver: LogDriver, log: LogName, partition: number, from: number): Promise<Collected> {
  const packs: Pack[] = [];
  const subscription = await driver.subscribe(log, partition, from, async (delivered) => {
    // Copies: a driver may hand out views.
    for (const pack of delivered) packs.push({ offset: pack.offset, records: pack.records.map((record) => Uint8Array.from(record)) });
  });
  return { packs, subscription, texts: () => packs.flatMap((pack) => pack.records.map(text)) };
}

export function assertOffsetsRise(packs: readonly Pack[]): void {
  for (let i = 1; i < packs.length; i += 1) {
    assert.ok(packs[i]!.offset > packs[i - 1]!.offset, `offset ${packs[i]!.offset} after ${packs[i - 1]!.offset}`);
  }
}

/** `count` numbered texts. */
export const numbers = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
