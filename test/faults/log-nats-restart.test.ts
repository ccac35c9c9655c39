import { connect } from 'nats';
import { startNats } from '../kit/servers/nats.ts';
import { brokerFaults } from './log-broker.ts';

brokerFaults({
  name: 'nats',
  async start() {
    const server = await startNats();
    return { server, at: server.url };
  },
  async forget(at, { prefix, partition, offset }) {
    const connection = await connect({ servers: at });
    const manager = await connection.jetstreamManager();
    await manager.streams.purge(`${prefix}-room-input`, { filter: `${prefix}.room-input.${partition}`, seq: offset });
    await connection.close();
  },
});
