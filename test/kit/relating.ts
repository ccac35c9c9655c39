/** Events that relate to others, in scripted histories. */
import type { HistoryEvent, RoomHistory, SendOptions } from './room-history.ts';
import type { SyncWorld } from './sync-world.ts';

/** A message of the thread. */
export function reply(room: RoomHistory, sender: string, rootId: string, body = 'reply', options: SendOptions = {}): HistoryEvent {
  return relate(room, sender, { relType: 'm.thread', eventId: rootId, body }, options);
}

/** A replacement of the message. */
export function edit(room: RoomHistory, sender: string, eventId: string, body: string): HistoryEvent {
  return relate(room, sender, { relType: 'm.replace', eventId, body, 'm.new_content': { msgtype: 'm.text', body } });
}

export function react(room: RoomHistory, sender: string, eventId: string, key: string): HistoryEvent {
  return room.send('m.reaction', sender, { 'm.relates_to': { rel_type: 'm.annotation', event_id: eventId, key } });
}

/** A message with any relation. */
export function relate(room: RoomHistory, sender: string, how: { relType: string; eventId: string; body?: string; [key: string]: unknown }, options: SendOptions = {}): HistoryEvent {
  const { relType, eventId, body = relType, ...more } = how;
  return room.say(sender, body, { ...options, more: { ...more, 'm.relates_to': { rel_type: relType, event_id: eventId } } });
}

/** Sets whom the user ignores. */
export function ignore(world: SyncWorld, userId: string, ignored: readonly string[]): Promise<void> {
  const content = JSON.stringify({ ignored_users: Object.fromEntries(ignored.map((one) => [one, {}])) });
  return world.applyUser({ userId, accountData: { roomId: '', type: 'm.ignored_user_list', content: Buffer.from(content) } });
}
