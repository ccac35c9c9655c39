/** People, a room and what was said in it: what the requests of this suite are about. */
import { IDENTITY_SERVER, IDENTITY_TRANSPORT } from './identity-server.ts';
import { createWorld, type Account, type World } from './world.ts';

export interface Scene {
  readonly world: World;
  readonly alice: Account;
  readonly bob: Account;
  /** In no room. */
  readonly carol: Account;
  /** An administrator of the server; in no room. */
  readonly admin: Account;
  /** Public; of Alice, who has all power, and Bob, who has none. */
  readonly roomId: string;
  /** Alice's message in it. */
  readonly eventId: string;
  readonly filterId: string;
  /** A fresh public room of Alice. */
  newRoom(): Promise<string>;
  /** A number that was not given out before. */
  next(): number;
}

export async function createScene(settings: Parameters<typeof createWorld>[0] = {}): Promise<Scene> {
  const world = await createWorld({ inviteIdentityServers: [IDENTITY_SERVER], ...settings }, { transport: IDENTITY_TRANSPORT });
  const [alice, bob, carol, admin] = [await world.register('alice'), await world.register('bob'), await world.register('carol'), await world.register('admin')];
  await world.makeAdmin(admin);
  const newRoom = async (): Promise<string> => (await world.ask(alice, 'POST', '/createRoom', { preset: 'public_chat', name: 'Tea' })).room_id as string;
  const roomId = await newRoom();
  await world.ask(bob, 'POST', `/rooms/${roomId}/join`, {});
  const { event_id: eventId } = await world.ask(alice, 'PUT', `/rooms/${roomId}/send/m.room.message/scene`, { msgtype: 'm.text', body: 'tea?' });
  const { filter_id: filterId } = await world.ask(alice, 'POST', `/user/${alice.userId}/filter`, {});
  await world.ask(alice, 'PUT', `/user/${alice.userId}/account_data/org.example.note`, { note: 1 });
  await world.ask(alice, 'PUT', `/user/${alice.userId}/rooms/${roomId}/account_data/org.example.note`, { note: 2 });
  await world.ask(alice, 'PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' });
  let numbers = 0;
  return { world, alice, bob, carol, admin, roomId, eventId, filterId, newRoom, next: () => (numbers += 1) };
}
