/** Which graphs are kept, and for how long. That they say what the tables say is tried in `receive.property.test.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomEffects } from '../input/effects.ts';
import { headOf } from '../input/room-head.ts';
import { createKeptGraphs, type KeptGraphs } from './kept-graphs.ts';
import { createGraph, type GraphEvent, type RoomGraph } from './room-graph.ts';

const NOTHING: RoomEffects = { inputId: 'input', roomId: '', events: [], redactions: [] };

function graphOf(roomId: string, { conflicted = 101, events = 10 } = {}): RoomGraph {
  const graph = createGraph(roomId);
  graph.conflicted = conflicted;
  for (let index = 0; index < events; index += 1) graph.events.set(`$${index}`, { eventId: `$${index}` } as GraphEvent);
  return graph;
}

function headFor(roomId: string) {
  const row = { roomId, roomVersion: '11', partition: 0, creator: '', createEventId: '$0', orderKey: 1, depth: 1, stateId: 1, stateDepth: 1, lastStateId: 1, extremities: [] };
  return headOf(row, roomVersion('11')!, false);
}

function note(kept: KeptGraphs, graphs: readonly RoomGraph[], { effects = [], caughtUp = false }: { effects?: readonly RoomEffects[]; caughtUp?: boolean } = {}): void {
  kept.note({
    graphs: new Map(graphs.map((graph) => [graph.roomId, graph])), heads: new Map(graphs.map(({ roomId }) => [roomId, headFor(roomId)])), effects, chained: { places: new Map(), links: [], caughtUp },
  });
}

function newKept(bytesMax = 1e6): KeptGraphs {
  return createKeptGraphs({ bytesMax, conflictedMin: 100 });
}

test('graphs of rooms in much conflict are kept, and while it is quiet there for some batches more', () => {
  const kept = newKept();
  const graph = graphOf('!a');
  note(kept, [graph, graphOf('!b', { conflicted: 100 })]);
  assert.deepEqual([kept.size().rooms, kept.take('!b')], [1, undefined]);
  for (let batch = 0; batch < 20; batch += 1) {
    assert.equal(kept.take('!a'), graph);
    note(kept, [graph]);
  }
  kept.take('!a');
  note(kept, [graph]);
  assert.deepEqual(kept.size(), { bytes: 0, rooms: 0 });
});

test('they are within their budget, those go first that were not used for the longest time, and what is too big is not kept', () => {
  const kept = newKept(100_000);
  for (const roomId of ['!a', '!b', '!c']) note(kept, [graphOf(roomId, { events: 12 })]);
  assert.equal(kept.size().rooms, 3);
  note(kept, [kept.take('!a')!]);
  note(kept, [graphOf('!d', { events: 12 })]);
  assert.ok(kept.size().bytes <= 100_000);
  assert.deepEqual(['!a', '!b', '!c', '!d'].map((roomId) => kept.take(roomId) !== undefined), [true, false, true, true]);
  note(kept, [graphOf('!big', { events: 100 })]);
  assert.equal(kept.take('!big'), undefined);
});

test('what cannot be sure to be what the tables have is not kept', () => {
  const kept = newKept();
  const keep = (roomId: string): RoomGraph => {
    note(kept, [graphOf(roomId)]);
    return kept.take(roomId)!;
  };
  keep('!a');
  assert.equal(kept.take('!a'), undefined, 'what was handed out, and not told of');
  for (const other of [{ arrived: true as const }, { upkeep: { collected: [1] } }, { history: { walked: [], edges: [], tried: [] } }]) {
    note(kept, [keep('!a')], { effects: [{ ...NOTHING, roomId: '!a', ...other }] });
    assert.equal(kept.take('!a'), undefined, JSON.stringify(other));
  }
  note(kept, [keep('!a')], { caughtUp: true });
  assert.equal(kept.take('!a'), undefined, 'other events have got places');
  note(kept, [keep('!a')]);
  note(kept, [], { effects: [{ ...NOTHING, roomId: '!a' }] });
  assert.equal(kept.take('!a'), undefined, 'its room has changed without it');
  note(kept, [keep('!a')]);
  kept.forget();
  assert.deepEqual(kept.size(), { bytes: 0, rooms: 0 });
});

test('what is true of one batch alone does not stay', () => {
  const kept = newKept();
  const graph = graphOf('!a');
  graph.events.set('$unknown', null);
  graph.events.set('$begun', { eventId: '$begun' } as GraphEvent);
  graph.provisional.add('$begun');
  graph.full = new Map();
  graph.wants.events.add('$wanted');
  note(kept, [graph]);
  assert.equal(kept.take('!a'), graph);
  assert.deepEqual([graph.events.has('$unknown'), graph.events.has('$begun'), graph.full, graph.wants.events.size, graph.isKept], [false, false, undefined, 0, true]);
});
