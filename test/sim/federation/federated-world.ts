/** A world of several homeservers on one network, and in some worlds a peer that lies. */
import { SimClient } from '../client.ts';
import { World } from '../world.ts';
import { LyingPeer } from './liar/liar.ts';
import { drawNetwork, drawPartitions, type NetworkRates } from './network-faults.ts';
import { SimNetwork } from './network.ts';
import { simTransport } from './sim-transport.ts';

/** Short: what is healed must be found within the time that a world has. */
const RETRY = { firstMs: 500, maxMs: 20_000, factor: 2, jitter: 0.3 };

/** In every other world a server that fails has to catch up by the ends of its rooms after moments. */
const IMPATIENT = { failingEventsMax: 2, eventsMax: 5, goneMs: 2000 };

export interface FederatedWorld {
  readonly world: World;
  readonly network: SimNetwork;
  readonly networkRates: NetworkRates;
  readonly liar: LyingPeer | undefined;
  /** The servers are parted again and again, and nobody lies; guests try to use what power they have. */
  readonly partitions: boolean;
  /** One on each server; they stay in every room that they share. */
  readonly cores: readonly SimClient[];
  /** One on each server; they come, go, and are thrown out. */
  readonly guests: readonly SimClient[];
}

export interface FederatedOptions {
  readonly servers: number;
  readonly partitions?: boolean;
  readonly print?: (line: string) => void;
}

export function federatedWorld(seed: number, options: FederatedOptions): FederatedWorld {
  const letters = [...'abc'].slice(0, options.servers);
  const nameOf = (letter: string): string => `${letter}.test`;
  // The processes start after the network is there.
  const parts = {} as { network: SimNetwork };
  const world = new World(seed, {
    ...(options.print === undefined ? {} : { print: options.print }),
    servers: letters.map((letter, index) => ({
      name: nameOf(letter), keySeed: index + 1, prefix: `${letter}.`,
      transport: (process) => simTransport(parts.network, nameOf(letter), process),
      settings: { forwardExtremitiesMax: 1, federation: { ...federationSettings(letters.filter((other) => other !== letter).map(nameOf)), ...(seed % 2 === 1 && { catchUp: IMPATIENT }) } },
    })),
  });
  const { scheduler, random } = world;
  const partitions = options.partitions === true;
  const networkRates = partitions ? drawPartitions(random) : drawNetwork(random);
  const network = new SimNetwork({ scheduler, random, rates: networkRates, healed: () => world.healed });
  parts.network = network;
  for (const server of world.servers) network.attach(server);
  const liar = !partitions && random.chance(0.6) ? new LyingPeer(world, network) : undefined;
  if (liar !== undefined) network.attach(liar);
  const clients = (names: readonly string[]): SimClient[] => world.servers.map((server, index) => new SimClient(server, names[index]!));
  return { world, network, networkRates, liar, partitions, cores: clients(['alice', 'bob', 'carol']), guests: clients(['dave', 'erin', 'frank']) };
}

/** Each trusts the others' word about keys, so that the events of a peer that is gone can still be checked. */
function federationSettings(others: readonly string[]) {
  return { wellKnownServer: '', trustedKeyServers: others, deniedServers: [], allowedServers: [], pendingInvitesMax: 500, caFiles: [], ipDenied: [], ipAllowed: [], overrides: new Map(), retry: RETRY };
}
