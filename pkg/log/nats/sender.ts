/** Appending to JetStream: one pack per partition under way, many partitions at once, each pack tried again until it is taken or too old. */
import type { Runtime } from '../../runtime/runtime.ts';
import { createAppendQueue, type AppendQueue, type Lane, type Parcel } from '../append-queue.ts';
import { LogUnavailable } from '../log.ts';
import type { Connection } from './connection.ts';
import { createPublisher } from './publisher.ts';
import { subjectOf } from './streams.ts';

const ACK_TIMEOUT_MS = 5000;
const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 500;

export interface Sender extends AppendQueue {
  /** One sentence while packs do not get through. */
  health(): string | undefined;
}

export interface SenderOptions {
  readonly connection: Connection;
  readonly prefix: string;
  readonly runtime: Runtime;
  readonly timeoutMs: number;
}

export function createSender({ connection, prefix, runtime, timeoutMs }: SenderOptions): Sender {
  const publisher = createPublisher(connection, runtime, ACK_TIMEOUT_MS);
  const sessionId = runtime.random.token(12);
  const failing = new Set<Lane>();
  let count = 0;
  let closed = false;

  async function send(parcel: Parcel): Promise<LogUnavailable | undefined> {
    const { lane } = parcel;
    const subject = subjectOf(prefix, lane.log, lane.partition);
    count += 1;
    // The same for every attempt: the server stores one of them.
    const messageId = `${sessionId}.${count}`;
    for (let retryMs = RETRY_MS_MIN; ; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
      try {
        if (!connection.connected()) throw new Error('not connected to NATS');
        await publisher.publish(subject, parcel.payload, messageId);
        failing.delete(lane);
        return undefined;
      } catch (cause) {
        failing.add(lane);
        if (closed || runtime.clock.monotonic() + retryMs > parcel.deadline) return new LogUnavailable('NATS does not take records', { cause });
        await runtime.clock.sleep(retryMs);
      }
    }
  }

  async function drain(lane: Lane): Promise<void> {
    const parcel = queue.take(lane);
    if (!parcel) return;
    parcel.settle(await send(parcel));
  }

  const queue = createAppendQueue({
    clock: runtime.clock,
    timeoutMs,
    // In a microtask, so that appends made in one go share a pack.
    onWork: (lane) => void Promise.resolve().then(() => drain(lane)),
  });
  return {
    ...queue,
    close(reason) {
      closed = true;
      queue.close(reason);
      publisher.close();
    },
    health: () => (failing.size > 0 ? `NATS does not take records of ${failing.size} partitions` : undefined),
  };
}
