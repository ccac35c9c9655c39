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
}

export interface SendEvent {
  sender: string;
  deviceId: string;
  txnId: string;
  event: DraftEvent;
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
  roomId: string;
  createRoom?: CreateRoom | null;
  sendEvent?: SendEvent | null;
  setReceipt?: SetReceipt | null;
  setTyping?: SetTyping | null;
}
