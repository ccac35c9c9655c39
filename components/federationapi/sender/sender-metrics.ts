/** The numbers that the sender shows. */
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import { noMetrics } from '../../../pkg/telemetry/metrics.ts';

export interface SenderMetrics {
  transaction(result: 'sent' | 'failed' | 'cancelled', events: number, seconds: number): void;
  /** Events that were given up: the newest of their rooms is sent instead (`catch-up`), or the destination can take them in no form (`refused`). */
  dropped(reason: 'catch-up' | 'refused', events: number): void;
  queued(events: number): void;
}

/** `read`: asked when the numbers are read out. */
export function senderMetrics(runtime: Runtime, read: { waiting: () => number; paused: () => number }): SenderMetrics {
  const metrics = runtime.metrics ?? noMetrics();
  const transactions = metrics.counter({ name: 'federation_transactions_total', help: 'Transactions to other servers, by what became of them', labels: ['result'] });
  const events = metrics.counter({ name: 'federation_events_sent_total', help: 'Events that other servers have taken over, once for each server' });
  const dropped = metrics.counter({ name: 'federation_events_dropped_total', help: 'Queued events that were given up', labels: ['reason'] });
  const seconds = metrics.histogram({ name: 'federation_transaction_seconds', help: 'How long other servers take for a transaction' });
  const queued = metrics.gauge({ name: 'federation_queued_events', help: 'Events that wait for the destinations of this instance, as counted within the last minute' });
  metrics.gauge({ name: 'federation_destinations_waiting', help: 'Destinations of this instance for which something waits', read: read.waiting });
  metrics.gauge({ name: 'federation_destinations_paused', help: 'Destinations of this instance that have failed and are left alone for now', read: read.paused });
  return {
    transaction(result, count, took) {
      transactions.add({ result });
      if (result === 'sent') events.add({}, count);
      seconds.observe(took);
    },
    dropped: (reason, count) => dropped.add({ reason }, count),
    queued: (count) => queued.set(count),
  };
}
