import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { connect as connectNats } from 'nats';
import pg from 'pg';
import { createAuthority } from '../certificates.ts';
import * as kafka from './kafka.ts';
import * as nats from './nats.ts';
import * as postgres from './postgres.ts';
import * as synapse from './synapse.ts';

test('PostgreSQL keeps its port and its committed rows over a restart and over kill -9', { skip: postgres.available() }, async () => {
  const server = await postgres.startPostgres();
  try {
    await query(server.url, 'CREATE TABLE kept (n int)');
    await query(server.url, 'INSERT INTO kept VALUES (1)');
    await server.restart();
    await query(server.url, 'INSERT INTO kept VALUES (2)');
    await server.kill();
    await assert.rejects(query(server.url, 'SELECT 1'));
    await server.restart();
    assert.deepEqual(await query(server.url, 'SELECT n FROM kept ORDER BY n'), [{ n: 1 }, { n: 2 }]);
    assert.deepEqual(await query(server.url, 'SHOW fsync'), [{ fsync: 'on' }]);
    const other = await postgres.createDatabase(server.url, 'other');
    assert.deepEqual(await query(other, 'SELECT current_database() AS name'), [{ name: 'other' }]);
    await postgres.dropDatabase(other);
    await assert.rejects(query(other, 'SELECT 1'), /does not exist/);
  } finally {
    await server.stop();
  }
  assert.equal(existsSync(server.folder), false);
});

test('NATS keeps its port and its stream over a restart and over kill -9', { skip: nats.available() }, async () => {
  const server = await nats.startNats();
  try {
    await withNats(server.url, async (client) => {
      await (await client.jetstreamManager()).streams.add({ name: 'KEPT', subjects: ['kept'] });
      await client.jetstream().publish('kept', 'one');
    });
    await server.restart();
    await withNats(server.url, async (client) => { await client.jetstream().publish('kept', 'two'); });
    await server.kill();
    await server.restart();
    await withNats(server.url, async (client) => {
      const info = await (await client.jetstreamManager()).streams.info('KEPT');
      assert.equal(info.state.messages, 2);
    });
  } finally {
    await server.stop();
  }
  assert.equal(existsSync(server.folder), false);
});

test('Kafka keeps its port and its topic over a restart and over kill -9', { skip: kafka.available() }, async () => {
  const server = await kafka.startKafka();
  try {
    const client = new Kafka({ brokers: server.brokers, logLevel: logLevel.NOTHING, retry: { retries: 20, maxRetryTime: 1000 } });
    await withKafka(client, async (admin) => { await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 2 }] }); });
    const producer = client.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    await producer.send({ topic: 'kept', acks: -1, messages: [{ partition: 1, value: 'one' }] });
    await producer.disconnect();
    await server.restart();
    await server.kill();
    await server.restart();
    await withKafka(client, async (admin) => {
      const offsets = await admin.fetchTopicOffsets('kept');
      assert.equal(offsets.find((entry) => entry.partition === 1)?.high, '1');
      assert.deepEqual((await admin.listTopics()).filter((name) => !name.startsWith('__')), ['kept']);
    });
  } finally {
    await server.stop();
  }
  assert.equal(existsSync(server.folder), false);
});

test('Synapse keeps its name, its key and its users over a restart and over kill -9, and another one trusts its certificate', { skip: synapse.available() }, async () => {
  const authority = createAuthority();
  const [server, other] = await Promise.all([synapse.startSynapse({ authority }), synapse.startSynapse({ authority })]);
  try {
    const register = async (username: string): Promise<number> => (await fetch(`${server.baseUrl}/_matrix/client/v3/register`, {
      method: 'POST', body: JSON.stringify({ username, password: 'correct horse battery', auth: { type: 'm.login.dummy' } }),
    })).status;
    // Only over TLS does the other one get them.
    const keys = async (): Promise<string[]> => {
      const answer = await fetch(`${other.baseUrl}/_matrix/key/v2/query`, { method: 'POST', body: JSON.stringify({ server_keys: { [server.serverName]: { 'ed25519:a_test': { minimum_valid_until_ts: 1 } } } }) });
      return ((await answer.json()) as { server_keys: { verify_keys: object }[] }).server_keys.flatMap((document) => Object.values(document.verify_keys).map((key) => JSON.stringify(key)));
    };
    assert.equal(await register('alice'), 200);
    const before = await keys();
    assert.equal(before.length, 1);
    await server.restart();
    await server.kill();
    await server.restart();
    assert.equal(await register('alice'), 400);
    assert.deepEqual(await keys(), before);
  } finally {
    await Promise.all([server.stop(), other.stop()]);
  }
  assert.equal(existsSync(server.folder), false);
});

test('a server and its folder do not outlive a test process that was killed', { skip: nats.available() }, async () => {
  const module = join(import.meta.dirname, 'nats.ts');
  const program = `const { startNats } = await import(${JSON.stringify(module)});
    const server = await startNats();
    console.log(JSON.stringify({ url: server.url, folder: server.folder }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve) => child.stdout.once('data', (data: Buffer) => resolve(data.toString())));
  const { url, folder } = JSON.parse(line) as { url: string; folder: string };
  assert.equal(await accepts(url), true);
  child.kill('SIGKILL');
  await until(async () => !(await accepts(url)) && !existsSync(folder));
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}

async function withNats(url: string, work: (client: Awaited<ReturnType<typeof connectNats>>) => Promise<void>): Promise<void> {
  const client = await connectNats({ servers: url });
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

async function withKafka(client: Kafka, work: (admin: ReturnType<Kafka['admin']>) => Promise<void>): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.disconnect();
  }
}

function accepts(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connectTcp(Number(port), hostname);
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'the server or its folder outlived its parent');
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}
