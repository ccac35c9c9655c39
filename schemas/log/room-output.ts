/** Types of `room-output.proto`. */
export interface StateChange {
  type: string;
  stateKey: string;
  /** Empty: the key was removed from the state. */
  eventId: string;
  /** Event that stood there before; empty: none. */
  replaces: string;
  /** That `eventId` sets, for m.room.member; else empty. */
  membership?: string;
  /** That `replaces` had set; empty: none. */
  replacedMembership?: string;
}

export interface RoomEvent {
  eventId: string;
  /** The PDU as stored by the owner: JSON with hashes and signatures. */
  pdu: Uint8Array;
  /** Place in the room's timeline: live events count up from 1, history from before counts down from -1; 0: none, clients are not shown the event, only what it changes. */
  orderKey: number;
  stateDelta: StateChange[];
  historyVisibility: string;
  deviceId: string;
  txnId: string;
  softFailedAccepted: boolean;
  stateBeforeDiffers: boolean;
  /** Event that this one redacts with the right to do so; empty: none. */
  redacts: string;
  /** Server whose event this server passes on to the others in the room; empty: none. */
  relayOf?: string;
  /** Of history: its readers are those of the record with this sequence number or later ones; 0 or absent: none but by a membership of their own. */
  historyAt?: number;
  /** Redaction that came before it: `pdu` is what it has left; empty: none. */
  redactedBy?: string;
}

export interface ReceiptSet {
  userId: string;
  receiptType: string;
  eventId: string;
  threadId?: string | null;
  ts: number;
}

/** Part of a current state that came whole: this server has joined the room. */
export interface StateSlice {
  /** What was the room's state before is void. */
  reset: boolean;
  changes: StateChange[];
  /** Of the changes, in their order. */
  pdus: Uint8Array[];
}

/** A membership of a user here in a room that this server is not in: an invite, or that it is over. */
export interface OutsideMembership {
  userId: string;
  membership: string;
  eventId: string;
  pdu: Uint8Array;
  /** JSON list. */
  strippedState: Uint8Array;
}

export interface MissingEvents {
  origin: string;
  eventId: string;
  earliest: string[];
  minDepth: number;
  lacking?: string[];
}

/** Of `EventAuth` and `StateAt`. */
export interface AboutEvent {
  origin: string;
  eventId: string;
}

export interface SignInvite {
  destination: string;
  eventId: string;
  pdu: Uint8Array;
  /** JSON list. */
  strippedState: Uint8Array;
  /** That has to sign it first; absent: none. */
  policy?: PolicyServer | null;
}

/** The policy server of a room, as its state says. */
export interface PolicyServer {
  serverName: string;
  /** Base64. */
  publicKey: string;
}

export interface AskPolicy {
  policy?: PolicyServer | null;
  eventId: string;
  pdu: Uint8Array;
  /** It was made here, and a user waits. */
  isOurs: boolean;
}

export interface RemoteMembership {
  userId: string;
  membership: string;
  via: string[];
  /** JSON object. */
  content: Uint8Array;
}

/** What precedes the oldest events that are known here. */
export interface Backfill {
  via: string[];
  /** Events that are not here: they are asked for, and what precedes them. */
  eventIds: string[];
  limit: number;
}

/** The state before a join which had to go without its members. */
export interface WholeState {
  via: string[];
  /** The join. */
  eventId: string;
}

/** Something that only another server can give; exactly one of the kinds is set. */
export interface Need {
  needId: string;
  /** Wall-clock ms after which nobody waits. */
  deadlineMs: number;
  missingEvents?: MissingEvents | null;
  eventAuth?: AboutEvent | null;
  stateAt?: AboutEvent | null;
  signInvite?: SignInvite | null;
  remoteMembership?: RemoteMembership | null;
  backfill?: Backfill | null;
  askPolicy?: AskPolicy | null;
  wholeState?: WholeState | null;
}

/** A user here who has left wants to hear nothing more of the room, until their next membership. */
export interface Forgotten {
  userId: string;
}

/** The beginning of the room's timeline has gone. */
export interface HistoryPurged {
  /** Up to this place. */
  toOrderKey: number;
  /** Newest record whose event has gone; 0 or absent: the reader sees by itself. */
  toSequence?: number;
}

/** In which lists of the room directory the room stands from now on. */
export interface RoomPublished {
  /** Of application services; the empty one is this server's own list. */
  networks: string[];
}

/** After a join the members of the room are not known yet; or (`ended`) they are, or will not be. */
export interface RoomPartial {
  /** That are in the room meanwhile, as the server says that let this one in. */
  servers: string[];
  ended: boolean;
}

/** Exactly one of the kinds is set. */
export interface RoomOutput {
  roomId: string;
  roomVersion: string;
  inputId: string;
  traceId: string;
  event?: RoomEvent | null;
  receipt?: ReceiptSet | null;
  stateSlice?: StateSlice | null;
  outsideMembership?: OutsideMembership | null;
  need?: Need | null;
  historyPurged?: HistoryPurged | null;
  forgotten?: Forgotten | null;
  published?: RoomPublished | null;
  partial?: RoomPartial | null;
}
