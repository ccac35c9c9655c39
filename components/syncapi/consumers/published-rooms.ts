/**
 * The room directory: a row for each room that stands in a list, with what is told and searched of it. What a room says of itself is read from its owner when it is published and whenever
 * that may have changed: then the row is as new as that state, or newer than the record, whose followers write it again.
 */
import { publishedRoom, SUMMARY_STATE, type PublishedRoom } from '../../../pkg/matrix/room-summary/room-summary.ts';
import { summariesOf } from '../../../pkg/matrix/room-summary/summaries-of.ts';
import type { Database, SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { searchable } from '../query/public-rooms.ts';
import { storable } from '../storage/rows.ts';
import { changesOf, type DecodedRoomOutput, type Records } from './decoded.ts';

export interface PublishedDeps {
  readonly database: Pick<Database, 'queryIn'>;
  readonly roomQuery: Pick<RoomQuery, 'currentStates'>;
}

/** What a row says of the room. */
export interface RoomTexts {
  readonly summary: string;
  readonly roomType: string;
  readonly searchText: string;
}

const TYPES = new Set(SUMMARY_STATE.map(([type]) => type));

/** By room ID, what the rows of the batch's rooms are to say: of those that are published in it, or were before and have changed. */
export async function loadPublished(deps: PublishedDeps, records: Records): Promise<Map<string, RoomTexts>> {
  const fresh = new Set(records.flatMap(({ output: { record } }) => ((record.published?.networks.length ?? 0) > 0 ? [record.roomId] : [])));
  const changed = [...new Set(records.filter(({ output }) => mayChange(output)).map(({ output }) => output.record.roomId))].filter((roomId) => !fresh.has(roomId));
  if (changed.length > 0) {
    const rows = await deps.database.queryIn<{ room_id: string }>('SELECT room_id FROM public_rooms WHERE room_id IN (??)', [], changed);
    for (const row of rows) fresh.add(row.room_id);
  }
  return fresh.size === 0 ? new Map() : readTexts(deps.roomQuery, [...fresh]);
}

function mayChange(output: DecodedRoomOutput): boolean {
  if (output.record.stateSlice?.reset === true) return true;
  return (output.record.event?.redacts ?? '') !== '' || changesOf(output).some(({ type, stateKey }) => stateKey === '' && TYPES.has(type));
}

async function readTexts(roomQuery: PublishedDeps['roomQuery'], roomIds: readonly string[]): Promise<Map<string, RoomTexts>> {
  const summaries = summariesOf(await roomQuery.currentStates(roomIds, SUMMARY_STATE), new Map());
  return new Map([...summaries].map(([roomId, summary]) => [roomId, textsOf(publishedRoom(summary))]));
}

function textsOf(room: PublishedRoom): RoomTexts {
  const searchText = searchable([room.name, room.topic, room.canonical_alias].filter((text) => text !== undefined).join('\n'));
  return { summary: JSON.stringify(room), roomType: storable(room.room_type ?? ''), searchText: storable(searchText) };
}

/** In the order of the records: a room may be published and taken out again in one batch. */
export async function writePublished(tx: Transaction, records: Records, texts: ReadonlyMap<string, RoomTexts>): Promise<void> {
  const lists = new Map<string, readonly string[]>();
  for (const { output: { record } } of records) if (record.published) lists.set(record.roomId, record.published.networks);
  for (const [roomId, networks] of lists) {
    const text = texts.get(roomId);
    if (networks.length === 0 || text === undefined) await tx.run('DELETE FROM public_rooms WHERE room_id = ?', [roomId]);
    else await writeRow(tx, [roomId, JSON.stringify(networks), networks.includes('') ? 1 : 0, text.roomType, text.searchText, text.summary]);
  }
  for (const [roomId, text] of texts) {
    if (lists.has(roomId)) continue;
    await tx.run('UPDATE public_rooms SET room_type = ?, search_text = ?, summary = ? WHERE room_id = ?', [text.roomType, text.searchText, text.summary, roomId]);
  }
}

async function writeRow(tx: Transaction, row: SqlValue[]): Promise<void> {
  await tx.insertMany({
    into: 'public_rooms', columns: ['room_id', 'networks', 'is_listed', 'room_type', 'search_text', 'summary'], rows: [row],
    onConflict: `ON CONFLICT (room_id) DO UPDATE SET networks = excluded.networks, is_listed = excluded.is_listed, room_type = excluded.room_type,
      search_text = excluded.search_text, summary = excluded.summary`,
  });
}
