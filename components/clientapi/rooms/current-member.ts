/** A user's membership as the room's owner has it. */
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';

export interface CurrentMember {
  readonly membership: string;
  /** Who set it. */
  readonly sender: string;
  /** Of the event, in ms. */
  readonly ts: number;
  readonly content: Readonly<Record<string, unknown>>;
}

/** undefined when the user has no member event in the room, or there is no such room. */
export async function currentMember(roomQuery: Pick<RoomQuery, 'currentState'>, roomId: string, userId: string): Promise<CurrentMember | undefined> {
  const [event] = await roomQuery.currentState(roomId, [['m.room.member', userId]]);
  if (event === undefined) return undefined;
  const { content, sender, origin_server_ts: ts } = JSON.parse(Buffer.from(event.pdu).toString()) as { content: Record<string, unknown>; sender: string; origin_server_ts: number };
  return { membership: String(content['membership']), sender, ts, content };
}
