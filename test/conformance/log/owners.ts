/**
 * What leases, runner, outbox and output consumer make of a driver, shown with toy counters: owners are killed and paused in mid-run, records are lost
 * on the way, and every command still counts exactly once. The embedded driver over SQLite has one owner that is killed and started again; brokers over
 * PostgreSQL have several.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Database } from '../../../pkg/storage/database.ts';
import * as postgres from '../../kit/servers/postgres.ts';
import { startChild, type Child } from './child.ts';
import { until } from './collect.ts';
import { createCounterClient } from './counter/client.ts';
import { openCounterDatabase, startCounter, type CounterSettings } from './counter/component.ts';
import { loadKey, runLoad, type LoadSettings } from './counter/load.ts';
import { openLog, quietRuntime, unavailable, type DriverName } from './harness.ts';
import { ownerRules } from './owner-rules.ts';
import { makeStand, type Stand } from './stand.ts';

const OWNER = 'counter/owner.ts';
/** Longer than a lease lives. */
const PAUSE_MS = 6000;
const WAIT_MS = 60_000;
const FAULTS = { lossRate: 0.2, repeatRate: 0.1 };

export function ownerConformance(name: DriverName): void {
  const missing = unavailable(name) ?? (name === 'embedded' || process.env['MYELIN_TEST_POSTGRES_URL'] ? undefined : postgres.available());
  describe(`owners over ${name}`, { skip: missing === undefined ? false : `SKIPPED: ${missing}` }, () => {
    let stand: Stand;
    before(async () => { stand = await makeStand(name); });
    after(async () => {
      await stand?.release();
      endSoon();
    });
    if (name === 'embedded') test('kill -9 of the owner in mid-run: every command counts once and keeps its outcome', () => killAndRepeat(stand.settings));
    else {
      test('kill -9 of an owner in mid-run: another takes over, every command counts once', () => killOne(stand.settings));
      test('a paused owner is replaced and fenced; when it goes on it spoils nothing', () => pauseOne(stand.settings));
    }
    ownerRules(name);
  });
}

/**
 * That drivers let their process end is a test of its own (`closer.ts`). Here, after owners were paused and records lost, a broker's client was once seen to hold
 * the process although all was closed: it is named and not waited for.
 */
function endSoon(): void {
  setTimeout(() => {
    process.stderr.write(`still open after all was closed: ${process.getActiveResourcesInfo().join(', ')}\n`);
    process.exit();
  }, 10_000).unref();
}

/** One process owns and commands; it is killed twice, and its third life repeats all commands to the end. */
async function killAndRepeat(settings: CounterSettings): Promise<void> {
  const load: LoadSettings = { workers: 24, inputs: 60, keys: 10 };
  const lines: string[] = [];
  for (const killAfter of [200, 700]) {
    const child = startChild(OWNER, { ...settings, ...FAULTS, load });
    await child.said(killAfter);
    await child.kill();
    lines.push(...child.lines);
  }
  const last = startChild(OWNER, { ...settings, ...FAULTS, load });
  await until('the load is through', () => last.lines.includes('done'), WAIT_MS);
  last.signal('SIGTERM');
  assert.equal(await last.exited, 0);
  lines.push(...last.lines);
  const runtime = quietRuntime();
  const component = await startCounter(settings, runtime);
  await checkCounters(component.database, load, lines);
  await component.stop();
}

async function killOne(settings: CounterSettings): Promise<void> {
  const owners = [startChild(OWNER, { ...settings, ...FAULTS }), startChild(OWNER, { ...settings, ...FAULTS })];
  await Promise.all(owners.map((owner) => owner.said(1)));
  await underLoad(settings, 'k', owners, async (progress) => {
    await progress(300);
    await owners[0]!.kill();
    await progress(600);
    owners.push(startChild(OWNER, { ...settings, ...FAULTS }));
  });
}

async function pauseOne(settings: CounterSettings): Promise<void> {
  const owners = [startChild(OWNER, { ...settings, ...FAULTS }), startChild(OWNER, { ...settings, ...FAULTS })];
  await Promise.all(owners.map((owner) => owner.said(1)));
  await underLoad(settings, 'p', owners, async (progress) => {
    await progress(300);
    owners[0]!.signal('SIGSTOP');
    const paused = performance.now();
    // Only with the paused one's partitions can the load come this far.
    await progress(900);
    await until('the lease has run out', () => performance.now() - paused > PAUSE_MS);
    owners[0]!.signal('SIGCONT');
  });
}

/** Puts load on the owners while `disturb` does its worst, then checks that everything adds up. */
async function underLoad(settings: CounterSettings, mark: string, owners: readonly Child[], disturb: (progress: (count: number) => Promise<void>) => Promise<void>): Promise<void> {
  const runtime = quietRuntime();
  const opened = await openLog(settings.address, { runtime });
  const client = await createCounterClient({ driver: opened.driver, runtime, partitionMap: { version: 1, partitions: settings.address.partitions } });
  const load: LoadSettings = { workers: 32, inputs: 50, keys: 20, mark };
  const lines: string[] = [];
  const running = runLoad(client, load, (line) => lines.push(line));
  await disturb((count) => until(`${count} outcomes`, () => lines.length >= count, WAIT_MS));
  await running;
  await runLoad(client, { ...load, inputs: 5 }, (line) => lines.push(line));
  const database = await openCounterDatabase(settings.database);
  await checkCounters(database, load, lines);
  await database.close();
  await client.close();
  await opened.close();
  for (const owner of owners) await owner.kill();
}

/** Every command of the load counted once, each outcome is one and the same, and the reader's sums are the owner's counters. */
async function checkCounters(database: Database, load: LoadSettings, lines: readonly string[]): Promise<void> {
  const outcomes = new Map<string, string>();
  for (const line of lines) {
    const [inputId, value] = line.split(' ');
    if (value === undefined) continue;
    assert.equal(outcomes.get(inputId!) ?? value, value, `${inputId} has two outcomes`);
    outcomes.set(inputId!, value);
  }
  assert.equal(outcomes.size, load.workers * load.inputs);
  const wanted = new Map<string, number>();
  for (let worker = 0; worker < load.workers; worker += 1) {
    for (let input = 0; input < load.inputs; input += 1) {
      const key = loadKey(load, worker, input);
      wanted.set(key, (wanted.get(key) ?? 0) + 1);
    }
  }
  const read = async (sql: string): Promise<Map<string, number>> => {
    const rows = await database.query<{ name: string; value: number }>(sql);
    return new Map(rows.filter((row) => wanted.has(row.name)).map((row) => [row.name, row.value]));
  };
  const sorted = (map: Map<string, number>): string => JSON.stringify([...map].sort());
  assert.equal(sorted(await read('SELECT name, value FROM counters')), sorted(wanted));
  await until('the reader has caught up', async () => sorted(await read('SELECT name, total AS value FROM sums')) === sorted(wanted), WAIT_MS);
  assert.deepEqual((await database.query<{ text: string }>('SELECT text FROM violations')).map(({ text }) => text), []);
}
