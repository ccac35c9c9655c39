/** Types of `room-input.proto`; `pkg/log/codec.ts` encodes and decodes them. */
export interface DraftEvent {
  type: string;
  /** Absent (null after decoding) for events that are not state. */
  stateKey?: string | null;
  /** JSON object. */
  content: Uint8Array;
  redacts?: string | null;
}

export interface CreateRoom {
  roomVersion: string;
  sender: string;
  createEvent: Uint8Array;
  events: DraftEvent[];
  /** Reserved for the room, which is made only while the reservation stands. */
  alias?: string;
  /** It stands in this server's room directory from the beginning. */
  published?: boolean;
}

export interface SendEvent {
  sender: string;
  deviceId: string;
  txnId: string;
  event: DraftEvent;
  /** Servers to ask, in this order, when this one is not in the room. */
  via?: string[];
  /** The sender has a guest's account. */
  isGuest?: boolean;
  /** Of a member event: what the user must be in the room, or it is refused; empty or absent: anything. */
  onlyFrom?: string[];
  /** The sender is an administrator of this server, who may redact what its users have said. */
  byAdmin?: boolean;
}

export interface SetReceipt {
  userId: string;
  receiptType: string;
  eventId: string;
  threadId?: string | null;
  ts: number;
}

export interface SetTyping {
  userId: string;
  typing: boolean;
  timeoutMs: number;
}

/** An event of another server, whose form, signatures and hash its writer has checked. */
export interface ReceivePdu {
  eventId: string;
  /** Canonical JSON without `unsigned`. */
  pdu: Uint8Array;
  /** Server that gave it. */
  origin: string;
  /** It was fetched for this need; empty: its origin sent it. */
  needId: string;
  /** This server passes it on to the others in the room (send_join, send_leave). */
  relay: boolean;
}

export interface ReceiveInvite {
  eventId: string;
  pdu: Uint8Array;
  origin: string;
  roomVersion: string;
  /** JSON list. */
  strippedState: Uint8Array;
}

export interface ImportState {
  needId: string;
  stageId: string;
  /** First ordinal; 0: the first slice. */
  from: number;
  /** After the last ordinal. */
  to: number;
  /** The state becomes the room's current one (a join); otherwise its events are only known from then on. */
  current: boolean;
  roomVersion: string;
  /** What the state that a join brought lacks of it becomes part of that state, and of the current one. */
  completes?: boolean;
}

/** From the owner itself: a join has brought the room's state without its members. */
export interface CompleteRoom {
  /** Of the record that told of that join. */
  sequence: number;
}

/** From the owner itself: joins forward extremities that have become many. */
export interface JoinBranches {
  extremitiesMax: number;
}

/** From the owner itself: states that nothing seemed to refer to. */
export interface CollectStates {
  /** Counting down. */
  stateIds: number[];
}

/** What the operator wants: the history before a point goes. */
export interface PurgeHistory {
  /** The first event that stays; empty: `beforeTs` says. */
  eventId: string;
  /** Wall-clock ms of the first event that stays. */
  beforeTs: number;
}

/** From the owner itself: the next events of a purge. */
export interface PurgeSlice {
  /** Input ID of the `PurgeHistory`. */
  purgeId: string;
  afterOrderKey: number;
}

/** What became of a need. */
export interface Answer {
  needId: string;
  /** 200: fulfilled; else the HTTP status for whoever waits. */
  status: number;
  errcode: string;
  error: string;
  /** Server that fulfilled it. */
  origin: string;
  eventId: string;
  /** The invite, join, leave or knock, signed by all who must sign it. */
  pdu: Uint8Array;
  /** Empty: no state belongs to it. */
  stageId: string;
  roomVersion: string;
  /** JSON list: what the server that took a knock tells of the room; empty or absent: nothing. */
  strippedState?: Uint8Array;
  /** JSON object: what a refusal says beside `errcode` and `error`; empty or absent: nothing. */
  errorFields?: Uint8Array;
  /** Of a join: the state lacks its members, which are to be fetched later. */
  membersOmitted?: boolean;
  /** Then: servers that are in the room. */
  serversInRoom?: string[];
}

/** Points an alias of this server to a room. */
export interface SetAlias {
  roomId: string;
  userId: string;
  /** Wall-clock ms until which the room comes into being; 0: it is there. */
  reservedUntilMs: number;
  /** Room that it points to so far; empty: it must be free. */
  movedFrom: string;
}

export interface DeleteAlias {
  /** That it points to. */
  roomId: string;
  /** Only while that room does not exist. */
  reservedOnly: boolean;
}

/** The name or picture of a user here has changed. */
export interface RefreshMember {
  userId: string;
  /** JSON object: displayname and avatar_url, where they are set. */
  profile: Uint8Array;
}

/** Puts a room into a list of the room directory, or takes it out. */
export interface SetRoomVisibility {
  isPublic: boolean;
  /** Of an application service; empty: this server's own list. */
  network: string;
}

/** Replaces a room by a new one. */
export interface UpgradeRoom {
  sender: string;
  newRoomId: string;
  newRoom: CreateRoom | null;
}

/** The end of an upgrade. */
export interface FinishUpgrade {
  /** Input ID of the `UpgradeRoom`. */
  upgradeId: string;
  /** JSON object: what whoever asked for it is answered, or `{refusal}`. */
  resultJson: string;
}

/** A reader has come to the oldest event that is known here, and wants what precedes it: at most `limit` events. */
export interface FetchHistory {
  limit: number;
}

/** A user who has left wants to know nothing more of the room. */
export interface ForgetRoom {
  userId: string;
}

/** What every input carries, in both input logs. */
export interface InputHeader {
  inputId: string;
  /** Signal channel for the outcome; empty when nobody waits. */
  replyTo: string;
  /** Wall-clock ms after which the owner drops the command; 0: never. */
  deadlineMs: number;
  traceId: string;
}

/** Exactly one of the kinds is set. */
export interface RoomInput extends InputHeader {
  originServerTs: number;
  /** The key; of `setAlias` and `deleteAlias` the alias. */
  roomId: string;
  createRoom?: CreateRoom | null;
  sendEvent?: SendEvent | null;
  setReceipt?: SetReceipt | null;
  setTyping?: SetTyping | null;
  receivePdu?: ReceivePdu | null;
  receiveInvite?: ReceiveInvite | null;
  importState?: ImportState | null;
  answer?: Answer | null;
  joinBranches?: JoinBranches | null;
  collectStates?: CollectStates | null;
  purgeHistory?: PurgeHistory | null;
  purgeSlice?: PurgeSlice | null;
  completeRoom?: CompleteRoom | null;
  setAlias?: SetAlias | null;
  deleteAlias?: DeleteAlias | null;
  upgradeRoom?: UpgradeRoom | null;
  finishUpgrade?: FinishUpgrade | null;
  forgetRoom?: ForgetRoom | null;
  fetchHistory?: FetchHistory | null;
  setRoomVisibility?: SetRoomVisibility | null;
  refreshMember?: RefreshMember | null;
}
