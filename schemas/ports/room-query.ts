/** Read-only questions to the roomserver's tables; fulfilled by `components/roomserver/query` over the shared database. */
export interface StoredEvent {
  readonly eventId: string;
  readonly roomId: string;
  readonly roomVersion: string;
  /** The PDU as stored: JSON with hashes and signatures; already redacted when the event was redacted. */
  readonly pdu: Uint8Array;
  /** Event ID of the redaction that was applied, if any. */
  readonly redactedBy: string | null;
  readonly orderKey: number;
}

export interface RoomQuery {
  /** The events of these IDs that exist, in no order; rejected ones and those without a room left out. */
  eventsById(eventIds: readonly string[]): Promise<StoredEvent[]>;
  /** Current state events under these (type, state key) pairs; all of the state with `keys` undefined. */
  currentState(roomId: string, keys?: readonly (readonly [type: string, stateKey: string])[]): Promise<StoredEvent[]>;
  /** undefined when this server does not know the room. */
  roomVersion(roomId: string): Promise<string | undefined>;
}
