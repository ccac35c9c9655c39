/** What a user may do in a room, as the room's owner has it now. */
import { requiredPower, roomPower, userPower } from '../../../pkg/matrix/auth/power-levels.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';

/** Whether the user is joined to the room and may send state events of the type. */
export async function maySetState(roomQuery: Pick<RoomQuery, 'currentState'>, roomId: string, wish: { userId: string; type: string }): Promise<boolean> {
  const events = await roomQuery.currentState(roomId, [['m.room.create', ''], ['m.room.power_levels', ''], ['m.room.member', wish.userId]]);
  const pdus = events.map((event) => JSON.parse(Buffer.from(event.pdu).toString()) as Pdu);
  const version = roomVersion(events[0]?.roomVersion ?? '');
  if (version === undefined || pdus.find(({ type }) => type === 'm.room.member')?.content.membership !== 'join') return false;
  const power = roomPower((type) => pdus.find((pdu) => pdu.type === type), version);
  return userPower(power, wish.userId) >= requiredPower(power, wish.type, true);
}
