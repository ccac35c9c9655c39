/** Types of the rows, and the few values that all statements share. */

/** `to_sequence` of what is current. */
export const OPEN = Number.MAX_SAFE_INTEGER;

/** The JSON text of [room ID, type, state key]. */
export function slotOf(roomId: string, type: string, stateKey: string): string {
  return JSON.stringify([roomId, type, stateKey]);
}

/** State key of a slot. */
export function stateKeyOfSlot(slot: string): string {
  return (JSON.parse(slot) as [string, string, string])[2];
}

/** PostgreSQL has no NUL in text; such types and keys are only compared here, so a stand-in serves (slots escape it by themselves). */
export function storable(text: string): string {
  return text.includes('\u0000') ? text.replaceAll('\u0000', '\uFFFD') : text;
}

export type RoomRow = {
  room_id: string;
  version: string;
  partition_number: number;
  last_sequence: number;
  last_order_key: number;
  joined_count: number;
  invited_count: number;
  history_visibility: string;
};

export type TimelineRow = {
  room_id: string;
  order_key: number;
  event_id: string;
  partition_number: number;
  sequence: number;
  type: string;
  sender: string;
  state_key: string | null;
  /** Event that stood in the state before this one; empty: none, or no state event. */
  replaces: string;
  device_id: string;
  txn_id: string;
  history_visibility: string;
  /** Of m.room.history_visibility events: what held before; else empty. */
  visibility_before: string;
  has_url: number;
  /** 1: what the reader was at the event is not told by the intervals, but by its owner. */
  state_before_differs: number;
  /** 1: with it, the state changed in more than what it sets itself. */
  others_changed: number;
  /** Of history: its readers are those of the record with this sequence number, or of later ones; 0: nobody. */
  history_at: number;
  /** Sender who had their account erased: JSON list, how far the partitions of rooms were then. null: not erased. */
  erased_at?: string | null;
};

/** A row with what its reader was just before it, where the intervals do not tell. */
export type SeenRow = TimelineRow & { readonly membership_before?: string };

export const TIMELINE_COLUMNS = `t.room_id, t.order_key, t.event_id, t.partition_number, t.sequence, t.type, t.sender, t.state_key, t.replaces,
  t.device_id, t.txn_id, t.history_visibility, t.visibility_before, t.has_url, t.state_before_differs, t.others_changed, t.history_at,
  (SELECT e.room_sequences FROM erased_users e WHERE e.user_id = t.sender) AS erased_at`;

export type StateRow = {
  slot: string;
  from_sequence: number;
  to_sequence: number;
  room_id: string;
  type: string;
  event_id: string;
};

export type MembershipRow = {
  user_id: string;
  room_id: string;
  from_sequence: number;
  to_sequence: number;
  membership: string;
  event_id: string;
  partition_number: number;
  /** Sequence at which the user forgot the room; 0: not. */
  forgotten_at: number;
};

/** What another server said of a user here in a room that this one was not in. */
export type OutsideRow = {
  user_id: string;
  room_id: string;
  partition_number: number;
  sequence: number;
  membership: string;
  event_id: string;
  forgotten_at: number;
};

/** With all that a client is told of it. */
export type OutsideDetail = OutsideRow & { room_version: string; pdu: Uint8Array; stripped_state: Uint8Array };

export type ReceiptRow = {
  room_id: string;
  user_id: string;
  receipt_type: string;
  thread_id: string;
  event_id: string;
  ts: number;
  sequence: number;
};

export type AccountDataRow = { room_id: string; type: string; content: string; sequence: number };
