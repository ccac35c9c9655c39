/** One seed: a world with faults, clients that chat in it, healing, and the laws checked at the end. */
import { checkTables } from './check-tables.ts';
import { exactlyOnce, toDeviceOnce, tokensNeverGoBack } from './checkers.ts';
import { SimClient } from './client.ts';
import { claimedOnce, knowsOfKeys, playKeys, type ClaimedKeys } from './keys.ts';
import { World } from './world.ts';

export interface SeedResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly trace: string;
  readonly steps: number;
  readonly virtualSeconds: number;
  readonly counts: World['counts'];
}

const FAULTY_MS_MAX = 600_000;
const HEALING_MS_MAX = 300_000;

export async function runSeed(seed: number, options: { print?: (line: string) => void } = {}): Promise<SeedResult> {
  const world = new World(seed, options);
  options.print?.(`seed ${seed} ${JSON.stringify(world.rates)}`);
  const startedAt = world.scheduler.now;
  try {
    await world.open();
    await live(world);
  } finally {
    await world.close();
  }
  const { violations, counts } = world;
  return { seed, violations, counts, trace: world.traceHash(), steps: world.scheduler.steps, virtualSeconds: (world.scheduler.now - startedAt) / 1000 };
}

async function live(world: World): Promise<void> {
  const server = world.servers[0]!;
  const clients = ['alice', 'bob', 'carol'].map((name) => new SimClient(server, name));
  const sends = world.random.whole(3, 12);
  const claimed: ClaimedKeys = [];
  let finished = false;
  let roomId = '';
  const story = async (): Promise<void> => {
    await Promise.all(clients.map((client) => client.signUp()));
    for (const client of clients) void client.keepSyncing().catch((error: unknown) => world.violations.push(`sync: ${String(error)}`));
    roomId = await clients[0]!.createRoom();
    await Promise.all(clients.slice(1).map(async (client) => {
      await clients[0]!.invite(roomId, client.userId);
      await client.join(roomId);
    }));
    await Promise.all(clients.map((client) => client.untilSynced()));
    for (const client of clients) client.keysChanged.clear();
    const keys = playKeys(world, clients, claimed);
    await Promise.all(clients.map(async (client) => {
      const toDevices = client.sendToDevices(clients.map(({ userId }) => userId), sends);
      for (let number = 1; number <= sends; number += 1) await client.send(roomId, `${client.userId} ${number}`);
      await toDevices;
      await client.redactFirst(roomId);
      for (const value of ['one', 'two']) await client.setAccountData(value);
      for (const value of ['one', 'two']) await client.rename(`${client.userId} ${value}`);
      await client.tag(roomId, ['u.one', 'u.two', 'u.three']);
    }));
    await keys;
    await clients[0]!.publish(roomId, 'sim in the directory');
    finished = true;
  };
  story().catch((error: unknown) => world.violations.push(`story: ${error instanceof Error ? error.stack : String(error)}`));
  const broken = (): boolean => world.violations.length > 0;
  await world.scheduler.run(() => finished || broken(), FAULTY_MS_MAX);
  world.heal();
  await world.scheduler.run(() => finished || broken(), HEALING_MS_MAX);
  if (!finished && !broken()) world.violations.push('the clients never got through, although everything was healed');
  if (broken()) return;
  const all = clients.reduce((total, client) => total + client.acked.size, 0);
  const seen = (client: SimClient): number => (client.seen.get(roomId) ?? []).filter((event) => event.type === 'm.room.message').length;
  const hasMessages = (client: SimClient): boolean => clients.every((sender) => (client.toDevice.get(sender.userId)?.length ?? 0) >= sender.toDeviceSent);
  const hasAll = (client: SimClient): boolean => seen(client) >= all && hasMessages(client) && knowsOfKeys(client, clients) && client.accountData.synced === client.accountData.set;
  const converged = await world.scheduler.run(() => clients.every(hasAll), HEALING_MS_MAX);
  if (!converged) world.violations.push(`not everybody has seen all ${all} messages, those to devices, whose keys are new and the newest account data: ${clients.map((client) => `${seen(client)} ${hasMessages(client)} ${[...client.keysChanged].join(' ')} ${client.accountData.synced}`).join(', ')}`);
  else await readBack(world, clients, roomId);
  for (const client of clients) client.stop();
  world.violations.push(...exactlyOnce(clients, roomId), ...toDeviceOnce(clients), ...claimedOnce(claimed), ...tokensNeverGoBack(clients));
  await checkTables(server);
}

/** Several times, so that each front is asked. */
async function readBack(world: World, clients: readonly SimClient[], roomId: string): Promise<void> {
  const redacted = clients.flatMap((client) => client.redacted);
  let done = false;
  const named = clients.flatMap((reader) => clients.map((client) => reader.untilNamed(roomId, client)));
  const all = [...named, ...[0, 1, 2].flatMap(() => clients.map((client) => client.readBack(roomId, redacted)))];
  void Promise.all(all).then(() => (done = true), (error: unknown) => world.violations.push(`reading back: ${String(error)}`));
  await world.scheduler.run(() => done || world.violations.length > 0, HEALING_MS_MAX);
  if (!done && world.violations.length === 0) world.violations.push('reading back got no answers, although everything was healed');
}
