/** What `decide` hands to `commit`: plain values, one set for each accepted input. */
import type { InputPlace } from '../../../pkg/log/processor.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { PurgeRow } from '../upkeep/purge-row.ts';
import type { AliasRow } from '../aliases/alias-row.ts';
import type { PartialChange } from '../partial/partial-row.ts';
import type { UpgradeRow } from '../upgrade/upgrade-row.ts';

/** What upkeep does to the tables beside the rows of events and states (`upkeep/`). */
export interface UpkeepEffects {
  /** States, counting down; those of them go that nothing refers to. */
  readonly collected?: readonly number[];
  /** A purge of the room's history that begins. */
  readonly purge?: PurgeRow;
  readonly purged?: PurgedSlice;
}

/** Events of the timeline that go, and when that was the end of the purge (wall-clock ms, 0: not yet), if no more is left of what clients never saw. */
export interface PurgedSlice {
  readonly afterOrderKey: number;
  readonly toOrderKey: number;
  readonly finishedAt: number;
  /** Of the record that tells of it. */
  readonly sequence: number;
}

/** A state event at its place in a room's state. */
export interface StateEntry {
  readonly eventId: string;
  readonly pdu: Pdu;
}

/** What one key of a state has now, and what it had before; undefined: nothing. */
export interface StateStep {
  readonly type: string;
  readonly stateKey: string;
  readonly entry: StateEntry | undefined;
  readonly replaces: StateEntry | undefined;
}

/** A state of the room that there was not before, as its difference to another one. State IDs count up within the room. */
export interface NewState {
  readonly stateId: number;
  readonly prevStateId: number;
  /** Steps to the empty state. */
  readonly depth: number;
  /** Whether it becomes the current state, whose predecessor is then the current state so far: its steps are told to the readers. */
  readonly isCurrent: boolean;
  readonly steps: readonly StateStep[];
}

export interface NewEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
  /** The PDU as JSON in UTF-8: what is stored, and what the output record carries. */
  readonly bytes: Uint8Array;
  /**
   * `local`: made here. `received`: from another server, in its place in the graph; it takes the place of an outlier of the same ID. `outlier`: known as part of a state or an auth
   * chain only; it changes nothing when the event is known already. `history`: from before what is known of the room, an outlier that finds its place in the timeline, but none in the graph.
   * `redeemed`: it was softly failed, and is in its place in the graph; now clients are shown it.
   */
  readonly kind: 'local' | 'received' | 'outlier' | 'history' | 'redeemed';
  readonly verdict: 'accepted' | 'softFailed' | 'rejected';
  /** Place in the timeline, below 0 for history; null: clients do not see it. */
  readonly orderKey: number | null;
  /** Of the record that announces it; null: none does. */
  readonly sequence: number | null;
  /** The state after the event on its own branch of the graph; null: not known (an outlier). */
  readonly stateId: number | null;
  /** New states that came with it: before it (where branches meet), after it, and the room's current one, as far as these differ. */
  readonly states: readonly NewState[];
  readonly historyVisibility: string;
  readonly deviceId: string;
  readonly txnId: string;
  /** Event that this one redacts, with the right to do so. */
  readonly redacts: string | undefined;
  /** A redaction whose event has no place here yet. `byPower`: its sender may redact anybody's. */
  readonly waitsFor?: { readonly eventId: string; readonly byPower: boolean };
  /** Redaction that came before it: `pdu` and `bytes` are what it has left. */
  readonly redactedBy?: string;
  /** Whether the state before it is not the room's current state. */
  readonly stateBeforeDiffers: boolean;
  /** Of the events that it follows, those that have no place here (yet). */
  readonly unplacedPrevs?: readonly string[];
  /** Of history: see `RoomEvent.historyAt`. */
  readonly historyAt?: number;
  /** Server whose event this server passes on to the others in the room; empty: none. */
  readonly relayOf: string;
}

/** An event that loses its content; its stored bytes are replaced. */
export interface Redaction {
  readonly eventId: string;
  readonly redactedBy: string;
  readonly bytes: Uint8Array;
  /** The redaction came before the event that it redacts. */
  readonly isEarly?: true;
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
  /** The highest state ID that was given out; that of a side branch may lie above the current one. */
  readonly lastStateId: number;
  readonly extremities: readonly string[];
  /** Events up to this depth were purged; read with the row, and not written with it. Absent: none. */
  readonly purgedDepth?: number;
  /** Its members are being fetched, or were given up (`partial/partial-row.ts`); read with the row, and not written with it. Absent: they are known. */
  readonly partial?: number;
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

/** What is asked of other servers, and their answers (`schemas/log/room-output.proto`, Need). */
export interface NeedRow {
  readonly needId: string;
  readonly kind: 'missing_events' | 'event_auth' | 'state_at' | 'sign_invite' | 'remote_membership' | 'backfill' | 'ask_policy' | 'whole_state';
  /** The input that waits, and under which key. */
  readonly inputId: string;
  readonly parkedKey: string;
  /** The event that it is about. */
  readonly eventId: string;
  /** That event, where it was built here and another server has to sign it; of `backfill` what was asked for, as JSON. */
  readonly event: Uint8Array | null;
  readonly deadlineMs: number;
}

export interface NeedChanges {
  readonly opened?: readonly NeedRow[];
  /** The Answer input, encoded; kept only while the need is there. */
  readonly answered?: { readonly needId: string; readonly answer: Uint8Array };
  /** IDs of needs that nobody waits for any more. */
  readonly closed?: readonly string[];
  /** ID of an input that was decided meanwhile under another key: none of its needs is waited for. */
  readonly closedOf?: string;
}

/** A slice of a state that comes whole. */
export interface StateImport {
  /** What was the room's current state, and what an earlier attempt left, goes first. */
  readonly reset: boolean;
  readonly sequence: number;
  readonly state: NewState;
}

/** A user who forgot the room, and the member event that they had left it by. */
export interface ForgottenRow {
  readonly userId: string;
  readonly eventId: string;
  readonly roomVersion: string;
  readonly sequence: number;
}

/** In which lists of the room directory the room stands. */
export interface PublishedRow {
  readonly networks: readonly string[];
  readonly roomVersion: string;
  readonly sequence: number;
}

/** What becomes of an alias; `row` undefined: it is free again. */
export interface AliasChange {
  readonly alias: string;
  readonly row: AliasRow | undefined;
  readonly roomExists?: boolean;
}

/** A membership of a user here in a room that this server is not in. */
export interface OutsideRow {
  readonly userId: string;
  readonly roomVersion: string;
  readonly membership: string;
  readonly eventId: string;
  readonly sender: string;
  /** Server that told of it or took it; empty: nobody did. */
  readonly origin: string;
  readonly bytes: Uint8Array;
  /** JSON list. */
  readonly strippedState: Uint8Array;
  readonly sequence: number;
}

/** An event that follows one which is not here. */
export interface HistoryEdge {
  readonly prevEventId: string;
  readonly eventId: string;
  readonly depth: number;
  /** Sequence number of the record of the live event under which it lies. */
  readonly historyAt: number;
  readonly visibility: string;
}

/** What has come of fetching history. */
export interface HistoryChanges {
  /** Events that nobody has to look for any more. */
  readonly walked: readonly string[];
  readonly edges: readonly HistoryEdge[];
  /** Events that were asked for in vain. */
  readonly tried: readonly string[];
}

export interface RoomEffects {
  readonly inputId: string;
  readonly roomId: string;
  /** The row of the room afterwards; absent when it does not change. */
  readonly room?: RoomRow;
  readonly events: readonly NewEvent[];
  readonly redactions: readonly Redaction[];
  readonly receipt?: ReceiptRow;
  readonly needs?: NeedChanges;
  readonly stateImport?: StateImport;
  readonly outside?: OutsideRow;
  readonly alias?: AliasChange;
  readonly forgotten?: ForgottenRow;
  readonly published?: PublishedRow;
  readonly upgrade?: UpgradeRow;
  /** Of a room that was joined without its members. */
  readonly partial?: PartialChange;
  /** This server has come into the room over federation: what was known of it from outside is over, and its head is read anew. */
  readonly arrived?: true;
  /** Its events are history: the room's row does not change. */
  readonly history?: HistoryChanges;
  /** What the owner does to its own tables. */
  readonly upkeep?: UpkeepEffects;
  /** Soft: told to the readers after the commit. */
  readonly typing?: TypingChange;
}

/** An input of a batch that has effects, and where it stands. */
export interface AcceptedInput {
  readonly place: InputPlace;
  readonly effects: RoomEffects;
}

/** Whether the room's head is read anew for the next batch: its state came by another way than by events. */
export function isReadAnew({ arrived, partial }: RoomEffects): boolean {
  return arrived === true || partial?.kind === 'ends';
}
