/** Whatever happens in whatever batches, the tables of relations and threads say what a recount of the timeline says, a model built from what is left says the same, and readers are told so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { dump } from '../../../test/kit/sync-script.ts';
import { createSyncWorld, type SyncWorld } from '../../../test/kit/sync-world.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { relationOf } from '../../../pkg/matrix/relations/relation-of.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const REL_TYPES = ['m.thread', 'm.thread', 'm.replace', 'm.replace', 'm.reference', 'm.annotation', 'org.example.rel'];

const steps = fc.array(fc.record({
  kind: fc.constantFrom('relate', 'relate', 'relate', 'relate', 'say', 'redact', 'redact', 'history', 'history', 'history', 'purge', 'visibility', 'apply', 'apply', 'apply'),
  room: fc.nat(1), pick: fc.nat(1000), relType: fc.nat(REL_TYPES.length - 1), sender: fc.constantFrom(alice, bob),
}), { maxLength: 60, size: 'max' });
type Step = typeof steps extends fc.Arbitrary<(infer T)[]> ? T : never;

/** An event of the timeline, as it is stored by now. */
interface TimelineFact {
  readonly event_id: string;
  readonly room_id: string;
  readonly order_key: number;
  readonly history_visibility: string;
  readonly redacted: boolean;
  readonly pdu: Pdu;
}

interface Play {
  readonly log: HistoryLog;
  readonly rooms: readonly RoomHistory[];
  /** By room: order key of its oldest event, and of the newest that was purged. */
  readonly oldest: number[];
  readonly purged: number[];
}

function begin(): Play {
  const log = new HistoryLog({ version: 1, partitions: 2 });
  const rooms = ['one', 'two'].map((name) => new RoomHistory(log, { name, creator: alice }));
  for (const room of rooms) room.member(bob, 'join');
  return { log, rooms, oldest: [0, 0], purged: [-Infinity, -Infinity] };
}

function play(at: Play, step: Step): void {
  const { log, rooms } = at;
  const room = rooms[step.room]!;
  const known = [...log.events.values()].filter((event) => event.pdu.type === 'm.room.message');
  const target = known[step.pick % Math.max(1, Math.min(5, known.length))]?.eventId ?? '$unknown';
  const relation = { 'm.relates_to': { rel_type: REL_TYPES[step.relType], event_id: step.pick % 11 === 0 ? '$unknown' : target, key: 'k' }, ...(step.pick % 3 > 0 && { 'm.new_content': {} }) };
  if (step.kind === 'say') room.say(step.sender, 'said');
  if (step.kind === 'relate') room.say(step.sender, 'related', { more: relation });
  if (step.kind === 'visibility') room.state('m.room.history_visibility', '', { history_visibility: step.pick % 2 === 0 ? 'joined' : 'shared' }, alice);
  if (step.kind === 'redact' && log.events.get(target)?.roomId === room.roomId) room.redact(alice, target);
  if (step.kind === 'history' && at.purged[step.room] === -Infinity) history(at, step, relation);
  if (step.kind === 'purge' && step.pick % 3 === 0) purge(at, step);
}

/** An event from before comes below the oldest. */
function history({ log, rooms, oldest }: Play, { room: index, sender }: Step, relation: object): void {
  const room = rooms[index]!;
  const orderKey = (oldest[index]! -= 1);
  const eventId = `$history${index}${orderKey}`;
  const pdu = { type: 'm.room.message', sender, room_id: room.roomId, content: { body: 'old', ...relation }, origin_server_ts: -orderKey, depth: 1, prev_events: [], auth_events: [], hashes: { sha256: '' }, signatures: {} };
  const bytes = Buffer.from(JSON.stringify(pdu));
  const event = { eventId, pdu: bytes, orderKey, stateDelta: [], historyVisibility: 'shared', historyAt: 1, deviceId: '', txnId: '', softFailedAccepted: false, stateBeforeDiffers: false, redacts: '' };
  const place = log.append({ roomId: room.roomId, roomVersion: room.version.id, event });
  log.store({ roomId: room.roomId, eventId, pdu: pdu as Pdu, orderKey, ...place }, { eventId, roomId: room.roomId, roomVersion: room.version.id, pdu: bytes, redactedBy: null, orderKey });
}

function purge({ log, rooms, purged }: Play, { room: index, pick }: Step): void {
  const room = rooms[index]!;
  const toOrderKey = Math.max(purged[index]!, (pick % room.timeline.length) - 2);
  if (toOrderKey > 0 && toOrderKey < room.timeline.length) {
    purged[index] = toOrderKey;
    log.append({ roomId: room.roomId, roomVersion: room.version.id, historyPurged: { toOrderKey, toSequence: 0 } });
  }
}

/** What the timeline and its events say, counted anew. */
async function recount(world: SyncWorld, log: HistoryLog): Promise<TimelineFact[]> {
  const rows = await world.database.query<{ event_id: string; room_id: string; order_key: number; history_visibility: string }>('SELECT event_id, room_id, order_key, history_visibility FROM timeline');
  const stored = new Map((await log.roomQuery.eventsById(rows.map((row) => row.event_id))).map((event) => [event.eventId, event]));
  return rows.map((row) => ({ ...row, redacted: stored.get(row.event_id)!.redactedBy !== null, pdu: JSON.parse(Buffer.from(stored.get(row.event_id)!.pdu).toString()) as Pdu }));
}

async function checkTables(world: SyncWorld, facts: readonly TimelineFact[]): Promise<void> {
  const children = facts.flatMap((fact) => {
    const relation = relationOf(fact.pdu.content);
    return relation === undefined ? [] : [{ ...fact, ...relation }];
  });
  const expected = children.map((child) => [child.event_id, child.room_id, child.order_key, child.eventId, child.relType, child.pdu.sender, Number(child.history_visibility === 'joined')]);
  const rows = await world.database.query<Record<string, string | number>>('SELECT child_id, room_id, order_key, parent_id, rel_type, sender, is_restricted FROM relations');
  assert.deepEqual(rows.map((row) => Object.values(row)).toSorted(), expected.toSorted());
  const threads = new Map<string, [string, string, number, number, number]>();
  for (const child of children.filter(({ relType }) => relType === 'm.thread')) {
    const thread = threads.get(child.eventId + child.room_id) ?? [child.eventId, child.room_id, -Infinity, 0, 0];
    threads.set(child.eventId + child.room_id, [thread[0], thread[1], Math.max(thread[2], child.order_key), thread[3] + 1, thread[4] + Number(child.history_visibility === 'joined')]);
  }
  const stored = await world.database.query<Record<string, string | number>>('SELECT root_id, room_id, latest_key, event_count, restricted_count FROM threads');
  assert.deepEqual(stored.map((row) => Object.values(row)).toSorted(), [...threads.values()].toSorted());
}

/** What a reader who may see everything is told of each event. */
async function checkBundles(world: SyncWorld, room: RoomHistory, facts: readonly TimelineFact[]): Promise<void> {
  const own = facts.filter((fact) => fact.room_id === room.roomId);
  const page = await world.get(alice, `/rooms/${encodeURIComponent(room.roomId)}/messages`, { dir: 'b', limit: '500' });
  for (const event of page.chunk) {
    const fact = own.find((one) => one.event_id === event.event_id)!;
    const bundle = event.unsigned['m.relations'] ?? {};
    assert.deepEqual([bundle['m.replace']?.event_id, bundle['m.thread'] && [bundle['m.thread'].count, bundle['m.thread'].latest_event.event_id, bundle['m.thread'].current_user_participated], bundle['m.reference']?.chunk.map((one: { event_id: string }) => one.event_id)],
      [expectedEdit(own, fact), expectedThread(own, fact), expectedReferences(own, fact)], event.event_id);
  }
}

const childrenOf = (facts: readonly TimelineFact[], parent: TimelineFact, relType: string): TimelineFact[] => (parent.pdu.state_key !== undefined ? [] : facts.filter((one) => {
  const relation = relationOf(one.pdu.content);
  return relation?.relType === relType && relation.eventId === parent.event_id;
})).toSorted((a, b) => a.order_key - b.order_key);

function expectedEdit(facts: readonly TimelineFact[], parent: TimelineFact): string | undefined {
  if (parent.redacted || relationOf(parent.pdu.content)?.relType === 'm.replace') return undefined;
  const edits = childrenOf(facts, parent, 'm.replace').filter(({ pdu }) => pdu.sender === parent.pdu.sender && pdu.type === parent.pdu.type && 'm.new_content' in pdu.content);
  return edits.toSorted((a, b) => a.pdu.origin_server_ts - b.pdu.origin_server_ts || (a.event_id < b.event_id ? -1 : 1)).at(-1)?.event_id;
}

function expectedThread(facts: readonly TimelineFact[], parent: TimelineFact): unknown[] | undefined {
  const events = childrenOf(facts, parent, 'm.thread');
  if (events.length === 0 || relationOf(parent.pdu.content) !== undefined) return undefined;
  return [events.length, events.at(-1)!.event_id, [parent, ...events].some(({ pdu }) => pdu.sender === alice)];
}

function expectedReferences(facts: readonly TimelineFact[], parent: TimelineFact): string[] | undefined {
  const events = childrenOf(facts, parent, 'm.reference');
  return events.length === 0 ? undefined : events.map((one) => one.event_id);
}

/** The records as the owner makes them again: redacted events have lost their content, purged ones are not told. */
async function toldAgain(at: Play, facts: readonly TimelineFact[]): Promise<HistoryLog['records']> {
  const left = new Map(facts.map((fact) => [fact.event_id, fact]));
  return at.log.records.flatMap((record) => {
    const output = roomOutputCodec.decode(record.bytes);
    const { event } = output;
    if (!event) return [record];
    const fact = left.get(event.eventId);
    // State that was purged from the timeline is told without a place in it.
    if (fact === undefined) return event.stateDelta.length === 0 ? [] : [{ ...record, bytes: roomOutputCodec.encode({ ...output, event: { ...event, orderKey: 0 } }) }];
    return [{ ...record, bytes: roomOutputCodec.encode({ ...output, event: { ...event, pdu: Buffer.from(JSON.stringify(fact.pdu)) } }) }];
  });
}

test('tables of relations and threads equal a recount, and what readers are told equals it too', async () => {
  await fc.assert(fc.asyncProperty(steps, fc.integer({ min: 1, max: 20 }), async (list, batch) => {
    const at = begin();
    const world = await createSyncWorld(at.log);
    for (const step of list) {
      play(at, step);
      if (step.kind === 'apply') await world.apply(1 + (step.pick % 9));
    }
    await world.apply();
    const facts = await recount(world, at.log);
    await checkTables(world, facts);
    for (const room of at.rooms) await checkBundles(world, room, facts);
    const { relations, threads } = await dump(world);
    const { roomQuery, roomHistoryQuery, partitionMap } = at.log;
    const rebuilt = await createSyncWorld({ roomQuery, roomHistoryQuery, partitionMap, records: await toldAgain(at, facts) });
    await rebuilt.apply(batch);
    assert.deepEqual((({ relations: r, threads: t }) => [r, t])(await dump(rebuilt)), [relations, threads]);
    for (const one of [world, rebuilt]) await one.close();
  }), { numRuns: 80 });
});
