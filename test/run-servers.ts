/** Starts the servers that the suites share, and says what this machine does not have. */
import * as chromium from './kit/servers/chromium.ts';
import * as kafka from './kit/servers/kafka.ts';
import * as nats from './kit/servers/nats.ts';
import * as nio from './kit/servers/nio.ts';
import * as postgres from './kit/servers/postgres.ts';
import * as schemathesis from './kit/servers/schemathesis.ts';
import * as synapse from './kit/servers/synapse.ts';

interface ServerKind {
  readonly name: string;
  /** Its word in MYELIN_TEST_REQUIRE. */
  readonly word: string;
  readonly available: () => string | undefined;
  /** Starts it and names its environment variable. */
  readonly start: () => Promise<{ variable: string; address: string; stop: () => Promise<void> }>;
}

export interface SharedServers {
  /** One sentence for each server that could not be started. */
  readonly notTested: readonly string[];
  /** Those of them that MYELIN_TEST_REQUIRE names: each counts as a failure. */
  readonly missing: readonly string[];
  stop(): Promise<void>;
}

const KINDS: readonly ServerKind[] = [
  {
    name: 'PostgreSQL',
    word: 'postgres',
    available: postgres.available,
    start: async () => {
      const server = await postgres.startPostgres({ fast: true });
      return { variable: 'MYELIN_TEST_POSTGRES_URL', address: server.url, stop: () => server.stop() };
    },
  },
  {
    name: 'NATS',
    word: 'nats',
    available: nats.available,
    start: async () => {
      const server = await nats.startNats();
      return { variable: 'MYELIN_TEST_NATS_URL', address: server.url, stop: () => server.stop() };
    },
  },
  {
    name: 'Kafka',
    word: 'kafka',
    available: kafka.available,
    start: async () => {
      const server = await kafka.startKafka();
      return { variable: 'MYELIN_TEST_KAFKA_BROKERS', address: server.brokers.join(','), stop: () => server.stop() };
    },
  },
  {
    name: 'Synapse',
    word: 'synapse',
    available: synapse.available,
    // Each suite starts servers of its own: what they share is the program.
    start: async () => ({ variable: 'MYELIN_TEST_SYNAPSE_PYTHON', address: synapse.synapsePython(), stop: async () => undefined }),
  },
  {
    name: 'Schemathesis',
    word: 'schemathesis',
    available: schemathesis.available,
    // No server, but asked for like one.
    start: async () => ({ variable: 'MYELIN_TEST_SCHEMATHESIS', address: schemathesis.schemathesisProgram(), stop: async () => undefined }),
  },
  {
    name: 'matrix-nio',
    word: 'nio',
    available: nio.available,
    start: async () => ({ variable: 'MYELIN_TEST_NIO_PYTHON', address: nio.nioPython(), stop: async () => undefined }),
  },
  {
    name: 'Chromium',
    word: 'chromium',
    available: chromium.available,
    start: async () => ({ variable: 'MYELIN_TEST_CHROMIUM', address: chromium.chromiumProgram(), stop: async () => undefined }),
  },
];

/** Starts those kinds that `wants` asks for, side by side, and hands their addresses to the suites by the environment. */
export async function startSharedServers(wants: (word: string) => boolean): Promise<SharedServers> {
  const required = requiredWords();
  const reasons = new Map<ServerKind, string>();
  const started = await Promise.all(KINDS.map(async (kind) => {
    const reason = kind.available();
    if (reason !== undefined) {
      reasons.set(kind, reason);
      return undefined;
    }
    if (!wants(kind.word)) return undefined;
    try {
      const server = await kind.start();
      process.env[server.variable] = server.address;
      return server;
    } catch (error) {
      reasons.set(kind, `it is installed but does not start: ${String(error)}`);
      return undefined;
    }
  }));
  const absent = [...reasons].map(([kind, reason]) => ({ word: kind.word, sentence: `${kind.name}: ${reason}` }));
  return {
    notTested: absent.map(({ sentence }) => sentence),
    missing: absent.filter(({ word }) => required.has(word)).map(({ sentence }) => sentence),
    stop: async () => { await Promise.all(started.map(async (server) => { await server?.stop(); })); },
  };
}

/** The words of MYELIN_TEST_REQUIRE. Throws for a word that names no server. */
function requiredWords(): Set<string> {
  const words = (process.env['MYELIN_TEST_REQUIRE'] ?? '').split(',').map((word) => word.trim()).filter((word) => word !== '');
  for (const word of words) {
    if (!KINDS.some((kind) => kind.word === word)) throw new Error(`MYELIN_TEST_REQUIRE names ${JSON.stringify(word)}; there are ${KINDS.map((kind) => kind.word).join(', ')}`);
  }
  return new Set(words);
}
