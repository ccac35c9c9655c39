import { quietRuntime } from '../conformance/log/harness.ts';
import { createClient } from '../../pkg/log/kafka/client.ts';
import { startKafka } from '../kit/servers/kafka.ts';
import { brokerFaults } from './log-broker.ts';

brokerFaults({
  name: 'kafka',
  async start() {
    const server = await startKafka();
    return { server, at: server.brokers.join(',') };
  },
  async forget(at, { prefix, partition, offset }) {
    const admin = createClient(at.split(','), quietRuntime(), { retry: { retries: 10 } }).admin();
    await admin.connect();
    // It finds the leaders only in metadata that are loaded.
    await admin.fetchTopicOffsets(`${prefix}.room-input`);
    await admin.deleteTopicRecords({ topic: `${prefix}.room-input`, partitions: [{ partition, offset: String(offset) }] });
    await admin.disconnect();
  },
});
