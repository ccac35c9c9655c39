/** What operators and load balancers ask every process: is it alive, may it get requests, what are its numbers. */
import type { HealthReport } from '../runtime/health.ts';
import type { ApiResponse, Route } from './route.ts';

export interface OperationalSources {
  /** Is the process well? When it is not for long, it should be restarted. */
  readonly health: () => Promise<HealthReport>;
  /** May it get requests now? Not while it starts or stops, nor while it is unhealthy. */
  readonly ready: () => Promise<HealthReport>;
  readonly metrics: () => Promise<{ contentType: string; text: string }>;
}

/** `GET /health`, `GET /ready` (200, or 503 with the reasons) and `GET /metrics` (Prometheus). */
export function operationalRoutes(sources: OperationalSources): readonly Route[] {
  const common = { method: 'GET', role: 'any', body: 'none', idempotent: true } as const;
  return [
    { ...common, operationId: 'getHealth', path: '/health', handle: async () => report(await sources.health()) },
    { ...common, operationId: 'getReady', path: '/ready', handle: async () => report(await sources.ready()) },
    {
      ...common,
      operationId: 'getMetrics',
      path: '/metrics',
      handle: async () => {
        const { contentType, text } = await sources.metrics();
        return { status: 200, json: text, headers: { 'content-type': contentType } };
      },
    },
  ];
}

function report(health: HealthReport): ApiResponse {
  return { status: health.status === 'ok' ? 200 : 503, body: health, headers: { 'cache-control': 'no-store' } };
}
