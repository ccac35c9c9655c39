/** Two processes of every role on a broker and a PostgreSQL of their own, behind the real front: what the fault tests break. */
import { ROLES } from '../../schemas/config/settings.ts';
import { frontMissing, makePlace, startFront } from '../e2e/modes.ts';
import { freePort, startProgram, type Program } from '../e2e/program.ts';
import * as kafka from '../kit/servers/kafka.ts';
import * as nats from '../kit/servers/nats.ts';
import * as postgres from '../kit/servers/postgres.ts';
import type { RunningServer } from '../kit/servers/server-process.ts';

export type BrokerName = 'NATS' | 'Kafka';

export interface Instance {
  /** For example `roomserver-2`. */
  readonly name: string;
  readonly role: string;
  readonly program: Program;
}

export interface Instances {
  /** Of the front. */
  readonly baseUrl: string;
  readonly all: readonly Instance[];
  readonly broker: RunningServer;
  readonly database: RunningServer;
  stop(): Promise<void>;
}

const OF_EACH = 2;

/** Why it cannot run here; undefined when it can. */
export function instancesMissing(broker: BrokerName): string | undefined {
  return postgres.available() ?? (broker === 'NATS' ? nats : kafka).available() ?? frontMissing();
}

export async function startInstances(brokerName: BrokerName): Promise<Instances> {
  const ends: (() => Promise<unknown> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const database = await postgres.startPostgres();
    ends.push(() => database.stop());
    const { broker, log } = await startBroker(brokerName);
    ends.push(() => broker.stop());
    const place = await makePlace(database.url);
    ends.push(() => place.remove());
    const start = async (role: string, number: number): Promise<Instance> => {
      const program = await startProgram({ port: await freePort(), env: { ...place.env, MYELIN_LOG: log }, args: ['--roles', role] });
      ends.push(() => program.stop());
      return { name: `${role}-${number}`, role, program };
    };
    // The first one makes the tables and the key.
    const first = await start(ROLES[0]!, 1);
    const others = Array.from({ length: OF_EACH }, (_, index) => ROLES.map((role) => ({ role, number: index + 1 }))).flat().slice(1);
    // When one fails, the others are ended only when they have begun.
    const starts = others.map(({ role, number }) => start(role, number));
    await Promise.allSettled(starts);
    const all = [first, ...await Promise.all(starts)];
    const addresses = (role: string): string => all.filter((one) => one.role === role).map(({ program }) => new URL(program.baseUrl).host).join(',');
    const front = await startFront(place.folder, { clientapi: addresses('clientapi'), syncapi: addresses('syncapi'), federationapi: addresses('federationapi') });
    ends.push(() => front.stop());
    return { baseUrl: front.baseUrl, all, broker, database, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startBroker(name: BrokerName): Promise<{ broker: RunningServer; log: string }> {
  if (name === 'NATS') {
    const broker = await nats.startNats();
    return { broker, log: broker.url };
  }
  const broker = await kafka.startKafka();
  return { broker, log: `kafka://${broker.brokers.join(',')}` };
}
