/** What `decide` hands to `commit`: plain values, one set for each accepted input. */
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';

/** A change of one key of the room's state, made by one event. */
export interface StateStep {
  readonly type: string;
  readonly stateKey: string;
  /** Event that stood there before. */
  readonly replaces: string | undefined;
  readonly prevStateId: number;
  readonly depth: number;
}

export interface NewEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
  /** The PDU as JSON in UTF-8: what is stored, and what the output record carries. */
  readonly bytes: Uint8Array;
  readonly orderKey: number;
  readonly sequence: number;
  /** The room's state after the event. */
  readonly stateId: number;
  readonly step: StateStep | undefined;
  readonly historyVisibility: string;
  readonly deviceId: string;
  readonly txnId: string;
  /** Event that this one redacts, with the right to do so. */
  readonly redacts: string | undefined;
}

/** An event that loses its content; its stored bytes are replaced. */
export interface Redaction {
  readonly eventId: string;
  readonly redactedBy: string;
  readonly bytes: Uint8Array;
}

/** The row of a room after an input. */
export interface RoomRow {
  readonly roomId: string;
  readonly roomVersion: string;
  readonly partition: number;
  readonly creator: string;
  readonly createEventId: string;
  readonly orderKey: number;
  readonly depth: number;
  readonly stateId: number;
  readonly stateDepth: number;
  readonly extremities: readonly string[];
}

export interface ReceiptRow {
  readonly roomId: string;
  readonly userId: string;
  readonly receiptType: string;
  /** Empty: unthreaded. */
  readonly threadId: string;
  readonly eventId: string;
  readonly orderKey: number;
  readonly ts: number;
  readonly sequence: number;
}

export interface TypingChange {
  readonly roomId: string;
  readonly userId: string;
  readonly typing: boolean;
  readonly timeoutMs: number;
}

export interface RoomEffects {
  readonly inputId: string;
  /** Absent when no event was made. */
  readonly room?: RoomRow;
  readonly events: readonly NewEvent[];
  readonly redactions: readonly Redaction[];
  readonly receipt?: ReceiptRow;
  /** Soft: told to the readers after the commit. */
  readonly typing?: TypingChange;
}
