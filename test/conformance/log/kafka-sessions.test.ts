/** What a real broker makes of fetch sessions: the model in `pkg/log/kafka/fetch-session.test.ts` says what requests name, this that Kafka understands it so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient, openCluster } from '../../../pkg/log/kafka/client.ts';
import { FetchSession, fetchInSession, type FetchPlace, type SessionPart } from '../../../pkg/log/kafka/fetch-session.ts';
import { sharedKafka, uniqueName } from '../../kit/servers/shared.ts';
import { quietRuntime, unavailable } from './harness.ts';

const LIMITS = { maxWaitTime: 500, minBytes: 1, maxBytes: 1_000_000, partitionBytesMax: 1_000_000 };
/** Until the broker leads a topic that was just made. */
const TRIES_MAX = 50;
const MISSING = unavailable('kafka');

class WatchedSession extends FetchSession {
  readonly parts: SessionPart[] = [];

  override next(places: readonly FetchPlace[]): SessionPart {
    const part = super.next(places);
    this.parts.push(part);
    return part;
  }
}

test('Kafka keeps a session, reads what it was told before, and begins another when it has forgotten it', { skip: MISSING ?? false }, async (t) => {
  const { address, release } = await sharedKafka();
  const closing = [release];
  t.after(async () => {
    for (const close of closing.toReversed()) await close();
  });
  const kafka = createClient(address.split(','), quietRuntime(), { retry: { retries: 10 } });
  const topic = uniqueName();
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 3, replicationFactor: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const producer = kafka.producer();
  await producer.connect();
  closing.push(() => producer.disconnect());
  const open = await openCluster(kafka, [topic]);
  closing.push(() => open.close());
  const broker = await open.cluster.findBroker({ nodeId: Object.keys(open.cluster.findLeaderForPartitions(topic, [0]))[0]! });
  const session = new WatchedSession();
  const places = [0, 1, 2].map((partition) => ({ topic, partition, next: 0 }));

  /** What the next fetch brings, by partition. */
  async function fetched(): Promise<Record<number, string[]>> {
    const [response, ...others] = await fetchInSession(broker, session, places, LIMITS);
    assert.deepEqual(others, []);
    return Object.fromEntries((response?.partitions ?? []).map(({ partition, messages }) => [partition, messages.map(({ value }) => String(value))]));
  }

  async function append(partition: number, value: string): Promise<void> {
    await producer.send({ topic, messages: [{ partition, value }] });
  }

  for (let tries = 1; ; tries += 1) {
    try {
      assert.deepEqual(await fetched(), { 0: [], 1: [], 2: [] }, 'the first answer names all');
      break;
    } catch (error) {
      if (tries === TRIES_MAX || !(error as { retriable?: boolean }).retriable) throw error;
    }
  }
  await append(1, 'one');
  assert.deepEqual(await fetched(), { 1: ['one'] });
  assert.deepEqual(await fetched(), { 1: ['one'] }, 'as long as nobody says that it has been read');
  places[1]!.next = 1;
  assert.deepEqual(await fetched(), {});
  await append(0, 'two');
  assert.deepEqual(await fetched(), { 0: ['two'] });
  places[0]!.next = 1;
  assert.deepEqual(session.parts.at(-1)!.changed, []);
  assert.notEqual(session.parts.at(-1)!.sessionId, 0);

  session.answered(2 ** 30);
  await append(2, 'three');
  assert.deepEqual(await fetched(), {}, 'of a session that the broker does not know it brings nothing');
  assert.deepEqual((await fetched())[2], ['three']);
  places[2]!.next = 1;
  places.shift();
  await append(0, 'four');
  assert.deepEqual(await fetched(), {}, 'what is no longer read is not brought');
});
