/**
 * The connection to NATS, which reconnects for ever. What is under way when it breaks is told at once (`guard`), so that it is tried again on the new
 * connection instead of running into its time-out.
 */
import { connect, Events, type ConnectionOptions, type NatsConnection } from 'nats';
import type { Runtime } from '../../runtime/runtime.ts';

export interface Connection {
  readonly nats: NatsConnection;
  connected(): boolean;
  /** `work`, or a rejection as soon as the connection breaks. */
  guard<T>(work: Promise<T>): Promise<T>;
  /** Calls `listener` after each break; the result takes it off. */
  onBreak(listener: () => void): () => void;
  close(): Promise<void>;
}

const RECONNECT_MS = 100;
const RECONNECT_JITTER_MS = 100;
const PING_MS = 5000;

/** Rejects when no server can be reached. */
export async function openConnection(options: ConnectionOptions, runtime: Runtime): Promise<Connection> {
  const nats = await connect({
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    pingInterval: PING_MS,
    maxPingOut: 2,
    name: runtime.instanceId,
    ...options,
  });
  const listeners = new Set<() => void>();
  let connected = true;

  async function watch(): Promise<void> {
    for await (const status of nats.status()) {
      if (status.type === Events.Disconnect) {
        connected = false;
        runtime.logger.warn({}, 'disconnected from NATS');
        for (const listener of [...listeners]) listener();
      } else if (status.type === Events.Reconnect) {
        connected = true;
        runtime.logger.info({}, 'connected to NATS again');
      }
    }
  }
  runtime.tasks.spawn('nats connection', watch);

  return {
    nats,
    connected: () => connected && !nats.isClosed(),
    guard: (work) => new Promise((resolve, reject) => {
      const broken = (): void => reject(new Error('the connection to NATS broke'));
      listeners.add(broken);
      work.then(resolve, reject).finally(() => listeners.delete(broken));
    }),
    onBreak(listener) {
      listeners.add(listener);
      return () => { listeners.delete(listener); };
    },
    async close() {
      connected = false;
      await nats.close();
    },
  };
}
