/** The numbers that the sender shows. */
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import { noMetrics } from '../../../pkg/telemetry/metrics.ts';
import type { Destination } from './destination.ts';

export interface SenderMetrics {
  transaction(result: 'sent' | 'failed' | 'cancelled', events: number, seconds: number): void;
  /** Events and units that were given up: the ends of their rooms are sent instead (`catch-up`), or the destination can take them in no form (`refused`). */
  dropped(reason: 'catch-up' | 'refused', count: number): void;
}

/** `destinations`: those for which something waits; asked when the numbers are read out. */
export function senderMetrics(runtime: Runtime, destinations: () => readonly Destination[]): SenderMetrics {
  const metrics = runtime.metrics ?? noMetrics();
  const transactions = metrics.counter({ name: 'federation_transactions_total', help: 'Transactions to other servers, by what became of them', labels: ['result'] });
  const events = metrics.counter({ name: 'federation_events_sent_total', help: 'Events that other servers have taken over, once for each server' });
  const dropped = metrics.counter({ name: 'federation_events_dropped_total', help: 'Queued events that were given up', labels: ['reason'] });
  const seconds = metrics.histogram({ name: 'federation_transaction_seconds', help: 'How long other servers take for a transaction' });
  const sum = (part: (destination: Destination) => number) => (): number => destinations().reduce((total, one) => total + part(one), 0);
  metrics.gauge({ name: 'federation_destinations_waiting', help: 'Destinations of this instance for which something waits', read: sum(() => 1) });
  metrics.gauge({ name: 'federation_destinations_paused', help: 'Destinations of this instance that have failed and are left alone for now', read: sum(({ backoff }) => Number(backoff !== undefined)) });
  metrics.gauge({ name: 'federation_queued_events', help: 'Events that wait for the destinations of this instance, as counted within the last minutes', read: sum(({ counts }) => counts.events.count) });
  metrics.gauge({ name: 'federation_queued_units', help: 'Messages to devices and news of devices that wait for the destinations of this instance', read: sum(({ counts }) => counts.units.count) });
  metrics.gauge({ name: 'federation_rooms_to_catch_up', help: 'Rooms whose latest events the destinations of this instance will be sent when they are back, once for each destination', read: sum(({ counts }) => counts.rooms.count) });
  metrics.gauge({ name: 'federation_oldest_unsent_seconds', help: 'How long the oldest that waits for a destination of this instance has waited', read: () => oldestSeconds(destinations(), runtime.clock.now()) });
  return {
    transaction(result, count, took) {
      transactions.add({ result });
      if (result === 'sent') events.add({}, count);
      seconds.observe(took);
    },
    dropped: (reason, count) => dropped.add({ reason }, count),
  };
}

function oldestSeconds(destinations: readonly Destination[], nowMs: number): number {
  let since = nowMs;
  for (const { counts } of destinations) for (const { sinceMs } of [counts.events, counts.units, counts.rooms]) since = Math.min(since, sinceMs ?? nowMs);
  return (nowMs - since) / 1000;
}
