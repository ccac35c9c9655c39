/** One seeded history of a room that real servers share while traffic between them is cut and healed: talk, topics, bans and levels on all sides at once. At its end everything is healed, and all agree. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Seeded } from '../sim/seeded.ts';
import { V3, type Answer } from '../e2e/api-client.ts';
import { closeRoom, type Agreement } from '../e2e/closing.ts';
import { ok, type Member } from '../e2e/federation-rooms.ts';
import type { PartedServers } from './servers.ts';

export interface RealHistory extends Agreement {
  readonly seed: number;
  readonly roomVersion: string;
  /** How often the network was changed. */
  readonly cuts: number;
  /** What users have tried. */
  readonly actions: number;
}

interface Stage {
  readonly servers: PartedServers;
  readonly random: Seeded;
  readonly roomId: string;
  readonly path: string;
  actions: number;
}

const VERSIONS = ['10', '11', '12', '12', '11', '6'];
const CLOSING_MS_MAX = 120_000;

export async function playHistory(servers: PartedServers, seed: number): Promise<RealHistory> {
  const random = new Seeded(seed);
  const roomVersion = VERSIONS[seed % VERSIONS.length]!;
  servers.part([everyone(servers)]);
  const stage = await openRoom(servers, random, roomVersion);
  const cuts = random.whole(2, 4);
  for (let cut = 0; cut < cuts; cut += 1) {
    servers.part(drawGroups(servers, random));
    await Promise.all([...servers.cores.map((core) => actAsCore(stage, core)), ...servers.guests.map((guest) => actAsGuest(stage, guest))]);
    await sleep(random.whole(0, 300));
  }
  servers.part([everyone(servers)]);
  const agreement = await closeRoom(stage.roomId, servers.cores, CLOSING_MS_MAX);
  return { seed, roomVersion, cuts, actions: stage.actions, ...agreement };
}

const everyone = ({ peers }: PartedServers): number[] => peers.map((_, index) => index);

/** Mostly a cut, sometimes none. */
function drawGroups(servers: PartedServers, random: Seeded): number[][] {
  const all = everyone(servers);
  if (random.chance(0.2)) return [all];
  if (random.chance(0.3)) return all.map((number) => [number]);
  const alone = random.pick(all);
  return [[alone], all.filter((number) => number !== alone)];
}

/** All core users are in it with all power, and the guests with some. */
async function openRoom(servers: PartedServers, random: Seeded, roomVersion: string): Promise<Stage> {
  const { cores, guests } = servers;
  const [creator, ...others] = random.chance(0.5) ? cores : [...cores].reverse();
  const mighty = roomVersion === '12' ? others : [creator!, ...others];
  const users = Object.fromEntries([...mighty.map(({ session }) => [session.userId, 100]), ...guests.map(({ session }) => [session.userId, random.pick([0, 50, 50, 60])])]) as Record<string, number>;
  const made = await ok(creator!.session.call('POST', `${V3}/createRoom`, { preset: 'public_chat', room_version: roomVersion, power_level_content_override: { users } }));
  const roomId = made.room_id as string;
  const via = creator!.peer.serverName;
  for (const member of [...others, ...guests]) {
    if (member === creator) continue;
    await ok(member.session.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?server_name=${via}&via=${via}`, {}));
  }
  const all = [...cores, ...guests].map(({ session }) => session.userId);
  await Promise.all(cores.map(({ follower, session }) => follower.until(`all to be in ${roomId}, seen by ${session.userId}`, () => all.every((userId) => follower.room(roomId).state.get(`m.room.member ${userId}`)?.content.membership === 'join'))));
  return { servers, random, roomId, path: `${V3}/rooms/${encodeURIComponent(roomId)}`, actions: 0 };
}

async function actAsCore(stage: Stage, core: Member): Promise<void> {
  const { random, servers } = stage;
  for (let number = random.whole(1, 4); number > 0; number -= 1) {
    const [action, guest] = [random.float(), random.pick(servers.guests)];
    if (action < 0.35) await speak(stage, core);
    else if (action < 0.5) await setTopic(stage, core);
    else if (action < 0.75) await judge(stage, core, { way: random.pick(['ban', 'ban', 'kick', 'unban', 'invite']), guest });
    else await empower(stage, core, { guest, level: random.pick([0, 50, 60]) });
  }
}

async function actAsGuest(stage: Stage, guest: Member): Promise<void> {
  const { random, servers } = stage;
  for (let number = random.whole(1, 4); number > 0; number -= 1) {
    const [action, target] = [random.float(), random.pick(servers.guests.filter((one) => one !== guest))];
    if (action < 0.4) await speak(stage, guest);
    else if (action < 0.55) await setTopic(stage, guest);
    else if (action < 0.8) await judge(stage, guest, { way: random.pick(['ban', 'kick', 'unban']), guest: target });
    else if (action < 0.9) await attempt(stage, guest, 'POST', `${stage.path}/leave`, {});
    else await attempt(stage, guest, 'POST', `${stage.path}/join`, {});
  }
}

/** Whatever is answered: on another side of a cut it may be another thing. */
async function attempt(stage: Stage, { session }: Member, method: string, path: string, body: object): Promise<Answer> {
  stage.actions += 1;
  return session.call(method, path, body);
}

const speak = (stage: Stage, by: Member): Promise<Answer> => attempt(stage, by, 'PUT', `${stage.path}/send/m.room.message/${stage.actions}`, { msgtype: 'm.text', body: `${by.session.userId} ${stage.actions}` });
const setTopic = (stage: Stage, by: Member): Promise<Answer> => attempt(stage, by, 'PUT', `${stage.path}/state/m.room.topic/`, { topic: `${by.session.userId} ${stage.actions}` });
const judge = (stage: Stage, by: Member, { way, guest }: { way: string; guest: Member }): Promise<Answer> => attempt(stage, by, 'POST', `${stage.path}/${way}`, { user_id: guest.session.userId });

async function empower(stage: Stage, by: Member, { guest, level }: { guest: Member; level: number }): Promise<void> {
  const path = `${stage.path}/state/m.room.power_levels/`;
  const levels = await ok(by.session.call('GET', path)) as { users?: Record<string, number> };
  await attempt(stage, by, 'PUT', path, { ...levels, users: { ...levels.users, [guest.session.userId]: level } });
}
