/** Graphs that are kept of every room, and compared with the tables: whatever is known in them must be what a reader would find there. */
import assert from 'node:assert/strict';
import { createKeptGraphs, type KeptGraphs } from '../../components/roomserver/receive/kept-graphs.ts';
import type { RoomCover } from '../../components/roomserver/receive/room-cover.ts';
import type { RoomGraph } from '../../components/roomserver/receive/room-graph.ts';
import { slotOf } from '../../pkg/matrix/state-res/slot.ts';
import type { Reader, SqlRow } from '../../pkg/storage/database.ts';
import { unpackText } from '../../pkg/storage/packed-json.ts';

export interface CheckedGraphs extends KeptGraphs {
  /** After a batch. Throws where a graph and the tables disagree; gives back how many places of chains were compared. */
  check(reader: Reader): Promise<number>;
  /** By how many events the resolutions in the graphs were gone on with after they were made (`meeting.ts`), as of now. */
  goneOn(): number;
}

export function createCheckedGraphs(): CheckedGraphs {
  const kept = createKeptGraphs({ bytesMax: 1e9, conflictedMin: -1 });
  let last: readonly RoomGraph[] = [];
  return {
    ...kept,
    note(batch) {
      kept.note(batch);
      last = [...batch.graphs.values()].filter(({ isKept }) => isKept);
    },
    goneOn: () => last.reduce((sum, { meeting }) => sum + (meeting?.open ? meeting.open.full.size - meeting.resolved.full.size : 0), 0),
    async check(reader) {
      for (const graph of last) {
        await checkEvents(reader, graph);
        await checkStates(reader, graph);
        await checkCover(reader, graph);
      }
      return last.reduce((sum, { cover }) => sum + cover.citing.size, 0);
    },
  };
}

interface EventSql extends SqlRow {
  event_id: string; room_id: string; state_id: number | null; rejected: number; soft_failed: number; order_key: number | null; redacted_by: string | null; json: Uint8Array; auth_chain: number | null; auth_seq: number | null;
}

async function readEvents(reader: Reader, eventIds: readonly string[]): Promise<Map<string, EventSql>> {
  const rows = await reader.queryIn<EventSql>(
    'SELECT event_id, room_id, state_id, rejected, soft_failed, order_key, redacted_by, json, auth_chain, auth_seq FROM events WHERE event_id IN (??)', [], eventIds);
  return new Map(rows.map((row) => [row.event_id, row]));
}

async function checkEvents(reader: Reader, { events }: RoomGraph): Promise<void> {
  const rows = await readEvents(reader, [...events.keys()]);
  for (const [eventId, event] of events) {
    const row = rows.get(eventId);
    assert.ok(row !== undefined && event !== null, `${eventId} is in one of graph and tables`);
    assert.deepEqual(event, {
      eventId, roomId: row.room_id, pdu: JSON.parse(unpackText(row.json)) as unknown, stateId: row.state_id, rejected: row.rejected === 1, softFailed: row.soft_failed === 1,
      orderKey: row.order_key, redacted: row.redacted_by !== null,
    });
  }
}

async function checkStates(reader: Reader, { roomId, states, statesAbove, wants, full }: RoomGraph): Promise<void> {
  assert.ok(!wants.trails && !wants.full && full === undefined);
  const rows = await reader.query<{ state_id: number; prev_state_id: number; depth: number; type: string; state_key: string; event_id: string; replaces: string | null }>(
    'SELECT state_id, prev_state_id, depth, type, state_key, event_id, replaces FROM state_deltas WHERE room_id = ?', [roomId]);
  const byState = Map.groupBy(rows, (row) => row.state_id);
  for (const stateId of byState.keys()) assert.ok(stateId <= statesAbove || states.has(stateId), `state ${stateId} is not known`);
  for (const [stateId, node] of states) {
    const steps = byState.get(stateId)!;
    assert.deepEqual([node.prevStateId, node.depth], [steps[0]!.prev_state_id, steps[0]!.depth]);
    const told = steps.map((row) => [slotOf(row.type, row.state_key), row.event_id === '' ? undefined : row.event_id, row.replaces ?? undefined]);
    assert.deepEqual(sorted(node.steps.map(({ slot, eventId, replaces }) => [slot, eventId, replaces])), sorted(told));
  }
}

async function checkCover(reader: Reader, { roomId, cover }: RoomGraph): Promise<void> {
  assert.deepEqual([cover.loose.size, cover.news.size], [0, 0]);
  const rows = await readEvents(reader, [...cover.positions.keys()]);
  for (const [eventId, { chain, seq }] of cover.positions) {
    const row = rows.get(eventId);
    assert.deepEqual([row?.auth_chain, row?.auth_seq, cover.events.get(chain)?.get(seq)], [chain, seq, eventId]);
  }
  await checkLinks(reader, cover);
  for (const [chain, { slot, currentId }] of cover.facts) {
    const [row] = await reader.query<{ type: string; state_key: string; current: string | null }>(
      `SELECT c.type, c.state_key, s.event_id AS current FROM events c LEFT JOIN current_state s ON s.room_id = ? AND s.type = c.type AND s.state_key = c.state_key
       WHERE c.auth_chain = ? AND c.auth_seq = 1`, [roomId, chain]);
    assert.deepEqual([slot, currentId], [slotOf(row!.type, row!.state_key), row!.current ?? undefined], `what chain ${chain} is about`);
  }
}

async function checkLinks(reader: Reader, cover: RoomCover): Promise<void> {
  const links = await reader.query<{ origin_chain: number; origin_seq: number; target_chain: number; target_seq: number }>('SELECT * FROM auth_links');
  for (const [chain, known] of cover.links) {
    const told = links.filter((row) => row.origin_chain === chain).map((row) => ({ seq: row.origin_seq, target: { chain: row.target_chain, seq: row.target_seq } }));
    assert.deepEqual(sorted(known), sorted(told), `links of chain ${chain}`);
    for (const { target } of known) assert.ok(cover.links.has(target.chain), 'where a chain is, those that it leads to are');
  }
  for (const [chain, { links: known, from }] of cover.citing) {
    const told = links.filter((row) => row.target_chain === chain && row.target_seq >= from).map((row) => ({ seq: row.target_seq, by: { chain: row.origin_chain, seq: row.origin_seq } }));
    assert.deepEqual(sorted(known.filter(({ seq }) => seq >= from)), sorted(told), `links to chain ${chain}`);
  }
}

function sorted(list: readonly unknown[]): string[] {
  return list.map((one) => JSON.stringify(one)).sort();
}
