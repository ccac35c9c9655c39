/**
 * Reading one partition of a stream: an ephemeral pull consumer from a sequence number on, made anew whenever the connection broke, the consumer is gone or a
 * message is missing. So the server keeps no state that matters, and a restart of it is a pause.
 */
import { AckPolicy, ConsumerEvents, DeliverPolicy, ReplayPolicy, nanos, type ConsumerMessages, type JetStreamClient, type JetStreamManager } from 'nats';
import type { Semaphore } from '../../assert/semaphore.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { createDelivery, type Delivery } from '../delivery.ts';
import { LogUnavailable, type LogName, type Pack, type Subscription } from '../log.ts';
import { unpackOrPass } from '../pack.ts';
import type { Connection } from './connection.ts';
import { streamName, subjectOf } from './streams.ts';

/**
 * Asked for at a time: packs of 256 KB at most, so 4 MB, as much as may wait of a partition (`input-runner.ts`). Not a number of bytes: the client counts what is left of a pull that ended by its
 * number of messages as still to come, so each later pull asks for fewer bytes, and a message that is larger than they are is asked for again and again, and never comes.
 */
const PULL_MESSAGES = 16;
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
  /** Held while a read begins. */
  readonly opening: Semaphore;
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

/** Starts reading; survives everything but `close`. */
export function readPartition(options: ReaderOptions, place: Place, deliver: (packs: readonly Pack[]) => Promise<void>): Subscription {
  return new Reader(options, place, deliver);
}

class Reader implements Subscription {
  readonly #options: ReaderOptions;
  readonly #name: string;
  readonly #stream: string;
  readonly #subject: string;
  readonly #delivery: Delivery;
  readonly #stop = new AbortController();
  #next: number;
  #current: ConsumerMessages | undefined;

  constructor(options: ReaderOptions, place: Place, deliver: (packs: readonly Pack[]) => Promise<void>) {
    this.#options = options;
    this.#name = `${place.log}/${place.partition}`;
    this.#stream = streamName(options.prefix, place.log);
    this.#subject = subjectOf(options.prefix, place.log, place.partition);
    this.#next = place.from;
    this.#delivery = createDelivery({ name: this.#name, runtime: options.runtime, deliver });
    options.runtime.tasks.spawn(`nats ${this.#name}`, () => this.#run());
  }

  async close(): Promise<void> {
    this.#delivery.close();
    this.#stop.abort();
    this.#current?.stop();
  }

  async #run(): Promise<void> {
    const { runtime, setFailing } = this.#options;
    let retryMs = RETRY_MS_MIN;
    while (!this.#delivery.closed()) {
      try {
        await this.#readOnce();
        retryMs = RETRY_MS_MIN;
      } catch (err) {
        if (this.#delivery.closed()) break;
        setFailing(this.#name, true);
        runtime.logger.warn({ err, subscription: this.#name }, 'cannot read from NATS, will try again');
        await runtime.clock.sleep(retryMs, this.#stop.signal);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }
    setFailing(this.#name, false);
  }

  async #readOnce(): Promise<void> {
    const { connection, opening, setFailing } = this.#options;
    const messages = await connection.guard(opening.run(() => this.#openMessages()));
    this.#current = messages;
    const off = connection.onBreak(() => messages.stop());
    setFailing(this.#name, false);
    try {
      stopWhenLost(messages).catch(() => messages.stop());
      if (!this.#delivery.closed()) await this.#readOn(messages);
    } finally {
      off();
      messages.stop();
      this.#current = undefined;
    }
  }

  async #openMessages(): Promise<ConsumerMessages> {
    const { manager, jetStream } = this.#options;
    if (this.#delivery.closed()) throw new LogUnavailable('nobody reads any more');
    const { state } = await manager.streams.info(this.#stream);
    // A server that lost its tail in a crash: what it still has was read before.
    if (this.#next > state.last_seq + 1) this.#next = state.last_seq + 1;
    const { name } = await manager.consumers.add(this.#stream, {
      ack_policy: AckPolicy.None,
      ...(this.#next <= 1 ? { deliver_policy: DeliverPolicy.All } : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.#next }),
      filter_subject: this.#subject,
      replay_policy: ReplayPolicy.Instant,
      inactive_threshold: nanos(CONSUMER_IDLE_MS),
      mem_storage: true,
      num_replicas: 1,
    });
    const consumer = await jetStream.consumers.get(this.#stream, name);
    return consumer.consume({ max_messages: PULL_MESSAGES, expires: PULL_EXPIRES_MS, idle_heartbeat: HEARTBEAT_MS });
  }

  /** Until the consumer is lost: then the caller makes a new one from `next` on. */
  async #readOn(messages: ConsumerMessages): Promise<void> {
    let expected = 1;
    for await (const message of messages) {
      if (this.#delivery.closed() || message.info.deliverySequence !== expected) break;
      expected += 1;
      this.#next = message.seq + 1;
      this.#delivery.push(message.seq, unpackOrPass(message.data));
      if (this.#delivery.full()) await this.#delivery.whenRoom();
    }
  }
}

async function stopWhenLost(messages: ConsumerMessages): Promise<void> {
  for await (const status of await messages.status()) {
    if (LOST_SIGNS.includes(status.type)) messages.stop();
  }
}
