/** Brings keys of rooms' states into memory, those of all rooms with one statement. */
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { readState } from '../storage/read-events.ts';
import { stateRef } from '../storage/refs.ts';
import type { EventCache } from '../receive/event-cache.ts';
import type { KeptGraphs } from '../receive/kept-graphs.ts';
import type { HeadCache } from './head-cache.ts';
import { knowsState, setState, type RoomHead } from './room-head.ts';

export interface LoadDeps {
  readonly database: Database;
  readonly heads: HeadCache;
  readonly serverName: string;
  readonly recent: EventCache;
  readonly kept: Pick<KeptGraphs, 'take'>;
}

/** A key of the state of a room that is to be in memory. */
export interface StateWant {
  readonly head: RoomHead;
  readonly type: string;
  readonly stateKey: string;
}

/** Reads those of the wanted keys that are not in memory; what has no value is noted as absent. */
export async function loadState(database: Database, wants: readonly StateWant[]): Promise<void> {
  const missing = new Map<string, StateWant>();
  for (const want of wants) {
    if (knowsState(want.head, want.type, want.stateKey)) continue;
    if (!isStorable(want.stateKey)) setState(want.head, want.type, want.stateKey, null);
    else missing.set(stateRef(want.head.roomId, want.type, want.stateKey), want);
  }
  if (missing.size === 0) return;
  const rows = await readState(database, [...missing.keys()]);
  for (const { head, type, stateKey } of missing.values()) setState(head, type, stateKey, null);
  for (const row of rows) {
    const { head, type, stateKey } = missing.get(row.state_ref)!;
    setState(head, type, stateKey, { eventId: row.event_id, pdu: JSON.parse(Buffer.from(row.json).toString()) as Pdu });
  }
}

/** State keys out of an event's content (a third party invite's token) may hold what no row has. */
function isStorable(stateKey: string): boolean {
  return !stateKey.includes('\0') && stateKey.isWellFormed();
}
