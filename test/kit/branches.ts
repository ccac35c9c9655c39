/** Branches of a room that was made here: events that follow an older one, as another server would send them. */
import { roomQuery } from '../../components/roomserver/query/room-query.ts';
import { authTypesFor } from '../../pkg/matrix/auth/auth-types.ts';
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import type { EventDraft } from '../../pkg/matrix/events/pdu.ts';
import type { RoomInput } from '../../schemas/log/room-input.ts';
import { input, KEY, SERVER, START_MS, type RoomDriver, type TestRoom } from './room-driver.ts';

/** An input that brings the draft as an event that follows `prev`, authorised by the current state. */
export async function branch(driver: RoomDriver, room: TestRoom, draft: EventDraft, prev: { events: readonly string[]; depth: number }): Promise<{ eventId: string; input: RoomInput }> {
  const auth = await roomQuery(driver.database).currentState(room.roomId, authTypesFor(draft, room.version));
  const built = buildEvent({
    version: room.version, draft, roomId: room.roomId, prevEvents: [...prev.events], authEvents: auth.map(({ eventId }) => eventId), depth: prev.depth + 1, originServerTs: START_MS,
    serverName: SERVER, signingKey: KEY,
  });
  return { eventId: built.eventId, input: input(room.roomId, { receivePdu: { eventId: built.eventId, pdu: Buffer.from(built.json), origin: 'two.test', needId: '', relay: false } }) };
}

/** Has the room fork into `count` messages that all follow `from`, an event of that depth. */
export async function forkInto(driver: RoomDriver, room: TestRoom, count: number, from: { eventId: string; depth: number; sender: string }): Promise<string[]> {
  const eventIds: string[] = [];
  const inputs: RoomInput[] = [];
  for (let number = 0; number < count; number += 1) {
    const draft = { type: 'm.room.message', sender: from.sender, content: { msgtype: 'm.text', body: `branch ${number}` } };
    const made = await branch(driver, room, draft, { events: [from.eventId], depth: from.depth });
    eventIds.push(made.eventId);
    inputs.push(made.input);
  }
  await driver.batch(inputs);
  return eventIds;
}

export async function extremitiesOf(driver: RoomDriver, roomId: string): Promise<string[]> {
  const [row] = await driver.database.query<{ forward_extremities: string }>('SELECT forward_extremities FROM rooms WHERE room_id = ?', [roomId]);
  return JSON.parse(row!.forward_extremities) as string[];
}
