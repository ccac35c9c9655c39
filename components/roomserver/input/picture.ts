/** What `load` shows `decide`: everything that the inputs of one batch may ask for, and what earlier inputs of the batch have done to it. */
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { AliasFact } from '../aliases/alias-row.ts';
import type { GraphAt } from '../receive/overlay.ts';
import { addNewEvent, createGraph, type RoomGraph } from '../receive/room-graph.ts';
import { stateRef } from '../storage/refs.ts';
import { knowsState, membershipOf, type RoomHead } from './room-head.ts';
import type { NewEvent } from './effects.ts';
import { createFacts, type RemoteFacts } from '../remote/facts.ts';

/** An event that an input refers to: to redact it, or to put a receipt on it. */
export interface KnownEvent {
  readonly eventId: string;
  readonly roomId: string;
  readonly type: string;
  readonly sender: string;
  readonly orderKey: number;
  readonly redacted: boolean;
  /** The stored PDU. */
  readonly bytes: Uint8Array;
}

export interface Picture {
  readonly heads: Map<string, RoomHead>;
  /** By event ID; an event that is missing does not exist. */
  readonly events: Map<string, KnownEvent>;
  /** Event IDs that inputs of the batch refer to. */
  readonly wanted: ReadonlySet<string>;
  /** Order key of the event that a receipt stands on, by `receiptRef`. */
  readonly receipts: Map<string, number>;
  /** State references of memberships of other rooms that are `join`. */
  readonly joinedElsewhere: ReadonlySet<string>;
  /** Of received events, by event ID. */
  readonly pdus: ReadonlyMap<string, Pdu>;
  /** Graphs of rooms, as far as decisions have looked into them. */
  readonly graphs: Map<string, RoomGraph>;
  /** What inputs about other servers stand on. */
  readonly remote: RemoteFacts;
  /** By room ID: the events of the batch so far. */
  readonly news: Map<string, NewEvent[]>;
  /** Event IDs of annotations that drafts would repeat, by `annotationRef`. */
  readonly annotations: Map<string, string>;
  /** Of inputs about aliases, by alias. */
  readonly aliases: Map<string, AliasFact>;
  /** By room ID: the lists of the room directory in which it stands, of inputs that change them. */
  readonly published: Map<string, readonly string[]>;
  /** Those of the rooms that such inputs name which exist. */
  readonly rooms: ReadonlySet<string>;
  /** By room ID: local members who may be able to authorise a restricted join. */
  readonly authorisers: ReadonlyMap<string, readonly string[]>;
}

export const EMPTY_PICTURE: Picture = {
  heads: new Map(), events: new Map(), wanted: new Set(), receipts: new Map(), joinedElsewhere: new Set(), authorisers: new Map(), annotations: new Map(), aliases: new Map(), published: new Map(), rooms: new Set(), pdus: new Map(), graphs: new Map(), news: new Map(),
  remote: createFacts(),
};

/** The room with its graph, which is empty at first but for the batch's own events. */
export function graphAt({ graphs, news }: Picture, head: RoomHead): GraphAt {
  let graph = graphs.get(head.roomId);
  if (graph === undefined) {
    graph = createGraph(head.roomId);
    for (const event of news.get(head.roomId) ?? []) addNewEvent(graph, event);
    graphs.set(head.roomId, graph);
  }
  return { head, graph };
}

/** Whether the user is joined to the room, as far as this owner can see: by the head where it is in memory, else as the tables had it. */
export function isJoinedTo(picture: Picture, roomId: string, userId: string): boolean {
  const head = picture.heads.get(roomId);
  if (head !== undefined && knowsState(head, 'm.room.member', userId)) return membershipOf(head, userId) === 'join';
  return picture.joinedElsewhere.has(stateRef(roomId, 'm.room.member', userId));
}
