/** What a broker's death must not do to a log: the same tests for NATS and Kafka, each on a server of its own. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LogUnavailable } from '../../pkg/log/log.ts';
import { bytes, collect, pause, text, until } from '../conformance/log/collect.ts';
import { openLog, unavailable, type Address, type OpenLog } from '../conformance/log/harness.ts';
import type { RunningServer } from '../kit/servers/server-process.ts';

export interface BrokerUnderTest {
  readonly name: 'nats' | 'kafka';
  start(): Promise<{ server: RunningServer; at: string }>;
  /** Removes the records of a partition of `room-input` below `offset`, as its retention would. */
  forget(at: string, place: { prefix: string; partition: number; offset: number }): Promise<void>;
}

const PARTITIONS = 4;

export function brokerFaults(broker: BrokerUnderTest): void {
  const missing = unavailable(broker.name);
  describe(`log over ${broker.name}, when the broker fails`, { skip: missing === undefined ? false : `SKIPPED: ${missing}` }, () => {
    let server: RunningServer;
    let address: Address;
    let opened: OpenLog;
    before(async () => {
      const started = await broker.start();
      server = started.server;
      address = { driver: broker.name, at: started.at, prefix: 'faults', partitions: PARTITIONS };
      opened = await openLog(address);
    });
    after(async () => {
      await opened?.close();
      await server?.stop();
    });

    for (const fault of ['kill -9', 'orderly restart'] as const) {
      test(`${fault}: readers and writers go on by themselves, nothing acknowledged is lost, nothing is out of order`, async () => {
        const { driver } = opened;
        const traffic = await startTraffic(opened);
        await until('traffic flows', () => traffic.seen.every((seen) => seen.last > 50));
        if (fault === 'kill -9') {
          await server.kill();
          await until('health says so', () => driver.health() !== undefined);
        }
        await server.restart();
        await until('the driver is well again', () => driver.health() === undefined, 30_000);
        const marks = traffic.acknowledged();
        await until('writers go on', () => traffic.acknowledged().every((count, i) => count > marks[i]! + 50), 30_000);
        await traffic.stop();
        await until('readers have everything', () => traffic.seen.every((seen, i) => seen.last >= traffic.acknowledged()[i]! - 1), 30_000);
        assert.deepEqual(traffic.problems, []);
        await traffic.close();
      });
    }

    test('while the broker is away appends are refused in time, and work again when it is back', async () => {
      const impatient = await openLog(address, { appendTimeoutMs: 400 });
      await server.kill();
      const start = performance.now();
      await assert.rejects(impatient.driver.append('user-input', 0, [bytes('lost')]), LogUnavailable);
      assert.ok(performance.now() - start < 8000);
      await assert.rejects(impatient.driver.head('user-input', 0), LogUnavailable);
      assert.notEqual(impatient.driver.health(), undefined);
      impatient.driver.signal('nobody', bytes('lost'));
      await server.restart();
      await until('an append goes through', () => impatient.driver.append('user-input', 0, [bytes('kept')]).then(() => true, () => false), 30_000);
      await until('it is well', () => impatient.driver.health() === undefined);
      const seen = await collect(impatient.driver, 'user-input', 0, 0);
      await until('the record is there', () => seen.texts().includes('kept'));
      await impatient.close();
    });

    test('a subscription made while the broker is away starts when it is back, or is refused', async () => {
      const fresh = await openLog(address);
      await fresh.driver.append('user-input', 1, [bytes('before')]);
      await server.kill();
      await until('health says so', () => fresh.driver.health() !== undefined || broker.name === 'kafka');
      const subscribing = collect(fresh.driver, 'user-input', 1, 0).catch((error: unknown) => {
        assert.ok(error instanceof LogUnavailable);
        return undefined;
      });
      await pause(200);
      await server.restart();
      const seen = (await subscribing) ?? await collect(fresh.driver, 'user-input', 1, 0);
      await until('it reads', () => seen.texts().length >= 1, 30_000);
      assert.deepEqual(seen.texts(), ['before']);
      await fresh.close();
    });

    test('a broker that hangs is a pause', async () => {
      const { driver } = opened;
      const seen = await collect(driver, 'user-input', 2, await driver.head('user-input', 2));
      server.pause();
      const append = driver.append('user-input', 2, [bytes('patient')]);
      await pause(700);
      server.resume();
      await append;
      await until('it is delivered', () => seen.texts().includes('patient'), 30_000);
      await seen.subscription.close();
    });

    test('a position below the oldest kept record goes on at the oldest kept', async () => {
      const { driver } = opened;
      const partition = 3;
      for (let i = 0; i < 30; i += 1) await driver.append('room-input', partition, [bytes(`f${i}`)]);
      const all = await collect(driver, 'room-input', partition, 0);
      await until('all are there', () => all.texts().filter((one) => one.startsWith('f')).length >= 30);
      await all.subscription.close();
      const cut = all.packs.find((pack) => text(pack.records[0]!) === 'f20')!.offset;
      const old = all.packs.find((pack) => text(pack.records[0]!) === 'f5')!.offset;
      await broker.forget(address.at, { prefix: address.prefix, partition, offset: cut });
      for (const from of [0, old]) {
        const kept = await collect(driver, 'room-input', partition, from);
        await until('the rest is delivered', () => kept.texts().length >= 10);
        assert.deepEqual(kept.texts(), Array.from({ length: 10 }, (_, i) => `f${20 + i}`));
        await kept.subscription.close();
      }
    });
  });
}

interface Traffic {
  readonly problems: string[];
  /** Per partition: the newest number that was delivered in order. */
  readonly seen: readonly { last: number }[];
  /** Per partition: how many were acknowledged. */
  acknowledged(): number[];
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** One writer and one reader for each of three partitions; numbers must come without a hole, repeats only of what was there. */
async function startTraffic({ driver }: OpenLog): Promise<Traffic> {
  const problems: string[] = [];
  const counts = [0, 0, 0];
  const seen = counts.map(() => ({ last: -1 }));
  let stopped = false;
  const run = Math.random().toString(36).slice(2);
  const subscriptions = await Promise.all(counts.map(async (_, partition) => {
    const from = await driver.head('room-input', partition);
    return driver.subscribe('room-input', partition, from, async (packs) => {
      for (const record of packs.flatMap((pack) => pack.records)) {
        const [name, number] = text(record).split('/');
        if (name !== run) continue;
        if (Number(number) === seen[partition]!.last + 1) seen[partition]!.last += 1;
        else if (Number(number) > seen[partition]!.last) problems.push(`partition ${partition}: ${number} after ${seen[partition]!.last}`);
      }
    });
  }));
  const writers = counts.map(async (_, partition) => {
    while (!stopped) {
      // The same number again until it is acknowledged, as a caller would.
      await driver.append('room-input', partition, [bytes(`${run}/${counts[partition]}`)]).then(() => { counts[partition]! += 1; }, () => pause(20));
    }
  });
  return {
    problems, seen,
    acknowledged: () => [...counts],
    stop: async () => {
      stopped = true;
      await Promise.all(writers);
    },
    close: async () => { for (const subscription of subscriptions) await subscription.close(); },
  };
}
