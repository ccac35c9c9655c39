/** Every answer about random graphs of events, with forks in their states and snapshots anywhere, is what a plain walk over the whole graph says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { RoomHistoryQuery, StateSide } from '../../../schemas/ports/room-query.ts';
import { graphOf, HOSTS, ROOM, seeds, storeGraph, USERS, type GraphEvent, type GraphState } from '../../../test/kit/random-graph.ts';
import { roomHistoryQuery } from './room-history-query.ts';

const SIDES: readonly StateSide[] = ['before', 'after'];
const idsOf = (events: Iterable<GraphEvent>) => [...events].map(({ eventId }) => eventId);
const deepestFirst = (left: GraphEvent, right: GraphEvent) => right.depth - left.depth || right.orderKey - left.orderKey;

async function onGraphs(check: (query: RoomHistoryQuery, events: readonly GraphEvent[], picks: readonly number[]) => Promise<void>): Promise<void> {
  await fc.assert(fc.asyncProperty(seeds, fc.array(fc.nat(100), { minLength: 8, maxLength: 8 }), async (list, picks) => {
    const events = graphOf(list);
    const database = await openSqlite({ path: ':memory:' });
    try {
      await storeGraph(database, events, list);
      await check(roomHistoryQuery(database), events, picks);
    } finally {
      await database.close();
    }
  }), { numRuns: 60 });
}

/** All that is reached by `step` from `from`, with the number of steps to it; `from` itself only where it is reached. */
function reached(from: readonly GraphEvent[], step: (event: GraphEvent) => readonly GraphEvent[]): Map<GraphEvent, number> {
  const found = new Map<GraphEvent, number>();
  let level = from;
  for (let steps = 1; level.length > 0; steps += 1) {
    level = [...new Set(level.flatMap(step))].filter((event) => !found.has(event));
    level.forEach((event) => found.set(event, steps));
  }
  return found;
}

const membershipIn = (state: GraphState, userId: string) => state.entries.get(JSON.stringify(['m.room.member', userId]))?.content.membership ?? 'leave';
const usersOf = (host: string) => USERS.filter((userId) => userId.endsWith(`:${host}`));

test('the state before and after every event, as IDs, as events and by keys', () => onGraphs(async (query, events) => {
  for (const side of SIDES) {
    const found = await query.stateIdsAt([...idsOf(events), '$none'], side);
    assert.equal(found.size, events.length);
    for (const event of events) {
      const expected = idsOf(event[side].entries.values()).sort();
      assert.deepEqual([...found.get(event.eventId)!].sort(), expected);
    }
    const last = events.at(-1)!;
    assert.deepEqual((await query.stateAt(last.eventId, side))!.map(({ eventId }) => eventId).sort(), idsOf(last[side].entries.values()).sort());
    const keys = [['m.room.topic', ''], ['m.room.member', USERS[0]!], ['m.room.none', '']] as const;
    const expected = keys.flatMap((key) => last[side].entries.get(JSON.stringify(key))?.eventId ?? []);
    assert.deepEqual((await query.stateAt(last.eventId, side, keys))!.map(({ eventId }) => eventId).sort(), expected.sort());
  }
  assert.equal(await query.stateAt('$none', 'after'), undefined);
}));

test('memberships and joined hosts at every event, and joined hosts now', () => onGraphs(async (query, events) => {
  const joined = (state: GraphState) => HOSTS.filter((host) => usersOf(host).some((userId) => membershipIn(state, userId) === 'join'));
  for (const side of SIDES) {
    for (const userId of USERS.slice(0, 3)) {
      assert.deepEqual(await query.membershipsAt(userId, idsOf(events), side).then((map) => [...map].sort()), events.map((event) => [event.eventId, membershipIn(event[side], userId)]).sort());
    }
    for (const event of events.slice(-5)) assert.deepEqual(await query.joinedHostsAt(event.eventId, side), joined(event[side]));
  }
  assert.deepEqual(await query.joinedHosts(ROOM), joined(events.at(-1)!.after));
}));

test('which events a server may see', () => onGraphs(async (query, events) => {
  for (const host of HOSTS) {
    const isIn = (state: GraphState, membership: string) => usersOf(host).some((userId) => membershipIn(state, userId) === membership);
    const joinedSince = (event: GraphEvent) => isIn(events.at(-1)!.after, 'join')
      || events.some(({ content, key, after }) => content.membership === 'join' && usersOf(host).includes(key![1]) && after.stateId >= event.after.stateId);
    const expected = events.filter((event) => {
      const around = [event.before, event.after];
      if (event.visibility === 'world_readable' || around.some((state) => isIn(state, 'join'))) return true;
      return event.visibility === 'shared' ? joinedSince(event) : event.visibility === 'invited' && around.some((state) => isIn(state, 'invite'));
    });
    assert.deepEqual([...await query.visibleToServer(host, idsOf(events))].sort(), idsOf(expected).sort());
    const shared = events.filter(({ visibility }) => visibility === 'shared');
    assert.deepEqual([...await query.visibleToServer(host, idsOf(shared))].sort(), idsOf(shared.filter((event) => expected.includes(event))).sort());
  }
}));

test('auth chains, whole and cut', () => onGraphs(async (query, events, picks) => {
  const from = [...new Set(picks.slice(0, 3).map((pick) => events[pick % events.length]!))];
  const expected = idsOf(reached(from, (event) => event.auth).keys()).sort();
  const whole = await query.authChain([...idsOf(from), '$none'], 1000);
  assert.deepEqual([[...whole.eventIds].sort(), whole.complete], [expected, true]);
  const exact = await query.authChain(idsOf(from), expected.length);
  assert.deepEqual([[...exact.eventIds].sort(), exact.complete], [expected, true]);
  if (expected.length === 0) return;
  const cut = await query.authChain(idsOf(from), expected.length - 1);
  assert.deepEqual([cut.eventIds.length, cut.complete], [expected.length - 1, false]);
  assert.ok(cut.eventIds.every((eventId) => expected.includes(eventId)));
}));

test('missing events are the nearest of those between, the deepest last; backfill is the deepest of those before', () => onGraphs(async (query, events, picks) => {
  const pick = (index: number) => events[picks[index]! % events.length]!;
  const [latest, earliest] = [[...new Set([pick(0), events.at(-1)!])], [pick(1), pick(2)]];
  const [minDepth, limit] = [picks[3]! % 6, picks[4]! % 12];
  const between = reached(latest.filter((event) => !earliest.includes(event)),
    (event) => event.prevs.filter((prev) => !latest.includes(prev) && !earliest.includes(prev) && prev.depth >= minDepth));
  const wish = { roomId: ROOM, latest: idsOf(latest), earliest: [...idsOf(earliest), '$none'], minDepth };
  const all = (await query.missingEvents({ ...wish, limit: 1000 })).map(({ eventId }) => eventId);
  assert.deepEqual(all, idsOf([...between.keys()].sort(deepestFirst).reverse()));
  const some = (await query.missingEvents({ ...wish, limit })).map(({ eventId }) => eventId);
  assert.equal(some.length, Math.min(limit, all.length));
  assert.deepEqual(some, all.filter((eventId) => some.includes(eventId)));
  const distances = (has: boolean) => [...between].filter(([event]) => some.includes(event.eventId) === has).map(([, steps]) => steps);
  assert.ok(Math.max(0, ...distances(true)) <= Math.min(Infinity, ...distances(false)));
  assert.deepEqual(await query.missingEvents({ ...wish, roomId: '!other:a.example', limit }), []);

  const before = [...new Set([...latest, ...reached(latest, (event) => event.prevs).keys()])].sort(deepestFirst);
  for (const most of [limit, 1000]) {
    assert.deepEqual((await query.backfill({ roomId: ROOM, from: idsOf(latest), limit: most })).map(({ eventId }) => eventId), idsOf(before.slice(0, most)));
  }
}));

test('the event nearest to a time', () => onGraphs(async (query, events) => {
  for (let ts = 998; ts < 1016; ts += 1) {
    const after = events.filter((event) => event.ts >= ts).sort((left, right) => left.ts - right.ts || left.orderKey - right.orderKey)[0];
    const before = events.filter((event) => event.ts <= ts).sort((left, right) => right.ts - left.ts || right.orderKey - left.orderKey)[0];
    assert.deepEqual(await query.timestampToEvent(ROOM, ts, 'f'), after && { eventId: after.eventId, originServerTs: after.ts });
    assert.deepEqual(await query.timestampToEvent(ROOM, ts, 'b'), before && { eventId: before.eventId, originServerTs: before.ts });
  }
}));
