/**
 * The servers that several suites share. `npm test` starts each kind once and names it in the environment; a suite that is run by
 * itself (`node --test path`) gets a server of its own. A suite that kills or restarts a server starts its own with
 * `startPostgres()` and so on. Suites keep apart by names: a database of their own, a topic or stream prefix of their own.
 */
import { randomBytes } from 'node:crypto';
import * as kafka from './kafka.ts';
import * as nats from './nats.ts';
import * as postgres from './postgres.ts';

/** A shared server: `release` gives back what was taken, and ends the server if this process started it. */
export interface Shared<Address> {
  readonly address: Address;
  release(): Promise<void>;
}

/** A fresh, empty database; its URL is the address. */
export async function sharedPostgres(): Promise<Shared<string>> {
  const given = process.env['MYELIN_TEST_POSTGRES_URL'];
  if (given !== undefined) {
    const url = await postgres.createDatabase(given, `test_${uniqueName()}`);
    return { address: url, release: () => postgres.dropDatabase(url) };
  }
  const server = await postgres.startPostgres({ fast: true });
  return { address: server.url, release: () => server.stop() };
}

/** `nats://...`; use a prefix of `uniqueName()` for streams and subjects. */
export async function sharedNats(): Promise<Shared<string>> {
  const given = process.env['MYELIN_TEST_NATS_URL'];
  if (given !== undefined) return { address: given, release: async () => undefined };
  const server = await nats.startNats();
  return { address: server.url, release: () => server.stop() };
}

/** `host:port,host:port`; use a prefix of `uniqueName()` for topics. */
export async function sharedKafka(): Promise<Shared<string>> {
  const given = process.env['MYELIN_TEST_KAFKA_BROKERS'];
  if (given !== undefined) return { address: given, release: async () => undefined };
  const server = await kafka.startKafka();
  return { address: server.brokers.join(','), release: () => server.stop() };
}

/** Letters and digits that no other suite has. */
export function uniqueName(): string {
  return randomBytes(6).toString('hex');
}
