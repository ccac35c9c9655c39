/**
 * Events that received ones have referred to lately, as the tables have them: the next ones refer to the same. True as long as this owner is the only one that writes, so it is told of all that
 * it commits, and forgets all when it cannot be sure. Two generations within a budget of bytes: the older one goes when the younger one is full.
 */
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { RoomEffects } from '../input/effects.ts';
import { graphEventOf, type GraphEvent, type RoomGraph } from './room-graph.ts';

export interface EventCache {
  get(eventId: string): CachedEvent | undefined;
  /** `bytes`: of its JSON. */
  put(event: GraphEvent, followed: boolean, bytes: number): void;
  /** What was committed for a room. With its graph, if received events were placed there: those that come next refer to them. */
  note(effects: RoomEffects, graph: RoomGraph | undefined): void;
  forget(): void;
}

export interface CachedEvent {
  readonly event: GraphEvent;
  /** Whether an accepted event follows it. */
  readonly followed: boolean;
}

interface Entry extends CachedEvent {
  readonly bytes: number;
}

/** Parsed JSON weighs a few times its text. */
const WEIGHT = 4;
const ENTRY_BYTES = 500;

export function createEventCache(bytesMax: number): EventCache {
  let young = new Map<string, Entry>();
  let old = new Map<string, Entry>();
  let youngBytes = 0;

  function find(eventId: string): Entry | undefined {
    return young.get(eventId) ?? old.get(eventId);
  }

  function set(entry: Entry): void {
    const { eventId } = entry.event;
    youngBytes += entry.bytes - (young.get(eventId)?.bytes ?? 0);
    young.set(eventId, entry);
    if (youngBytes <= bytesMax / 2) return;
    old = young;
    young = new Map();
    youngBytes = 0;
  }

  function follow(eventId: string): void {
    const entry = find(eventId);
    if (entry?.followed === false) set({ ...entry, followed: true });
  }

  return {
    get(eventId) {
      const entry = find(eventId);
      if (entry !== undefined && !young.has(eventId)) set(entry);
      return entry;
    },
    put: (event, followed, bytes) => set({ event, followed, bytes: bytes * WEIGHT + ENTRY_BYTES }),
    note({ roomId, events, redactions }, graph) {
      // What is known changes nothing by being told of once more as an outlier.
      for (const event of events.filter(({ kind }) => kind !== 'outlier')) {
        const known = find(event.eventId);
        const followed = known?.followed === true || graph?.followed.has(event.eventId) === true;
        if (graph !== undefined || known !== undefined) set({ event: graphEventOf(roomId, event, known?.event), followed, bytes: event.bytes.byteLength * WEIGHT + ENTRY_BYTES });
        if (event.verdict === 'accepted') for (const prev of prevEventIds(event.pdu)) follow(prev);
      }
      for (const { eventId, bytes } of redactions) {
        const entry = find(eventId);
        if (entry !== undefined) set({ ...entry, event: { ...entry.event, redacted: true, pdu: JSON.parse(Buffer.from(bytes).toString()) as Pdu } });
      }
    },
    forget() {
      young = new Map();
      old = new Map();
      youngBytes = 0;
    },
  };
}
