/** What `load` shows `decide`: everything that the inputs of one batch may ask for, and what earlier inputs of the batch have done to it. */
import { stateRef } from '../storage/refs.ts';
import { knowsState, membershipOf, type RoomHead } from './room-head.ts';

/** An event that an input refers to: to redact it, or to put a receipt on it. */
export interface KnownEvent {
  readonly eventId: string;
  readonly roomId: string;
  readonly type: string;
  readonly sender: string;
  readonly orderKey: number;
  readonly redacted: boolean;
  /** The stored PDU. */
  readonly bytes: Uint8Array;
}

export interface Picture {
  readonly heads: Map<string, RoomHead>;
  /** By event ID; an event that is missing does not exist. */
  readonly events: Map<string, KnownEvent>;
  /** Event IDs that inputs of the batch refer to. */
  readonly wanted: ReadonlySet<string>;
  /** Order key of the event that a receipt stands on, by `receiptRef`. */
  readonly receipts: Map<string, number>;
  /** State references of memberships of other rooms that are `join`. */
  readonly joinedElsewhere: ReadonlySet<string>;
  /** By room ID: local members who may be able to authorise a restricted join. */
  readonly authorisers: ReadonlyMap<string, readonly string[]>;
}

export const EMPTY_PICTURE: Picture = {
  heads: new Map(), events: new Map(), wanted: new Set(), receipts: new Map(), joinedElsewhere: new Set(), authorisers: new Map(),
};

/** Whether the user is joined to the room, as far as this owner can see: by the head where it is in memory, else as the tables had it. */
export function isJoinedTo(picture: Picture, roomId: string, userId: string): boolean {
  const head = picture.heads.get(roomId);
  if (head !== undefined && knowsState(head, 'm.room.member', userId)) return membershipOf(head, userId) === 'join';
  return picture.joinedElsewhere.has(stateRef(roomId, 'm.room.member', userId));
}
