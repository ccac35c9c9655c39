/**
 * Publishing to JetStream with one inbox for all acknowledgements. The client's own `publish` makes a request of each message, with a timer and an error object at the ready, which costs
 * more than everything else about a small message.
 */
import { createInbox, headers, type Msg } from 'nats';
import type { Runtime, Timer } from '../../runtime/runtime.ts';
import type { Connection } from './connection.ts';

export interface Publisher {
  /**
   * Resolves when the server has stored the message, or had stored one with this ID before. Rejects when it refuses it, gives no answer in time, or the connection breaks: it may have been
   * stored then.
   */
  publish(subject: string, payload: Uint8Array, messageId: string): Promise<void>;
  close(): void;
}

interface Waiting {
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

interface Acknowledgement {
  readonly stream?: string;
  readonly error?: { readonly description?: string };
}

const SWEEP_MS = 500;
const NO_STREAM = 503;

export function createPublisher({ nats, onBreak }: Connection, { clock }: Runtime, timeoutMs: number): Publisher {
  const inbox = createInbox();
  // The oldest first: all have the same time.
  const waiting = new Map<string, Waiting>();
  let count = 0;
  let sweeping: Timer | undefined;

  const subscription = nats.subscribe(`${inbox}.*`, { callback: (error, message) => { if (!error) settle(message); } });
  const off = onBreak(() => { rejectAll(new Error('the connection to NATS broke')); });

  function settle(message: Msg): void {
    const reply = waiting.get(message.subject);
    if (reply === undefined) return;
    waiting.delete(message.subject);
    const problem = problemOf(message);
    if (problem === undefined) reply.resolve();
    else reply.reject(new Error(problem));
  }

  function rejectAll(reason: Error): void {
    for (const { reject } of waiting.values()) reject(reason);
    waiting.clear();
  }

  function sweep(): void {
    sweeping = undefined;
    const now = clock.monotonic();
    for (const [subject, { deadline, reject }] of waiting) {
      if (deadline > now) break;
      waiting.delete(subject);
      reject(new Error('NATS did not acknowledge a message in time'));
    }
    if (waiting.size > 0) sweeping = clock.timer(SWEEP_MS, sweep);
  }

  return {
    publish(subject, payload, messageId) {
      count += 1;
      const reply = `${inbox}.${count.toString(36)}`;
      const messageHeaders = headers();
      messageHeaders.set('Nats-Msg-Id', messageId);
      return new Promise((resolve, reject) => {
        nats.publish(subject, payload, { reply, headers: messageHeaders });
        waiting.set(reply, { deadline: clock.monotonic() + timeoutMs, resolve, reject });
        sweeping ??= clock.timer(SWEEP_MS, sweep);
      });
    },
    close() {
      sweeping?.cancel();
      off();
      subscription.unsubscribe();
      rejectAll(new Error('the log is closed'));
    },
  };
}

/** Why the message was not stored; undefined: it was. */
function problemOf(message: Msg): string | undefined {
  if (message.headers?.code === NO_STREAM) return 'no stream takes the message';
  try {
    const { stream, error } = message.json<Acknowledgement>();
    if (error !== undefined) return `NATS refused a message: ${error.description ?? 'no reason given'}`;
    return stream === undefined ? 'NATS answered with something else than an acknowledgement' : undefined;
  } catch {
    return 'NATS answered with something else than an acknowledgement';
  }
}
