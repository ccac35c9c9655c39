/** The numbers that the sender shows of what waits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../../../pkg/telemetry/metrics.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { newDestination, type Destination } from './destination.ts';
import { senderMetrics } from './sender-metrics.ts';

test('what waits is summed over the destinations, and the oldest of it is told', async () => {
  const runtime = { ...createManualRuntime(), metrics: createMetrics() };
  const nowMs = runtime.clock.now();
  const destinations: Destination[] = [];
  senderMetrics(runtime, () => destinations);
  const read = async (): Promise<Record<string, number>> =>
    Object.fromEntries([...(await runtime.metrics.expose()).text.matchAll(/^myelin_federation_(\w+) (\S+)$/gm)].map(([, name, value]) => [name!, Number(value)]));
  assert.equal((await read())['oldest_unsent_seconds'], 0);
  const add = (name: string, counts: Destination['counts'], failures = 0): void => {
    const backoff = failures === 0 ? undefined : { failures, pauseMs: 1, pausedAtMs: 1, retryAtMs: 1, failingSinceMs: 1 };
    destinations.push({ ...newDestination(name, 0, { backoff, units: new Map(), hasMarks: true }), counts });
  };
  const none = { count: 0, sinceMs: undefined };
  add('a.example', { events: { count: 3, sinceMs: nowMs - 5000 }, units: none, rooms: { count: 2, sinceMs: nowMs - 90_000 } });
  add('b.example', { events: { count: 4, sinceMs: nowMs - 7000 }, units: { count: 1, sinceMs: nowMs }, rooms: none }, 2);
  const numbers = await read();
  const names = ['destinations_waiting', 'destinations_paused', 'queued_events', 'queued_units', 'rooms_to_catch_up', 'oldest_unsent_seconds'];
  assert.deepEqual(names.map((name) => numbers[name]), [2, 1, 7, 1, 2, 90]);
});
