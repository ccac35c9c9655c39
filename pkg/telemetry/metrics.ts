/** Numbers for Prometheus. Names start with `myelin_`; labels take few values (an operation, a status, a log), never an ID of a user or a room. */
import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, Registry, collectDefaultMetrics } from 'prom-client';

export type Labels = Readonly<Record<string, string | number>>;

export interface MetricOptions {
  /** Without the prefix `myelin_`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface Counter {
  add(labels?: Labels, value?: number): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  add(value: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface Metrics {
  /** Asking again for the same name gives the same metric. */
  counter(options: MetricOptions): Counter;
  /** `read`, where given, is asked when the metrics are read out. */
  gauge(options: MetricOptions & { read?: () => number }): Gauge;
  /** Seconds unless the name says otherwise; `buckets` are upper bounds, by default from 1 ms to 30 s. */
  histogram(options: MetricOptions & { buckets?: readonly number[] }): Histogram;
  /** All metrics in Prometheus' text format. */
  expose(): Promise<{ contentType: string; text: string }>;
}

export const SECONDS_BUCKETS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** They come from a timer that wakes the process a hundred times a second (`pkg/runtime/real/loop-delay.ts` has others). */
const WAKING_METRICS = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map((which) => `nodejs_eventloop_lag_${which}_seconds`);
const NEVER_MS = 2 ** 31 - 1;

/** Metrics in a registry of their own. `processMetrics` adds memory, CPU and garbage collection of this process. */
export function createMetrics(options: { processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.processMetrics === true) {
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS });
    for (const name of WAKING_METRICS) registry.removeSingleMetric(name);
  }
  const known = new Map<string, unknown>();

  function once<T>(name: string, make: () => T): T {
    if (!known.has(name)) known.set(name, make());
    return known.get(name) as T;
  }

  return {
    counter: (wanted) => once(wanted.name, () => makeCounter(registry, wanted)),
    gauge: (wanted) => once(wanted.name, () => makeGauge(registry, wanted)),
    histogram: (wanted) => once(wanted.name, () => makeHistogram(registry, wanted)),
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

/** Metrics that go nowhere. */
export function noMetrics(): Metrics {
  const nothing = () => undefined;
  return {
    counter: () => ({ add: nothing }),
    gauge: () => ({ set: nothing, add: nothing }),
    histogram: () => ({ observe: nothing }),
    expose: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
  };
}

function common(registry: Registry, wanted: MetricOptions) {
  return { name: `myelin_${wanted.name}`, help: wanted.help, labelNames: [...(wanted.labels ?? [])], registers: [registry] };
}

function makeCounter(registry: Registry, wanted: MetricOptions): Counter {
  const counter = new PromCounter(common(registry, wanted));
  return { add: (labels = {}, value = 1) => counter.inc(labels, value) };
}

function makeGauge(registry: Registry, wanted: MetricOptions & { read?: () => number }): Gauge {
  const { read } = wanted;
  const gauge = new PromGauge({
    ...common(registry, wanted),
    ...(read === undefined ? {} : { collect(this: PromGauge) { this.set(read()); } }),
  });
  return {
    set: (value, labels = {}) => gauge.set(labels, value),
    add: (value, labels = {}) => gauge.inc(labels, value),
  };
}

function makeHistogram(registry: Registry, wanted: MetricOptions & { buckets?: readonly number[] }): Histogram {
  const histogram = new PromHistogram({ ...common(registry, wanted), buckets: [...(wanted.buckets ?? SECONDS_BUCKETS)] });
  return { observe: (value, labels = {}) => histogram.observe(labels, value) };
}
