/** Signals over core NATS: a subject names the sender and the channel, so that listeners skip what their own process has already had. */
import type { Subscription as NatsSubscription } from 'nats';
import type { Runtime } from '../../runtime/runtime.ts';
import { createLocalSignals, type Receive } from '../local-signals.ts';
import type { Subscription } from '../log.ts';
import type { Connection } from './connection.ts';

export interface NatsSignals {
  send(channel: string, value: Uint8Array): void;
  listen(channel: string, receive: Receive): Promise<Subscription>;
}

export function createNatsSignals({ nats, connected, guard }: Connection, prefix: string, runtime: Runtime): NatsSignals {
  const local = createLocalSignals(runtime);
  const self = runtime.random.token(12);
  const remote = new Map<string, { subscription: NatsSubscription; count: number }>();
  // One token of the subject, whatever the channel is called.
  const subject = (sender: string, channel: string): string => `${prefix}.signal.${sender}.${Buffer.from(channel).toString('base64url')}`;

  function open(channel: string): NatsSubscription {
    const own = subject(self, channel);
    return nats.subscribe(subject('*', channel), {
      callback: (error, message) => { if (!error && message.subject !== own) local.send(channel, message.data); },
    });
  }

  return {
    send(channel, value) {
      local.send(channel, value);
      // While disconnected the client would hold signals back; they are lost instead.
      if (connected()) nats.publish(subject(self, channel), value);
    },
    async listen(channel, receive) {
      const listened = remote.get(channel) ?? { subscription: open(channel), count: 0 };
      remote.set(channel, listened);
      listened.count += 1;
      const listener = local.listen(channel, receive);
      if (connected()) await guard(nats.flush()).catch(() => undefined);
      let closed = false;
      return {
        close: async () => {
          if (closed) return;
          closed = true;
          await listener.close();
          listened.count -= 1;
          if (listened.count > 0) return;
          remote.delete(channel);
          listened.subscription.unsubscribe();
        },
      };
    },
  };
}
