/** One seed of several servers: a faulty network, users who talk across it, healing, and the laws checked at the end. */
import { checkTables } from '../check-tables.ts';
import { toDeviceOnce, tokensNeverGoBack } from '../checkers.ts';
import type { SeedResult } from '../run-seed.ts';
import { disagreements } from './agreement.ts';
import { closedRooms, closingDifferences, NOTHING_CLOSED, type ClosedRooms, type Closings } from './closing.ts';
import { undelivered } from './delivery.ts';
import { federatedWorld, type FederatedOptions, type FederatedWorld } from './federated-world.ts';
import { forgeries, speakersOutside } from './honesty.ts';
import { countJoints, jointsSeen } from './joints.ts';
import { wrongHosts } from './joined-hosts.ts';
import type { SimNetwork } from './network.ts';
import { leftWaiting } from './queues.ts';
import { beginStory, say, type SharedRoom, type Story } from './story.ts';

export interface FederatedResult extends SeedResult {
  readonly network: SimNetwork['counts'];
  /** What the lying peer has tried. */
  readonly lies: number;
  /** Events by which servers have joined branches. */
  readonly joints: number;
  /** What the law about closing events has compared. */
  readonly closed: ClosedRooms;
}

const FAULTY_MS_MAX = 600_000;
const HEALING_MS_MAX = 300_000;
/** For the last words to get to all, and for what still waits then. */
const SETTLING_MS_MAX = 300_000;
const LOOK_EVERY_MS = 1000;
const ROUNDS_MAX = 6;
const ROUND_MS_MAX = 60_000;

/** `afterwards` looks at the rooms in which the servers have come to agree, and at their closing events, before the world ends. */
export async function runFederatedSeed(seed: number, options: FederatedOptions & { afterwards?: (federated: FederatedWorld, rooms: readonly SharedRoom[], closings: Closings) => Promise<void> }): Promise<FederatedResult> {
  const federated = federatedWorld(seed, options);
  const { world } = federated;
  options.print?.(`seed ${seed} ${JSON.stringify(world.rates)} ${JSON.stringify(federated.networkRates)} ${federated.liar === undefined ? 'no liar' : 'a liar'}`);
  const startedAt = world.scheduler.now;
  let joints = 0;
  let closed = NOTHING_CLOSED;
  try {
    await world.open();
    const closings: Closings = new Map();
    const rooms = await live(federated, closings);
    closed = await closedRooms(federated, rooms);
    joints = await countJoints(federated);
    await options.afterwards?.(federated, rooms, closings);
  } finally {
    await world.close();
  }
  const { violations, counts } = world;
  return {
    seed, violations, counts, network: federated.network.counts, lies: federated.liar?.lies ?? 0, joints, closed,
    trace: world.traceHash(), steps: world.scheduler.steps, virtualSeconds: (world.scheduler.now - startedAt) / 1000,
  };
}

/** Resolves with the rooms in which the servers have come to agree. */
async function live(federated: FederatedWorld, closings: Closings): Promise<readonly SharedRoom[]> {
  const { world, network, liar, cores, guests } = federated;
  const broken = (): boolean => world.violations.length > 0;
  const story = beginStory(federated);
  await world.scheduler.run(() => story.finished || broken(), FAULTY_MS_MAX);
  world.heal();
  network.heal();
  world.note(world.scheduler.now, 'healed');
  if (liar !== undefined) liar.silence = world.random.pick(['gone', 'polite']);
  await world.scheduler.run(() => story.finished || broken(), HEALING_MS_MAX);
  if (!story.finished && !broken()) {
    world.violations.push(`the users never got through, although everything was healed: ${[...story.underWay].join('; ')}`, ...(await differences(federated, story, new Map())));
  }
  if (broken()) return [];
  await agree(federated, story, closings);
  await world.scheduler.run(() => toDeviceOnce(cores).length === 0 || broken(), SETTLING_MS_MAX);
  for (const client of [...cores, ...guests]) client.stop();
  if (broken()) return [];
  world.violations.push(...toDeviceOnce(cores), ...tokensNeverGoBack([...cores, ...guests]), ...jointsSeen([...cores, ...guests]));
  for (const room of story.rooms) world.violations.push(...(await forgeries(federated, room)));
  for (const server of world.servers) {
    world.violations.push(...(await speakersOutside(server)));
    await checkTables(server);
  }
  return story.rooms;
}

/**
 * Rounds of last words, until nothing differs: what the liar has said is given up or found late, and may come between the last words and their law. Without a liar two are enough: who
 * has softly failed an event keeps what it follows among the ends, until it says something itself.
 */
async function agree(federated: FederatedWorld, story: Story, closings: Closings): Promise<void> {
  const { world } = federated;
  let left: string[] = [];
  for (let round = 1; round <= (federated.liar === undefined ? 2 : ROUNDS_MAX); round += 1) {
    await lastWords(federated, story, { round, closings });
    if (world.violations.length > 0) return;
    left = await settle(federated, story, closings);
    if (left.length === 0 || world.violations.length > 0) return;
  }
  world.violations.push(...left);
}

/** One more message from each side of every room, each after the one before has reached all: whatever got lost on the way comes to light by it, and the ends of the graph are joined. */
async function lastWords(federated: FederatedWorld, story: Story, { round, closings }: { round: number; closings: Closings }): Promise<void> {
  const { world, cores } = federated;
  const waiting = new Set<string>();
  const speak = async (room: SharedRoom): Promise<void> => {
    const spoken: string[] = [];
    closings.set(room.roomId, spoken);
    for (const core of cores) {
      const body = `last words of ${core.userId} in ${room.roomId} (${round})`;
      waiting.add(body);
      await say(room, core, body);
      const has = (reader: (typeof cores)[number]): boolean => (reader.seen.get(room.roomId) ?? []).some((event) => event.event_id === core.acked.get(body));
      while (!cores.every(has)) await world.sleep(200);
      waiting.delete(body);
      spoken.push(core.acked.get(body)!);
    }
  };
  let done = false;
  void Promise.all(story.rooms.map(speak)).then(() => (done = true), (error: unknown) => world.violations.push(`last words: ${String(error)}`));
  await world.scheduler.run(() => done || world.violations.length > 0, SETTLING_MS_MAX);
  if (!done && world.violations.length === 0) {
    world.violations.push(`not everybody has got the ${[...waiting].join(' and the ')}`, ...(await differences(federated, story, new Map())));
  }
}

/** What still differs when there was time enough. */
async function settle(federated: FederatedWorld, story: Story, closings: Closings): Promise<string[]> {
  const { world } = federated;
  let left: string[] = [];
  let done = false;
  const look = async (): Promise<void> => {
    while (!done) {
      left = await differences(federated, story, closings);
      if (left.length === 0) done = true;
      else await world.sleep(LOOK_EVERY_MS);
    }
  };
  void look().catch((error: unknown) => world.violations.push(`settling: ${String(error)}`));
  await world.scheduler.run(() => done || world.violations.length > 0, ROUND_MS_MAX);
  done = true;
  return left;
}

async function differences(federated: FederatedWorld, story: Story, closings: Closings): Promise<string[]> {
  const found: string[] = [];
  for (const room of story.rooms) found.push(...(await disagreements(federated, room)), ...(await closingDifferences(federated, room, closings)), ...undelivered(federated, room));
  for (const server of federated.world.servers) {
    found.push(...(await leftWaiting(server)));
    for (const room of story.rooms) found.push(...(await wrongHosts(server, room)));
  }
  return found;
}
