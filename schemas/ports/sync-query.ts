/** Read-only questions to the syncapi's read model; fulfilled by `components/syncapi/query`. */
export interface SyncQuery {
  /** `join`, `invite`, `leave`, `ban`, `knock` or undefined (never in the room). */
  membership(roomId: string, userId: string): Promise<string | undefined>;
  /** Rooms that the user is joined to. */
  joinedRooms(userId: string): Promise<string[]>;
}
