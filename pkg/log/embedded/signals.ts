/** Signals within one process. Listeners are called in a later microtask, never within `send`. */
import type { Runtime } from '../../runtime/runtime.ts';
import { callListener, type Receive } from '../call-listener.ts';
import type { Subscription } from '../log.ts';

export interface Signals {
  send(channel: string, value: Uint8Array): void;
  listen(channel: string, receive: Receive): Subscription;
}

export function createSignals(runtime: Runtime): Signals {
  const channels = new Map<string, Set<{ receive: Receive }>>();
  return {
    send(channel, value) {
      if (!channels.has(channel)) return;
      void Promise.resolve().then(() => {
        for (const listener of channels.get(channel) ?? []) callListener(listener.receive, value, { runtime, channel });
      });
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
