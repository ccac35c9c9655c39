/** Reads what an input about other servers stands on. Called for the inputs that found it lacking, which are few: plain sends never ask. */
import { authTypesFor } from '../../../pkg/matrix/auth/auth-types.ts';
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { createEventIdOfRoom, isHashRoomId } from '../../../pkg/matrix/ids/room-id.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Database, SqlRow } from '../../../pkg/storage/database.ts';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import type { ImportState, ReceiveInvite, RoomInput, SendEvent } from '../../../schemas/log/room-input.ts';
import { readPartial } from '../partial/partial-row.ts';
import type { StagedEvent, StagedState } from '../../../schemas/ports/staged-state.ts';
import type { NeedRow, StateEntry } from '../input/effects.ts';
import { loadState } from '../input/load-state.ts';
import { parseContent } from '../input/parse-content.ts';
import type { Picture } from '../input/picture.ts';
import { isStorable } from '../query/stored-event.ts';
import { readSomeJoined, readState } from '../storage/read-events.ts';
import { stateRef } from '../storage/refs.ts';
import { readUpgrade } from '../upgrade/upgrade-row.ts';
import { answerIn, forgottenRef, memberRef, type Landing, type RemoteFacts, type RemoteNeed } from './facts.ts';
import { needIdOf } from './needs.ts';
import { strippedKeys } from './stripped-state.ts';

export interface FactsLoading {
  readonly database: Database;
  readonly stagedState: StagedState;
  readonly serverName: string;
}

/** Joined members that are looked at, of this server and of others. */
const MEMBERS_MAX = 20;
/** Staged events that one batch takes in: other rooms wait for it that long. */
const BATCH_EVENTS_MAX = 400;

/** Reads for the input what its decision will look at; once for each input of a batch. */
export async function loadFacts(loading: FactsLoading, picture: Picture, input: RoomInput): Promise<void> {
  const { remote: facts } = picture;
  const { sendEvent, answer, receiveInvite, importState, forgetRoom, refreshMember, joinBranches } = input;
  if (facts.read.has(input.inputId)) return;
  if (sendEvent) await loadSend(loading, picture, { input, send: sendEvent });
  if (answer) await readNeeds(loading.database, facts, ['need_id', answer.needId]);
  if (refreshMember ?? joinBranches) await readNeeds(loading.database, facts, ['input_id', input.inputId]);
  if (receiveInvite) await loadInvite(loading, picture, { input, invite: receiveInvite });
  if (forgetRoom) await loadForgotten(loading.database, facts, input.roomId, forgetRoom.userId);
  if (input.upgradeRoom || input.finishUpgrade) await loadUpgrade(loading, picture, input);
  if (input.completeRoom) await loadComplete(loading, facts, input);
  if (importState) await loadImport(loading, facts, { input, slice: importState });
  facts.read.add(input.inputId);
}

async function loadSend(loading: FactsLoading, picture: Picture, { input, send }: { input: RoomInput; send: SendEvent }): Promise<void> {
  const { remote: facts, heads } = picture;
  const head = heads.get(input.roomId);
  await readNeeds(loading.database, facts, ['input_id', input.inputId]);
  if (send.event.stateKey !== send.sender) {
    if (head !== undefined) await loadState(loading.database, strippedKeys(send.sender).map(([type, stateKey]) => ({ head, type, stateKey })));
    return;
  }
  await readNeeds(loading.database, facts, ['room_id', input.roomId]);
  await readPresence(loading, facts, input.roomId);
  await readOutside(loading.database, facts, input.roomId, send.sender);
  const answer = facts.needs.get(needIdOf(input))?.answer;
  if (answer?.status === 200 && parseContent(send.event.content)?.['membership'] === 'join') {
    facts.landings.set(input.inputId, await readLanding(loading.database, { roomId: input.roomId, stateId: (head?.lastStateId ?? 0) + 1, pdu: parseContent(answer.pdu), version: answer.roomVersion }));
  }
}

async function loadUpgrade({ database }: FactsLoading, { remote: facts, heads }: Picture, { roomId, upgradeRoom }: RoomInput): Promise<void> {
  const head = heads.get(roomId);
  if (head !== undefined && upgradeRoom) await loadState(database, [{ head, type: 'm.room.tombstone', stateKey: '' }, { head, type: 'm.room.member', stateKey: upgradeRoom.sender }]);
  const row = facts.upgrades.has(roomId) ? undefined : await readUpgrade(database, roomId);
  if (row !== undefined) facts.upgrades.set(roomId, row);
}

async function loadComplete(loading: FactsLoading, facts: RemoteFacts, { roomId, inputId }: RoomInput): Promise<void> {
  await readNeeds(loading.database, facts, ['input_id', inputId]);
  await readPresence(loading, facts, roomId);
  await readPartialRow(loading.database, facts, roomId);
}

async function loadForgotten(database: Database, facts: RemoteFacts, roomId: string, userId: string): Promise<void> {
  await readOutside(database, facts, roomId, userId);
  const rows = await database.query<{ event_id: string }>('SELECT event_id FROM forgotten WHERE room_id = ? AND user_id = ?', [roomId, userId]);
  for (const row of rows) facts.forgotten.add(forgottenRef(roomId, userId, row.event_id));
}

async function loadInvite(loading: FactsLoading, { remote: facts, heads }: Picture, { input, invite }: { input: RoomInput; invite: ReceiveInvite }): Promise<void> {
  await readPresence(loading, facts, input.roomId);
  const target = parseContent(invite.pdu)?.['state_key'];
  if (typeof target !== 'string' || !isStorable(target)) return;
  const head = heads.get(input.roomId);
  if (head !== undefined) await loadState(loading.database, [{ head, type: 'm.room.member', stateKey: target }]);
  await readOutside(loading.database, facts, input.roomId, target);
}

interface NeedSql extends SqlRow {
  need_id: string; room_id: string; kind: string; input_id: string; parked_key: string; event_id: string; event: Uint8Array | null; answer: Uint8Array | null; deadline: number;
}

const NEEDS = {
  need_id: 'SELECT need_id, room_id, kind, input_id, parked_key, event_id, event, answer, deadline FROM needs WHERE need_id = ?',
  input_id: 'SELECT need_id, room_id, kind, input_id, parked_key, event_id, event, answer, deadline FROM needs WHERE input_id = ?',
  // Those that are answered, too: who waits for them has not gone on yet.
  room_id: `SELECT need_id, room_id, kind, input_id, parked_key, event_id, event, answer, deadline FROM needs
    WHERE room_id = ? AND kind = 'remote_membership'`,
  /** By room ID. */
  backfills: `SELECT need_id, room_id, kind, input_id, parked_key, event_id, event, NULL AS answer, deadline FROM needs
    WHERE room_id = ? AND kind = 'backfill' AND answer IS NULL`,
} as const;

/** What this batch has done to a need is newer than its row. */
export async function readNeeds(database: Database, facts: RemoteFacts, [by, value]: readonly [by: keyof typeof NEEDS, value: string]): Promise<void> {
  for (const row of await database.query<NeedSql>(NEEDS[by], [value])) if (!facts.needs.has(row.need_id)) facts.needs.set(row.need_id, needOf(row));
}

function needOf(row: NeedSql): RemoteNeed {
  return {
    needId: row.need_id, roomId: row.room_id, kind: row.kind as NeedRow['kind'], inputId: row.input_id, parkedKey: row.parked_key, eventId: row.event_id, event: row.event,
    deadlineMs: row.deadline, answer: row.answer === null ? undefined : answerIn(row.answer),
  };
}

async function readPresence({ database, serverName }: FactsLoading, facts: RemoteFacts, roomId: string): Promise<void> {
  if (facts.rooms.has(roomId)) return;
  const joinedHere = await readSomeJoined(database, roomId, `:${serverName}`, MEMBERS_MAX);
  const others = joinedHere.length > 0 ? [] : await database.query<{ state_key: string }>(
    "SELECT state_key FROM current_state WHERE room_id = ? AND type = 'm.room.member' AND membership = 'join' ORDER BY state_key LIMIT ?", [roomId, MEMBERS_MAX]);
  facts.rooms.set(roomId, { joinedHere, servers: [...new Set(others.map((row) => domainOf(row.state_key)))] });
}

interface OutsideSql extends SqlRow {
  membership: string; event_id: string; sender: string; origin: string; room_version: string; json: Uint8Array;
}

async function readOutside(database: Database, facts: RemoteFacts, roomId: string, userId: string): Promise<void> {
  const ref = memberRef(roomId, userId);
  if (facts.outside.has(ref)) return;
  const [row] = await database.query<OutsideSql>(
    'SELECT membership, event_id, sender, origin, room_version, json FROM outside_memberships WHERE room_id = ? AND user_id = ?', [roomId, userId]);
  facts.outside.set(ref, row === undefined ? null : { membership: row.membership, eventId: row.event_id, sender: row.sender, origin: row.origin, roomVersion: row.room_version, bytes: row.json });
}

/** What the join will be authorised by, out of the imported state. */
async function readLanding(database: Database, join: { roomId: string; stateId: number; pdu: Record<string, unknown> | undefined; version: string }): Promise<Landing> {
  const { roomId, stateId } = join;
  const pdu = join.pdu as Pdu | undefined;
  const version = roomVersion(join.version);
  const keys = pdu === undefined || version === undefined || typeof pdu.content !== 'object' ? [] : [
    ['m.room.create', ''], ['m.room.join_rules', ''], ['m.room.history_visibility', ''], ['m.room.member', pdu.sender], ...authTypesFor(pdu, version),
  ] as const;
  const rows = await readState(database, [...new Set(keys.map(([type, stateKey]) => stateRef(roomId, type, stateKey)))]);
  const imported = await database.query('SELECT state_id FROM state_deltas WHERE room_id = ? AND state_id = ? LIMIT 1', [roomId, stateId]);
  const state = new Map(rows.map((row): [string, StateEntry] => [row.state_ref, { eventId: row.event_id, pdu: JSON.parse(Buffer.from(row.json).toString()) as Pdu }]));
  return { stateId, isImported: imported.length > 0, state };
}

/** The slice, what is known of its events, and what authorises them; nothing when the batch has taken in enough. */
async function loadImport(loading: FactsLoading, facts: RemoteFacts, { input, slice }: { input: RoomInput; slice: ImportState }): Promise<void> {
  const { database, stagedState } = loading;
  const taken = [...facts.slices.values()].reduce((sum, { length }) => sum + length, 0);
  if (taken > 0 && taken + slice.to - slice.from > BATCH_EVENTS_MAX) return;
  if (slice.current) {
    await readNeeds(database, facts, ['need_id', slice.needId]);
    await readPresence(loading, facts, input.roomId);
  }
  const staged = await stagedState.slice(slice.stageId, slice.from, slice.to);
  facts.slices.set(input.inputId, staged);
  if (slice.completes === true) await loadCompleting(loading, facts, { roomId: input.roomId, needId: slice.needId, staged });
  const cited = staged.flatMap(({ pdu }) => authEventIds(JSON.parse(Buffer.from(pdu).toString()) as Pdu));
  const ids = new Set([...staged.map(({ eventId }) => eventId), ...cited, ...(isHashRoomId(input.roomId) ? [createEventIdOfRoom(input.roomId)] : [])]);
  await readAuthEvents(database, facts, { roomId: input.roomId, eventIds: [...ids].filter((eventId) => !facts.events.has(eventId)) });
}

/** What of the slice the room's state has something under. */
async function loadCompleting(loading: FactsLoading, facts: RemoteFacts, { roomId, needId, staged }: { roomId: string; needId: string; staged: readonly StagedEvent[] }): Promise<void> {
  const { database } = loading;
  await readNeeds(database, facts, ['need_id', needId]);
  await readPresence(loading, facts, roomId);
  await readPartialRow(database, facts, roomId);
  const refs = staged.filter(({ inState }) => inState).flatMap(({ pdu }) => {
    const { type, state_key: stateKey } = JSON.parse(Buffer.from(pdu).toString()) as Pdu;
    return stateKey !== undefined && isStorable(type) && isStorable(stateKey) ? [stateRef(roomId, type, stateKey)] : [];
  });
  const rows = refs.length === 0 ? [] : await database.queryIn<{ state_ref: string }>('SELECT state_ref FROM current_state WHERE state_ref IN (??)', [], [...new Set(refs)]);
  for (const row of rows) facts.taken.add(row.state_ref);
}

async function readPartialRow(database: Database, facts: RemoteFacts, roomId: string): Promise<void> {
  if (facts.partials.has(roomId)) return;
  const row = await readPartial(database, roomId);
  if (row !== undefined) facts.partials.set(roomId, row);
}

async function readAuthEvents(database: Database, facts: RemoteFacts, { roomId, eventIds }: { roomId: string; eventIds: readonly string[] }): Promise<void> {
  if (eventIds.length === 0) return;
  const rows = await database.queryIn<{ event_id: string; room_id: string; json: Uint8Array; rejected: number }>(
    'SELECT event_id, room_id, json, rejected FROM events WHERE event_id IN (??)', [], eventIds.filter(isStorable));
  for (const eventId of eventIds) facts.events.set(eventId, null);
  for (const row of rows) {
    // An ID that an event of another room has (servers name their events themselves in versions 1 and 2) is no name for one of this room.
    facts.events.set(row.event_id, { event: JSON.parse(unpackText(row.json)) as Pdu, rejected: row.rejected === 1 || row.room_id !== roomId });
  }
}
