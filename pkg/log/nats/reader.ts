/**
 * Reading one partition of a stream: an ephemeral pull consumer from a sequence number on, made anew whenever the connection broke, the consumer is gone or a
 * message is missing. So the server keeps no state that matters, and a restart of it is a pause.
 */
import { AckPolicy, ConsumerEvents, DeliverPolicy, ReplayPolicy, nanos, type ConsumerMessages, type JetStreamClient, type JetStreamManager } from 'nats';
import type { Runtime } from '../../runtime/runtime.ts';
import { createDelivery } from '../delivery.ts';
import type { LogName, Pack, Subscription } from '../log.ts';
import { unpackOrPass } from '../pack.ts';
import type { Connection } from './connection.ts';
import { streamName, subjectOf } from './streams.ts';

const PULL_BYTES = 2 * 1024 * 1024;
const HEARTBEAT_MS = 5000;
const PULL_EXPIRES_MS = 30_000;
const CONSUMER_IDLE_MS = 60_000;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2000;

export interface ReaderOptions {
  readonly connection: Connection;
  readonly jetStream: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly prefix: string;
  readonly runtime: Runtime;
  /** Told whether the partition can be read. */
  readonly setFailing: (name: string, failing: boolean) => void;
}

export interface Place {
  readonly log: LogName;
  readonly partition: number;
  readonly from: number;
}

const LOST_SIGNS: readonly string[] = [
  ConsumerEvents.HeartbeatsMissed, ConsumerEvents.ConsumerNotFound, ConsumerEvents.ConsumerDeleted, ConsumerEvents.StreamNotFound, ConsumerEvents.NoResponders,
];

export function readPartition(options: ReaderOptions, place: Place, deliver: (packs: readonly Pack[]) => Promise<void>): Subscription {
  const { connection, jetStream, manager, prefix, runtime } = options;
  const name = `${place.log}/${place.partition}`;
  const stream = streamName(prefix, place.log);
  const delivery = createDelivery({ name, runtime, deliver });
  const stop = new AbortController();
  let next = place.from;
  let current: ConsumerMessages | undefined;

  async function openMessages(): Promise<ConsumerMessages> {
    const { state } = await manager.streams.info(stream);
    // A server that lost its tail in a crash: what it still has was read before.
    if (next > state.last_seq + 1) next = state.last_seq + 1;
    const { name: consumerName } = await manager.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      ...(next <= 1 ? { deliver_policy: DeliverPolicy.All } : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: next }),
      filter_subject: subjectOf(prefix, place.log, place.partition),
      replay_policy: ReplayPolicy.Instant,
      inactive_threshold: nanos(CONSUMER_IDLE_MS),
      mem_storage: true,
      num_replicas: 1,
    });
    const consumer = await jetStream.consumers.get(stream, consumerName);
    return consumer.consume({ max_bytes: PULL_BYTES, expires: PULL_EXPIRES_MS, idle_heartbeat: HEARTBEAT_MS });
  }

  async function watch(messages: ConsumerMessages): Promise<void> {
    for await (const status of await messages.status()) {
      if (LOST_SIGNS.includes(status.type)) messages.stop();
    }
  }

  /** Until the consumer is lost: then the caller makes a new one from `next` on. */
  async function readOn(messages: ConsumerMessages): Promise<void> {
    let expected = 1;
    for await (const message of messages) {
      if (delivery.closed() || message.info.deliverySequence !== expected) break;
      expected += 1;
      next = message.seq + 1;
      delivery.push(message.seq, unpackOrPass(message.data));
      if (delivery.full()) await delivery.whenRoom();
    }
  }

  async function readOnce(): Promise<void> {
    const messages = await connection.guard(openMessages());
    current = messages;
    const off = connection.onBreak(() => messages.stop());
    options.setFailing(name, false);
    try {
      watch(messages).catch(() => messages.stop());
      if (!delivery.closed()) await readOn(messages);
    } finally {
      off();
      messages.stop();
      current = undefined;
    }
  }

  async function run(): Promise<void> {
    let retryMs = RETRY_MS_MIN;
    while (!delivery.closed()) {
      try {
        await readOnce();
        retryMs = RETRY_MS_MIN;
      } catch (err) {
        if (delivery.closed()) break;
        options.setFailing(name, true);
        runtime.logger.warn({ err, subscription: name }, 'cannot read from NATS, will try again');
        await runtime.clock.sleep(retryMs, stop.signal);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }
    options.setFailing(name, false);
  }

  runtime.tasks.spawn(`nats ${name}`, run);
  return {
    close: async () => {
      delivery.close();
      stop.abort();
      current?.stop();
    },
  };
}
