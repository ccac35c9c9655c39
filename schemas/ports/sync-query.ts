/** Read-only questions to the syncapi's read model; fulfilled by `components/syncapi/query`. */
export interface SyncQuery {
  /** `join`, `invite`, `leave`, `ban`, `knock` or undefined (never in the room). */
  membership(roomId: string, userId: string): Promise<string | undefined>;
  /** Rooms that the user is joined to. */
  joinedRooms(userId: string): Promise<string[]>;
  /** By user ID, the rooms that these users are joined to which have at most `membersMax` members; users without any are left out. */
  joinedRoomsOf(userIds: readonly string[], membersMax: number): Promise<Map<string, string[]>>;
  /** By room ID, what the user is in rooms now, but for `leave`; also in those that this server is not in. */
  standing(userId: string): Promise<Map<string, string>>;
  /** Rooms that the user is joined to or invited to, or has knocked on, also those that this server is not in, with the event by which that is so; at most `limit`, in no order. */
  presences(userId: string, limit: number): Promise<{ readonly roomId: string; readonly eventId: string }[]>;
  /** Invites of the user into rooms that this server is not in. */
  pendingInvites(userId: string): Promise<number>;
  /** By room ID, how many users are joined to these rooms; rooms that are not known are left out. */
  joinedCounts(roomIds: readonly string[]): Promise<Map<string, number>>;
  /** Rooms that both users are joined to, by ID: those after `after`, at most `limit`; and how many there are in all. */
  mutualRooms(users: readonly [string, string], page: { readonly after: string; readonly limit: number }): Promise<{ readonly roomIds: string[]; readonly count: number }>;
  /** A page of the room directory. Throws `RangeError` for a `since` that it has not given out. */
  publicRooms(wish: PublicRoomsWish): Promise<PublicRoomsPage>;
}

export interface PublicRoomsWish {
  /** At least 1. */
  readonly limit: number;
  /** A token of another page. */
  readonly since?: string | undefined;
  /** Rooms of this server's own list by default. */
  readonly list?: 'all' | { readonly network: string } | undefined;
  /** Part of a name, topic or alias. */
  readonly search?: string | undefined;
  /** null: rooms without a type. */
  readonly roomTypes?: readonly (string | null)[] | undefined;
}

/** Wire object (Client-Server API, `PublicRoomsResponse`). */
export interface PublicRoomsPage {
  readonly chunk: readonly Readonly<Record<string, unknown>>[];
  readonly next_batch?: string;
  readonly prev_batch?: string;
  readonly total_room_count_estimate?: number;
}
