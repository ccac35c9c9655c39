/**
 * States of rooms that the federationapi has fetched from another server and checked event by event (form, signatures, content hash), for the roomserver to import; fulfilled by
 * `components/federationapi/query` over the shared database.
 */
export interface StagedEvent {
  readonly eventId: string;
  /** Whether it is in the state itself; otherwise only in its auth chain. */
  readonly inState: boolean;
  /** Canonical JSON without `unsigned`. */
  readonly pdu: Uint8Array;
}

/** The events of a stage have ordinals from 0, without holes; an event's auth events come before it. */
export interface StagedState {
  /** The events with ordinals from `from` up to `to` (exclusive), in order. */
  slice(stageId: string, from: number, to: number): Promise<StagedEvent[]>;
  /** IDs of the events in the state itself; events that were known here before are among them. */
  stateIds(stageId: string): Promise<string[]>;
}
