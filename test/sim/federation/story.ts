/** What the users of several servers do together: rooms on either side, invites across, talk, changes of state on both sides at once, and guests who come and go. */
import type { SimClient } from '../client.ts';
import type { SimResponse } from '../server.ts';
import type { FederatedWorld } from './federated-world.ts';
import { LIAR_NAME } from './liar/liar.ts';

export interface SharedRoom {
  readonly roomId: string;
  readonly roomVersion: string;
  readonly isPublic: boolean;
  readonly creator: SimClient;
  /** Bodies sent after every core user was in: body -> who sent it. Each must reach them all. */
  readonly owed: Map<string, SimClient>;
}

export interface Story {
  readonly rooms: SharedRoom[];
  /** What is being waited for, for those who look why it takes so long. */
  readonly underWay: Set<string>;
  finished: boolean;
  /** Rooms in which core users are missing. */
  toOpen: number;
  /** Resolves when all core users are in all rooms. */
  readonly opened: Promise<void>;
  /** To be called for each room that has all. */
  open(): void;
}

const GUESTS_MEMBERSHIPS = ['invite', 'kick', 'ban', 'unban'] as const;

export function beginStory(federated: FederatedWorld): Story {
  const { world, network } = federated;
  const opened = Promise.withResolvers<void>();
  const open = (): void => {
    story.toOpen -= 1;
    if (story.toOpen > 0) return;
    network.begin();
    opened.resolve();
  };
  const story: Story = { rooms: [], underWay: new Set(), finished: false, toOpen: 0, opened: opened.promise, open };
  tell(federated, story).then(() => (story.finished = true), (error: unknown) => world.violations.push(`story: ${error instanceof Error ? error.stack : String(error)}`));
  return story;
}

async function tell(federated: FederatedWorld, story: Story): Promise<void> {
  const { world, cores, guests, liar } = federated;
  const { random } = world;
  const clients = [...cores, ...guests];
  await Promise.all(clients.map((client) => during(story, `${client.userId} signs up`, client.signUp())));
  for (const client of clients) void client.keepSyncing().catch((error: unknown) => world.violations.push(`sync: ${String(error)}`));
  if (liar !== undefined) void liar.keepLying().catch((error: unknown) => world.violations.push(`liar: ${error instanceof Error ? error.stack : String(error)}`));
  const count = random.whole(1, 6);
  story.toOpen = random.whole(1, 3);
  await Promise.all([
    ...Array.from({ length: story.toOpen }, (_, number) => liveInRoom(federated, story, number)),
    ...cores.map((core) => during(story, `${core.userId} sends to devices`, core.sendToDevices(cores.map(({ userId }) => userId), count))),
  ]);
}

async function liveInRoom(federated: FederatedWorld, story: Story, number: number): Promise<void> {
  const { world, cores, guests, liar } = federated;
  const { random } = world;
  const room = await openRoom(federated, story, number);
  const label = `room ${number}`;
  const others = cores.filter((core) => core !== room.creator);
  const early = during(story, `early words in ${label}`, (async () => {
    for (let count = random.whole(0, 3); count > 0; count -= 1) await room.creator.send(room.roomId, `${label} early ${count}`);
  })());
  await Promise.all(others.map((core) => bringIn(federated, story, { room, by: room.creator, who: core })));
  await early;
  await Promise.all(cores.map((core) => during(story, `${core.userId} waits for all in ${label}`, everybodyIn(federated, room, core))));
  if (federated.partitions) {
    story.open();
    await story.opened;
  }
  const lies = liar !== undefined && random.chance(0.7);
  if (lies) void bringLiarIn(federated, room);
  await Promise.all([
    ...cores.map((core) => during(story, `${core.userId} acts in ${label}`, actAsCore(federated, { room, core, label }))),
    ...guests.filter(() => random.chance(0.6)).map((guest) => during(story, `${guest.userId} visits ${label}`, actAsGuest(federated, { room, guest }))),
  ]);
}

async function during<T>(story: Story, label: string, work: Promise<T>): Promise<T> {
  story.underWay.add(label);
  const value = await work;
  story.underWay.delete(label);
  return value;
}

async function openRoom({ world, cores, liar }: FederatedWorld, story: Story, number: number): Promise<SharedRoom> {
  const { random } = world;
  const creator = random.pick(cores);
  const roomVersion = random.pick(['10', '11', '12']);
  const isPublic = random.chance(0.5);
  const powerful = roomVersion === '12' ? cores.filter((core) => core !== creator) : cores;
  const response = await during(story, `${creator.userId} creates room ${number}`, creator.persist('POST', '/_matrix/client/v3/createRoom', {
    preset: isPublic ? 'public_chat' : 'private_chat', name: `room ${number}`, room_version: roomVersion,
    power_level_content_override: { users: Object.fromEntries(powerful.map((core) => [core.userId, 100])) },
  }));
  if (response.status !== 200) world.violations.push(`createRoom: ${JSON.stringify(response)}`);
  const room: SharedRoom = { roomId: response.body['room_id'] as string, roomVersion, isPublic, creator, owed: new Map() };
  story.rooms.push(room);
  liar?.otherRooms.push(room.roomId);
  return room;
}

/** Until it works: an answer that got lost, a server that could not be reached and an invite that is still on its way look alike. */
async function bringIn({ world }: FederatedWorld, story: Story, { room, by, who }: { room: SharedRoom; by: SimClient; who: SimClient }): Promise<void> {
  const { random } = world;
  if (!room.isPublic) await during(story, `${by.userId} invites ${who.userId} to ${room.roomId}`, by.invite(room.roomId, who.userId));
  await during(story, `${who.userId} joins ${room.roomId}`, (async () => {
    for (;;) {
      const response = await joinVia(who, room.roomId, domain(by));
      if (response.status === 200) return;
      world.note(world.scheduler.now, `${who.userId} cannot join yet: ${JSON.stringify(response)}`);
      await world.sleep(random.between(500, 3000));
    }
  })());
}

/**
 * Until the user's own server knows of all: what it sends before does not go to all. Who joins while another does, by way of a third server, learns of the other by the
 * next event that follows both joins: the creator goes on talking.
 */
async function everybodyIn({ world, cores }: FederatedWorld, room: SharedRoom, core: SimClient): Promise<void> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}/joined_members`;
  const knowsAll = async (who: SimClient): Promise<boolean> => {
    const { body } = await who.persist('GET', path);
    return cores.every(({ userId }) => userId in ((body['joined'] ?? {}) as object));
  };
  const mayGo = core === room.creator ? async () => (await Promise.all(cores.map(knowsAll))).every(Boolean) : () => knowsAll(core);
  for (let count = 1; !(await mayGo()); count += 1) {
    if (core === room.creator) await core.send(room.roomId, `is anybody there? ${room.roomId} ${count}`);
    await world.sleep(2000);
  }
}

function joinVia(client: SimClient, roomId: string, via: string): Promise<SimResponse> {
  return client.persist('POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?server_name=${via}&via=${via}`, {});
}

function domain(client: SimClient): string {
  return client.userId.slice(client.userId.indexOf(':') + 1);
}

async function bringLiarIn({ world, liar, cores }: FederatedWorld, room: SharedRoom): Promise<void> {
  const core = world.random.pick(cores);
  if (room.isPublic) void liar!.join(room.roomId, domain(core));
  // An invite that it answers with lies fails; nobody waits for it.
  else await core.try('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}/invite`, { user_id: liar!.userId });
}

async function actAsCore(federated: FederatedWorld, { room, core, label }: { room: SharedRoom; core: SimClient; label: string }): Promise<void> {
  const { world } = federated;
  const { random } = world;
  for (let number = random.whole(4, 12); number > 0; number -= 1) {
    await world.sleep(random.float() ** 2 * 5000);
    const action = random.float();
    if (action < 0.6) await say(room, core, `${label}: ${core.userId} ${number}`);
    else if (action < 0.75) await put(core, room, { type: random.pick(['m.room.topic', 'm.room.name', 'test.state']), content: { topic: `${number}`, name: `${core.userId} ${number}` } });
    else if (action < 0.83) await changePower(federated, room, core);
    else if (action < 0.9) await redactOne(room, core, random.float());
    else await changeMembership(federated, room, core);
  }
  await say(room, core, `${label}: ${core.userId} 0`);
}

export async function say(room: SharedRoom, core: SimClient, body: string): Promise<void> {
  room.owed.set(body, core);
  await core.send(room.roomId, body);
}

function put(client: SimClient, room: SharedRoom, { type, content }: { type: string; content: object }): Promise<SimResponse> {
  return client.persist('PUT', `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}/state/${type}/`, content);
}

async function changePower({ world, guests }: FederatedWorld, room: SharedRoom, core: SimClient): Promise<void> {
  const now = await core.persist('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}/state/m.room.power_levels/`);
  if (now.status !== 200) return void world.violations.push(`${core.userId} reads no power levels: ${JSON.stringify(now)}`);
  const users = { ...(now.body['users'] as object), [world.random.pick(guests).userId]: world.random.pick([0, 50, 60]) };
  await put(core, room, { type: 'm.room.power_levels', content: { ...now.body, users } });
}

async function redactOne(room: SharedRoom, core: SimClient, which: number): Promise<void> {
  const own = [...core.acked].filter(([body]) => room.owed.has(body));
  const [body, eventId] = own[Math.floor(which * own.length)] ?? [];
  if (eventId === undefined) return;
  await core.persist('PUT', `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}/redact/${encodeURIComponent(eventId)}/${encodeURIComponent(`redact ${body}`)}`, {});
}

async function changeMembership({ world, guests, liar }: FederatedWorld, room: SharedRoom, core: SimClient): Promise<void> {
  const { random } = world;
  const target = random.pick([...guests.map(({ userId }) => userId), ...(liar === undefined ? [] : [liar.userId])]);
  const membership = random.pick(GUESTS_MEMBERSHIPS);
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}/${membership}`;
  if (target.endsWith(LIAR_NAME) && membership === 'invite') await core.try('POST', path, { user_id: target });
  else await core.persist('POST', path, { user_id: target });
}

/** Whatever is answered: guests are often where they may not be. */
async function actAsGuest(federated: FederatedWorld, { room, guest }: { room: SharedRoom; guest: SimClient }): Promise<void> {
  const { world, cores, partitions } = federated;
  const { random } = world;
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}`;
  for (let number = random.whole(3, 8); number > 0; number -= 1) {
    await world.sleep(random.float() ** 2 * 6000);
    if (partitions && random.chance(0.5)) await usePower(federated, { room, guest });
    const action = random.float();
    if (action < 0.4) await guest.try('POST', `/_matrix/client/v3/join/${encodeURIComponent(room.roomId)}?server_name=${domain(random.pick(cores))}`, {});
    else if (action < 0.55) await guest.try('POST', `${path}/leave`, {});
    else if (action < 0.9) await guest.try('PUT', `${path}/send/m.room.message/${encodeURIComponent(`guest ${number}`)}`, { msgtype: 'm.text', body: `${guest.userId} ${number}` });
    else await guest.try('PUT', `${path}/state/m.room.topic/`, { topic: `of ${guest.userId} ${number}` });
  }
}

/** Guests who were made mighty ban each other, raise and lower each other; on the other side of a rift somebody does the same to them. */
async function usePower({ world, guests }: FederatedWorld, { room, guest }: { room: SharedRoom; guest: SimClient }): Promise<void> {
  const { random } = world;
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}`;
  const target = random.pick(guests.filter((one) => one !== guest));
  if (random.chance(0.6)) return void (await guest.try('POST', `${path}/${random.pick(['ban', 'ban', 'kick', 'unban', 'invite'])}`, { user_id: target.userId }));
  const now = await guest.try('GET', `${path}/state/m.room.power_levels/`);
  if (now.status !== 200) return;
  const users = { ...(now.body['users'] as object), [target.userId]: random.pick([0, 50, 60]) };
  await guest.try('PUT', `${path}/state/m.room.power_levels/`, { ...now.body, users, ...(random.chance(0.3) ? { events: { ...(now.body['events'] as object), 'm.room.power_levels': random.pick([50, 60]) } } : {}) });
}
