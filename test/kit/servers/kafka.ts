/**
 * Apache Kafka for tests: one KRaft node on a JVM, from a folder of jars (MYELIN_KAFKA_LIBS, or `.cache/kafka/libs` in the
 * repository, which `.ci/run` fills).
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findProgram, freePort, makeServerFolder, startServerProcess, type RunningServer } from './server-process.ts';

export interface RunningKafka extends RunningServer {
  /** `['127.0.0.1:port']` */
  readonly brokers: string[];
}

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const JVM_FLAGS = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:-UsePerfData'];

/** Why Kafka cannot be started here, or undefined when it can. */
export function available(): string | undefined {
  if (!findProgram('java')) return 'there is no java on PATH';
  const libs = libsFolder();
  const hasBroker = existsSync(libs) && readdirSync(libs).some((name) => /^kafka_2\.13-.*\.jar$/.test(name));
  return hasBroker ? undefined : `there are no Kafka jars in ${libs} (run .ci/run once, or set MYELIN_KAFKA_LIBS)`;
}

/** Starts a broker of its own (3-6 s, two JVM starts). Topics are never created by themselves. */
export async function startKafka(): Promise<RunningKafka> {
  const java = findProgram('java');
  const missing = available();
  if (missing !== undefined || !java) throw new Error(missing);
  const folder = makeServerFolder('kafka');
  const [port, controllerPort] = [await freePort(), await freePort()];
  const config = join(folder, 'server.properties');
  const classPath = ['-cp', join(libsFolder(), '*')];
  writeFileSync(config, serverProperties(folder, port, controllerPort));
  try {
    // A cluster ID is 16 random bytes in URL-safe base 64; it must not begin with a dash.
    const clusterId = `A${randomBytes(16).toString('base64url').slice(1)}`;
    execFileSync(java, [...JVM_FLAGS, '-XX:TieredStopAtLevel=1', ...classPath, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', config],
      { cwd: folder, stdio: 'pipe' });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const server = await startServerProcess({
    name: 'Kafka',
    folder,
    command: java,
    args: [...JVM_FLAGS, ...classPath, 'kafka.Kafka', config],
    ready: /Kafka Server started/,
    startTimeoutMs: 90_000,
  });
  return Object.assign(server, { brokers: [`127.0.0.1:${port}`] });
}

function libsFolder(): string {
  return process.env['MYELIN_KAFKA_LIBS'] ?? join(REPOSITORY, '.cache/kafka/libs');
}

function serverProperties(folder: string, port: number, controllerPort: number): string {
  const settings: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listeners': `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': 1,
    'num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 500,
    // A broker that was killed may register again only when its old session has run out; the default is 9 s.
    'broker.session.timeout.ms': 2_000,
    'broker.heartbeat.interval.ms': 400,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'num.recovery.threads.per.data.dir': 1,
    'background.threads': 2,
    // The default buffer alone would take a quarter of the heap.
    'log.cleaner.dedupe.buffer.size': 4_194_304,
    'log.index.size.max.bytes': 1_048_576,
    'controlled.shutdown.max.retries': 1,
  };
  return Object.entries(settings).map(([key, value]) => `${key}=${value}\n`).join('');
}
