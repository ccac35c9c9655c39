/**
 * How late the event loop comes to what is due. It is looked at ten times a second, but only while the process has something to do: one at rest is late for nothing, and waking it to find that out
 * took more of a core than all else that it does.
 */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Metrics } from '../../telemetry/metrics.ts';

const CHECK_MS = 1000;
const RESOLUTION_MS = 100;
/** Of the time, from one check to the next. */
const REST_SHARE_MAX = 0.02;

/** For the rest of this process. To be called once. */
export function watchLoopDelay(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let before = performance.eventLoopUtilization();
  setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    // Begins a new count when it was not under way.
    if (utilization > REST_SHARE_MAX) delay.enable();
    else delay.disable();
  }, CHECK_MS).unref();
  const seconds = (nanoseconds: number): number => (delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000));
  const help = 'How late the event loop was, while the process had something to do lately';
  metrics.gauge({ name: 'event_loop_delay_p50_seconds', help: `${help}: the median`, read: () => seconds(delay.percentile(50)) });
  metrics.gauge({ name: 'event_loop_delay_p99_seconds', help: `${help}: in one of a hundred looks at least`, read: () => seconds(delay.percentile(99)) });
  metrics.gauge({ name: 'event_loop_delay_max_seconds', help: `${help}: at most`, read: () => seconds(delay.max) });
}
