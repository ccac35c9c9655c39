/**
 * Signals within one process, for every driver: listeners of the sending process need no detour over a broker. They are called in a later microtask, never
 * within `send`; one that throws harms nobody else.
 */
import type { Runtime } from '../runtime/runtime.ts';
import type { Subscription } from './log.ts';

export type Receive = (value: Uint8Array) => void;

export interface LocalSignals {
  /** Hands the value to the channel's listeners in this process. */
  send(channel: string, value: Uint8Array): void;
  listen(channel: string, receive: Receive): Subscription;
}

export function createLocalSignals(runtime: Runtime): LocalSignals {
  const channels = new Map<string, Set<{ receive: Receive }>>();

  function deliver(channel: string, value: Uint8Array): void {
    for (const listener of channels.get(channel) ?? []) {
      try {
        listener.receive(value);
      } catch (err) {
        runtime.logger.error({ err, channel }, 'a signal listener failed');
      }
    }
  }

  return {
    send(channel, value) {
      if (channels.has(channel)) void Promise.resolve().then(() => deliver(channel, value));
    },
    listen(channel, receive) {
      const listener = { receive };
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners.add(listener));
      return {
        close: async () => {
          listeners.delete(listener);
          if (listeners.size === 0 && channels.get(channel) === listeners) channels.delete(channel);
        },
      };
    },
  };
}
