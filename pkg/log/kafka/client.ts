/**
 * kafkajs, set up for this driver: quick to say that something failed (who uses it tries again), its log lines at debug level, and a `Cluster` to
 * fetch with. kafkajs has no manual assignment, but it hands its `Cluster` to partition assigners: a consumer that never joins a group gives us one,
 * with documented types, and with it reads of any partition from any offset.
 */
import { connect, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Kafka, PartitionAssigners, logLevel, type Cluster, type ISocketFactory, type KafkaConfig } from 'kafkajs';
import type { Runtime } from '../../runtime/runtime.ts';
import { repairRequestTimers } from './request-timers.ts';

const CONNECT_TIMEOUT_MS = 2000;
const REQUEST_TIMEOUT_MS = 5000;
const KEEP_ALIVE_MS = 60_000;

/** kafkajs hangs a listener on a socket for each time it gives up on it; a broker that is away would give a warning about a leak. */
const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = (ssl as typeof ssl | undefined)
    ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : connect({ host, port }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket.setMaxListeners(0);
};

export function createClient(brokers: string[], runtime: Runtime, config: Partial<KafkaConfig> = {}): Kafka {
  repairRequestTimers();
  return new Kafka({
    clientId: runtime.instanceId,
    brokers,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    socketFactory,
    retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 200 },
    logLevel: logLevel.WARN,
    logCreator: () => ({ namespace, log: { message, ...fields } }) => runtime.logger.debug({ namespace, ...fields }, `kafkajs: ${message}`),
    ...config,
  });
}

export interface OpenCluster {
  readonly cluster: Cluster;
  /** Brings a lost connection and the metadata up to date; rejects while no broker answers. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** A connection of its own: a fetch that waits at the broker holds up everything behind it on the same connection. */
export async function openCluster(kafka: Kafka, topics: readonly string[]): Promise<OpenCluster> {
  let cluster: Cluster | undefined;
  const consumer = kafka.consumer({
    groupId: 'never-joined',
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (config) => {
        cluster = config.cluster;
        return PartitionAssigners.roundRobin(config);
      },
    ],
  });
  if (!cluster) throw new Error('kafkajs made no cluster');
  const opened: Cluster = cluster;
  try {
    await consumer.connect();
    await opened.addMultipleTargetTopics([...topics]);
  } catch (error) {
    await consumer.disconnect().catch(() => undefined);
    throw error;
  }
  return {
    cluster: opened,
    async refresh() {
      if (!opened.isConnected()) await opened.connect();
      await opened.refreshMetadata();
    },
    close: () => consumer.disconnect(),
  };
}
