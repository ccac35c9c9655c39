/** The servers that the distributed modes need, started with their durability on; their addresses go into the environment that `test/e2e/modes.ts` reads. */
import * as kafka from '../test/kit/servers/kafka.ts';
import * as nats from '../test/kit/servers/nats.ts';
import * as postgres from '../test/kit/servers/postgres.ts';
import { seededCluster } from './seed/seeded-places.ts';

export interface BenchServers {
  readonly durability: string;
  /** The process of the PostgreSQL that was started here. */
  readonly postgresPid: number | undefined;
  stop(): Promise<void>;
}

/** `modes`: what the names of the wanted modes contain. A server that cannot be theirs is not started: it would take its share of the machine. `seeded`: events that are in the database of the PostgreSQL. */
export async function startBenchServers(modes: string, { withPostgres, seeded }: { readonly withPostgres: boolean; readonly seeded: number }): Promise<BenchServers> {
  const isOnlyOf = (...words: readonly string[]): boolean => words.some((word) => modes.toLowerCase().includes(word));
  const running: { stop(): Promise<void> }[] = [];
  let postgresPid: number | undefined;
  const start = async (name: string, address: () => Promise<string>): Promise<void> => {
    if (process.env[name] === undefined) process.env[name] = await address();
  };
  if (postgres.available() === undefined && (withPostgres || !isOnlyOf('sqlite'))) {
    await start('MYELIN_TEST_POSTGRES_URL', async () => {
      const server = await postgres.startPostgres(seeded === 0 ? {} : { from: await seededCluster(seeded) });
      postgresPid = server.pid;
      running.push(server);
      return server.url;
    });
  }
  if (nats.available() === undefined && !isOnlyOf('embedded', 'sqlite', 'kafka')) {
    await start('MYELIN_TEST_NATS_URL', async () => {
      const server = await nats.startNats();
      running.push(server);
      return server.url;
    });
  }
  if (kafka.available() === undefined && !isOnlyOf('embedded', 'sqlite', 'nats')) {
    await start('MYELIN_TEST_KAFKA_BROKERS', async () => {
      const server = await kafka.startKafka();
      running.push(server);
      return server.brokers.join(',');
    });
  }
  return {
    postgresPid,
    durability: 'SQLite: WAL, synchronous=FULL. PostgreSQL: fsync=on, synchronous_commit=on. NATS: file storage, default sync_interval. Kafka: acks=all, one broker.',
    async stop() {
      await Promise.all(running.map((server) => server.stop()));
    },
  };
}
