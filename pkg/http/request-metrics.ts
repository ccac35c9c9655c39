/** What is counted about requests. */
import type { Metrics } from '../telemetry/metrics.ts';

export interface RequestMetrics {
  started(): void;
  ended(operationId: string, status: number, ms: number): void;
}

export function createRequestMetrics(metrics: Metrics): RequestMetrics {
  const total = metrics.counter({ name: 'http_requests_total', help: 'Requests answered', labels: ['operation', 'status'] });
  const seconds = metrics.histogram({ name: 'http_request_duration_seconds', help: 'Time until the handler answered, long polls included', labels: ['operation'] });
  const inFlight = metrics.gauge({ name: 'http_requests_in_flight', help: 'Requests being handled' });
  return {
    started: () => inFlight.add(1),
    ended(operation, status, ms) {
      inFlight.add(-1);
      total.add({ operation, status });
      seconds.observe(ms / 1000, { operation });
    },
  };
}
