/** Types of `room-output.proto`. */
export interface StateChange {
  type: string;
  stateKey: string;
  /** Empty: the key was removed from the state. */
  eventId: string;
  /** Event that stood there before; empty: none. */
  replaces: string;
}

export interface RoomEvent {
  eventId: string;
  /** The PDU as stored by the owner: JSON with hashes and signatures. */
  pdu: Uint8Array;
  /** Place in the room's timeline: live events count up from 1. */
  orderKey: number;
  stateDelta: StateChange[];
  historyVisibility: string;
  deviceId: string;
  txnId: string;
  softFailedAccepted: boolean;
  stateBeforeDiffers: boolean;
  /** Event that this one redacts with the right to do so; empty: none. */
  redacts: string;
}

export interface ReceiptSet {
  userId: string;
  receiptType: string;
  eventId: string;
  threadId?: string | null;
  ts: number;
}

/** Exactly one of the kinds is set. */
export interface RoomOutput {
  roomId: string;
  roomVersion: string;
  inputId: string;
  traceId: string;
  event?: RoomEvent | null;
  receipt?: ReceiptSet | null;
}
