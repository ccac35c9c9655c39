/** Read-only questions to the roomserver's tables; fulfilled by `components/roomserver/query` over the shared database. */
export interface StoredEvent {
  readonly eventId: string;
  readonly roomId: string;
  readonly roomVersion: string;
  /** The PDU as stored: JSON with hashes and signatures; already redacted when the event was redacted. */
  readonly pdu: Uint8Array;
  /** Event ID of the redaction that was applied, if any. */
  readonly redactedBy: string | null;
  /** Place in the room's timeline; null: clients are not shown it (it failed softly, or is known only as part of a state or an auth chain). */
  readonly orderKey: number | null;
}

export interface RoomQuery {
  /** The events of these IDs that exist, in no order; rejected ones and those without a room left out. */
  eventsById(eventIds: readonly string[]): Promise<StoredEvent[]>;
  /** Current state events under these (type, state key) pairs; all of the state with `keys` undefined. */
  currentState(roomId: string, keys?: readonly (readonly [type: string, stateKey: string])[]): Promise<StoredEvent[]>;
  /** Current state events of several rooms under these (type, state key) pairs, in no order. */
  currentStates(roomIds: readonly string[], keys: readonly (readonly [type: string, stateKey: string])[]): Promise<StoredEvent[]>;
  /** The `m.space.child` events in the current states of these rooms, in no order. */
  spaceChildren(roomIds: readonly string[]): Promise<StoredEvent[]>;
  /** Those of the rooms that a user of the server is in now by one of these memberships. */
  roomsWith(roomIds: readonly string[], serverName: string, memberships: readonly string[]): Promise<Set<string>>;
  /** Those of the events that this server knows, whatever it thinks of them: also rejected ones and those without a place in the room's graph. */
  knownEventIds(eventIds: readonly string[]): Promise<Set<string>>;
  /** Those of the events that have their place in the graph of their room, or as history before it, also rejected ones: what is known as part of a state only has none, and still may come. */
  placedEventIds(eventIds: readonly string[]): Promise<Set<string>>;
  /** What the next event of the room would follow; undefined when this server does not know the room. */
  roomTip(roomId: string): Promise<RoomTip | undefined>;
  /** Whether a user of the server is joined to the room now. */
  hasJoinedMember(roomId: string, serverName: string): Promise<boolean>;
  /** Some of the users of the server that are joined to the room now, at most `limit`. */
  someJoinedMembers(roomId: string, serverName: string, limit: number): Promise<string[]>;
  /** The member events of users who are banned now, by user ID, at most `limit`. Reads through all memberships of the room. */
  bannedMembers(roomId: string, limit: number): Promise<StoredEvent[]>;
  /** undefined when this server does not know the room. */
  roomVersion(roomId: string): Promise<string | undefined>;
  /** Whether this server has joined the room without hearing who is in it, and has not heard of all members since. */
  lacksMembers(roomId: string): Promise<boolean>;
  /** What a user here last was in a room by what other servers said while this one was not in it; undefined: nothing was said. */
  outsideMembership(roomId: string, userId: string): Promise<OutsideMember | undefined>;
  /** The room that an alias of this server points to, if there is one. */
  alias(alias: string): Promise<RoomAlias | undefined>;
  /** The aliases of this server that point to the room, sorted. */
  aliasesOf(roomId: string): Promise<string[]>;
  /** Whether the room stands in this server's own list of the room directory. */
  isPublished(roomId: string): Promise<boolean>;
  /** Some of the servers that are in the room now, at most `limit`, sorted. */
  someServers(roomId: string, limit: number): Promise<string[]>;
}

export interface RoomAlias {
  readonly roomId: string;
  /** User who made it. */
  readonly creator: string;
}

export interface OutsideMember {
  /** invite, leave, knock. */
  readonly membership: string;
  /** Of the member event: who invited. */
  readonly sender: string;
  readonly roomVersion: string;
  /** Server that told of it or took it; empty: nobody did. */
  readonly origin: string;
}

/** The room's end of the graph, for events that another server makes with our help (make_join, make_leave). */
export interface RoomTip {
  readonly roomVersion: string;
  /** The room's forward extremities. */
  readonly extremities: readonly string[];
  /** Of the deepest of them. */
  readonly depth: number;
}

/** State before an event (what it was sent into), or after it. The same for everything but state events. */
export type StateSide = 'before' | 'after';

/** What other servers ask about: a room's events as a graph, and its state at any of them. Events that are unknown or rejected are as if they did not exist. */
export interface RoomHistoryQuery {
  /** The event IDs of the state at each of these events, by event ID. */
  stateIdsAt(eventIds: readonly string[], side: StateSide): Promise<Map<string, readonly string[]>>;
  /** The state at one event, or of it the entries under these (type, state key) pairs; undefined when there is no such event. */
  stateAt(eventId: string, side: StateSide, keys?: readonly (readonly [type: string, stateKey: string])[]): Promise<StoredEvent[] | undefined>;
  /**
   * The auth events of these events, theirs, and so on, without the given ones unless they are among them. At most `limit` IDs; `complete` says whether that was all
   * that is stored. The create event is always among them, also in room versions whose events do not name it.
   */
  authChain(eventIds: readonly string[], limit: number): Promise<{ readonly eventIds: readonly string[]; readonly complete: boolean }>;
  /**
   * What precedes `latest` in the room and does not precede `earliest`: walks `prev_events` breadth first, without going through `earliest` or
   * below `minDepth`. The nearest `limit` of them, by depth, the deepest last (server-server: POST /get_missing_events).
   */
  missingEvents(wish: MissingEventsWish): Promise<StoredEvent[]>;
  /** These events of the room and what precedes them, the deepest first, at most `limit` (server-server: GET /backfill). */
  backfill(wish: { readonly roomId: string; readonly from: readonly string[]; readonly limit: number }): Promise<StoredEvent[]>;
  /** The state before a join without its members, for a server that fetches these later; undefined when there is no such event. */
  partialStateBefore(eventId: string, joinerId: string): Promise<PartialState | undefined>;
  /** Servers with a joined member now, sorted. */
  joinedHosts(roomId: string): Promise<string[]>;
  /** Servers with a joined member in the state at the event, sorted; undefined when there is no such event. */
  joinedHostsAt(eventId: string, side: StateSide): Promise<string[] | undefined>;
  /** Which of these events a server may see by the history visibility at each of them (client-server: "Room History Visibility"); whether it may ask is not looked at. */
  visibleToServer(serverName: string, eventIds: readonly string[]): Promise<Set<string>>;
  /** Which of these events a user may see by the history visibility and their membership at each of them, and by whether they have joined since; events without a known state are not among them. */
  visibleToUser(userId: string, eventIds: readonly string[]): Promise<Set<string>>;
  /**
   * The event of the room nearest to a time (wall-clock ms), at it or after (`f`) or before (`b`); among events of the same time the first (`f`) or the last (`b`)
   * (server-server: GET /timestamp_to_event).
   */
  timestampToEvent(roomId: string, ts: number, direction: 'f' | 'b'): Promise<{ readonly eventId: string; readonly originServerTs: number } | undefined>;
  /**
   * A name for where the room's history ends that is known here, while servers in the room may know more; another one once more has come, or was asked for in vain. undefined: all of it is here, was
   * purged, or cannot be had.
   */
  historyEnd(roomId: string): Promise<string | undefined>;
  /** The membership of a user at each of these events, by event ID; `leave` for who never was in the room. */
  membershipsAt(userId: string, eventIds: readonly string[], side: StateSide): Promise<Map<string, string>>;
}

/** Event IDs (server-server: PUT /send_join, `omit_members`). */
export interface PartialState {
  /** Of the state but for the memberships in it. */
  readonly eventIds: readonly string[];
  /** Memberships that tell what a room without a name is called. */
  readonly heroes: readonly string[];
}

export interface MissingEventsWish {
  readonly roomId: string;
  readonly latest: readonly string[];
  readonly earliest: readonly string[];
  readonly limit: number;
  readonly minDepth: number;
}
