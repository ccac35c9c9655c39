/** What a database is filled with. */
export interface RoomsWish {
  readonly rooms: number;
  /** Of each room. */
  readonly events: number;
}

export const ROOM_VERSION = '11';

/** Events of a room: messages, memberships, state, and branches of users of 60 servers. */
const EVENTS_OF_A_ROOM = 500;

export function roomsOf(events: number): RoomsWish {
  return { rooms: Math.ceil(events / EVENTS_OF_A_ROOM), events: Math.min(events, EVENTS_OF_A_ROOM) };
}
