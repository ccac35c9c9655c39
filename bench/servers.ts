/** The servers that the distributed modes need, started with their durability on; their addresses go into the environment that `test/e2e/modes.ts` reads. */
import * as kafka from '../test/kit/servers/kafka.ts';
import * as nats from '../test/kit/servers/nats.ts';
import * as postgres from '../test/kit/servers/postgres.ts';

export async function startBenchServers(): Promise<{ durability: string; stop(): Promise<void> }> {
  const running: { stop(): Promise<void> }[] = [];
  const start = async (name: string, address: () => Promise<string>): Promise<void> => {
    if (process.env[name] === undefined) process.env[name] = await address();
  };
  if (postgres.available() === undefined) {
    await start('MYELIN_TEST_POSTGRES_URL', async () => {
      const server = await postgres.startPostgres();
      running.push(server);
      return server.url;
    });
  }
  if (nats.available() === undefined) {
    await start('MYELIN_TEST_NATS_URL', async () => {
      const server = await nats.startNats();
      running.push(server);
      return server.url;
    });
  }
  if (kafka.available() === undefined) {
    await start('MYELIN_TEST_KAFKA_BROKERS', async () => {
      const server = await kafka.startKafka();
      running.push(server);
      return server.brokers.join(',');
    });
  }
  return {
    durability: 'SQLite: WAL, synchronous=FULL. PostgreSQL: fsync=on, synchronous_commit=on. NATS: file storage, default sync_interval. Kafka: acks=all, one broker.',
    async stop() {
      await Promise.all(running.map((server) => server.stop()));
    },
  };
}
