/** A topic per log and one for signals: made when they are not there, by whichever process comes first. */
import kafkajs, { type Admin } from 'kafkajs';
import type { Clock } from '../../runtime/runtime.ts';
import type { LogName } from '../log.ts';

export const LOG_NAMES: readonly LogName[] = ['room-input', 'user-input', 'room-output', 'user-output'];
export const SIGNAL_PARTITIONS = 4;
const SIGNAL_RETENTION_MS = 600_000;
const SIGNAL_SEGMENT_BYTES = 32 * 1024 * 1024;
/** Kafka's default, said out loud: a pack is at most 256 KB, or one record of at most 512 KB. */
const MESSAGE_BYTES_MAX = 1_048_588;

export interface TopicOptions {
  readonly prefix: string;
  readonly partitions: number;
  readonly retentionMs: number;
  /** Copies of each partition; -1: the broker's default. */
  readonly replicas: number;
}

export const topicOf = (prefix: string, log: LogName): string => `${prefix}.${log}`;
export const signalTopic = (prefix: string): string => `${prefix}.signals`;
export const topicsOf = (prefix: string): string[] => [...LOG_NAMES.map((log) => topicOf(prefix, log)), signalTopic(prefix)];

/** Names a partition among those of all topics. */
export const partitionKey = (topic: string, partition: number): string => `${topic}/${partition}`;

/** Makes sure that all topics exist with enough partitions. Rejects as long as the broker asked does not know them: see `whenKnown`. */
export async function ensureTopics(admin: Admin, options: TopicOptions): Promise<void> {
  const entry = (name: string, value: string | number): { name: string; value: string } => ({ name, value: String(value) });
  const present = new Set(await admin.listTopics());
  const wanted = [
    ...LOG_NAMES.map((log) => ({
      topic: topicOf(options.prefix, log),
      numPartitions: options.partitions,
      replicationFactor: options.replicas,
      configEntries: [entry('retention.ms', options.retentionMs), entry('max.message.bytes', MESSAGE_BYTES_MAX)],
    })),
    {
      topic: signalTopic(options.prefix),
      numPartitions: SIGNAL_PARTITIONS,
      replicationFactor: options.replicas,
      configEntries: [entry('retention.ms', SIGNAL_RETENTION_MS), entry('segment.ms', SIGNAL_RETENTION_MS), entry('segment.bytes', SIGNAL_SEGMENT_BYTES)],
    },
  ];
  const missing = wanted.filter(({ topic }) => !present.has(topic));
  // Says false when another process was first, and then does not wait for anything: the caller asks until the topics are known.
  if (missing.length > 0) await admin.createTopics({ topics: missing, waitForLeaders: true });
  const { topics } = await admin.fetchTopicMetadata({ topics: wanted.map(({ topic }) => topic) });
  for (const { topic, numPartitions } of wanted) {
    const found = topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
    if (found < numPartitions) throw new Error(`Kafka topic ${topic} has ${found} partitions, not ${numPartitions}`);
  }
}

const NOT_YET_KNOWN: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']);
const ASK_AGAIN_MS = 50;

/** A broker learns of a new topic some time after another process has had it made, and until then says that there is none: asks again for at most `waitMs`. */
export async function whenKnown<T>(clock: Clock, waitMs: number, ask: () => Promise<T>): Promise<T> {
  const end = clock.monotonic() + waitMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || clock.monotonic() > end) throw error;
      await clock.sleep(ASK_AGAIN_MS);
    }
  }
}

/** Also when no broker could be reached for the question: kafkajs takes nobody's answer (null) for one with metadata. */
function isPassing(error: unknown): boolean {
  if (error instanceof TypeError) return error.message.includes('topicMetadata');
  return error instanceof kafkajs.KafkaJSProtocolError && NOT_YET_KNOWN.has(error.type);
}
