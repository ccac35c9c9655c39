/** What relates to events. */
import type { Scene } from '../scene.ts';
import type { Call } from '../world.ts';
import type { GoodRequests } from './making.ts';

const V1 = '/_matrix/client/v1';

/** Reads what relates to the scene's message, to which there is a reply in a thread, edited and reacted to, by then. */
async function read(scene: Scene, path: string): Promise<Call> {
  const { world, alice, bob, roomId, eventId } = scene;
  const send = (who: typeof alice, type: string, content: object) => world.ask(who, 'PUT', `/rooms/${roomId}/send/${type}/relations${scene.next()}`, content);
  const reply = await send(bob, 'm.room.message', { msgtype: 'm.text', body: 'yes', 'm.relates_to': { rel_type: 'm.thread', event_id: eventId } });
  await send(bob, 'm.room.message', { msgtype: 'm.text', body: '* Yes', 'm.new_content': { msgtype: 'm.text', body: 'Yes' }, 'm.relates_to': { rel_type: 'm.replace', event_id: reply.event_id } });
  await send(alice, 'm.reaction', { 'm.relates_to': { rel_type: 'm.annotation', event_id: reply.event_id, key: '👍' } });
  return { method: 'GET', path: V1 + path, token: alice.token };
}

export const RELATION_REQUESTS: GoodRequests = {
  getRelatingEvents: (s) => read(s, `/rooms/${s.roomId}/relations/${s.eventId}?recurse=true&dir=f&limit=10`),
  getRelatingEventsWithRelType: (s) => read(s, `/rooms/${s.roomId}/relations/${s.eventId}/m.thread?limit=1`),
  getRelatingEventsWithRelTypeAndEventType: (s) => read(s, `/rooms/${s.roomId}/relations/${s.eventId}/m.thread/m.room.message`),
  getThreadRoots: (s) => read(s, `/rooms/${s.roomId}/threads?include=participated&limit=5`),
};
