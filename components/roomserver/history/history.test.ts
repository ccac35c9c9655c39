/** History from before this server came into a room: asked for, checked, and placed below what is known. Over the real log, with a real database. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { redact } from '../../../pkg/matrix/events/redact.ts';
import type { EventDraft, Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import { ROOM_VERSIONS } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { bytesOf, received } from '../../../test/kit/received-room.ts';
import { createRemoteWorld, DAVE, fulfilJoin, importSlice, type RemoteWorld, type Result } from '../../../test/kit/remote-world.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import type { Need, RoomEvent } from '../../../schemas/log/room-output.ts';
import { roomHistoryQuery } from '../query/room-history-query.ts';
import { roomQuery } from '../query/room-query.ts';
import { roomSnapshot } from '../query/snapshot.ts';

const BOB = '@bob:two.test';
const NOTHING = { parked: 0, needs: 0 };
const text = (body: string): EventDraft => ({ type: 'm.room.message', sender: BOB, content: { body } });
const visibility = (value: string): EventDraft => ({ type: 'm.room.history_visibility', sender: CREATOR, state_key: '', content: { history_visibility: value } });

interface World {
  readonly world: RemoteWorld;
  readonly dag: RoomDag;
  readonly joinId: string;
  fetch(inputId?: string): Promise<Result>;
  /** Plays the federationapi: gives these events, and what is known here of them as known. */
  give(need: Need, eventIds: readonly string[], change?: (pdu: Pdu) => Pdu): Promise<void>;
  /** The records of history so far, in order. */
  told(): Promise<RoomEvent[]>;
  head(): Promise<unknown>;
}

async function joinedRoom(context: TestContext, version: string, live: (dag: RoomDag) => void): Promise<World> {
  const world = await createRemoteWorld(context);
  const dag = startRoom(version);
  live(dag);
  const joined = world.member(dag.roomId, 'join', { via: ['one.test'] });
  const { eventId: joinId } = await fulfilJoin(world, dag, await world.need());
  await joined;
  return {
    world, dag, joinId,
    fetch: (inputId) => world.submit(dag.roomId, { fetchHistory: { limit: 100 } }, inputId),
    async give(need, eventIds, change = (pdu) => pdu) {
      const known = await roomQuery(world.database).knownEventIds(eventIds);
      const fresh = [...dag.events.values()].filter(({ eventId }) => eventIds.includes(eventId) && !known.has(eventId));
      const stage = fresh.map(({ eventId, pdu }) => ({ eventId, inState: true, pdu: bytesOf(change(pdu)) }));
      world.stages.set(need.needId, stage);
      if (stage.length > 0) await importSlice(world, dag, need, [0, stage.length], false);
      world.stages.set(need.needId, [...stage, ...[...known].map((eventId) => ({ eventId, inState: true, pdu: new Uint8Array() }))]);
      await world.answer(dag.roomId, need, { stageId: need.needId, roomVersion: version });
    },
    told: async () => (await world.outputs()).flatMap(({ event }) => (event && event.orderKey < 0 ? [event] : [])),
    async head() {
      const [row] = await world.database.query('SELECT order_key, depth, state_id, last_state_id, forward_extremities FROM rooms WHERE room_id = ?', [dag.roomId]);
      return row;
    },
  };
}

for (const { id: version } of ROOM_VERSIONS) {
  test(`room version ${version}: two fetches bring all of it, the newest first, and change nothing else`, async (context) => {
    const { world, dag, joinId, fetch, give, told, head } = await joinedRoom(context, version, (room) => {
      for (let count = 0; count < 12; count += 1) room.send(text(`m${count}`));
    });
    const before = dag.accepted.slice(0, dag.accepted.indexOf(joinId));
    const [headBefore, state] = [await head(), await roomQuery(world.database).currentState(dag.roomId)];
    for (const part of [before.slice(-10), before.slice(0, -10)]) {
      const asked = fetch();
      const need = await world.need();
      // Who sent what follows it is asked first, then the creator's server.
      assert.deepEqual([need.backfill?.eventIds, need.backfill?.via], [[part.at(-1)], part[0] === before[0] ? ['two.test', 'one.test'] : ['one.test', 'two.test']]);
      await world.restart();
      await give(need, part);
      assert.deepEqual(await asked, { events: part.length, more: part[0] !== before[0] });
    }
    const events = await told();
    assert.deepEqual(events.map(({ eventId, orderKey }) => [eventId, orderKey]), before.toReversed().map((eventId, index) => [eventId, -1 - index]));
    assert.deepEqual([await head(), (await roomQuery(world.database).currentState(dag.roomId)).length], [headBefore, state.length]);
    assert.equal(await roomHistoryQuery(world.database).historyEnd(dag.roomId), undefined);
    assert.deepEqual([await fetch(), await world.needsLeft(), await world.waiting()], [{ events: 0, more: false }, 0, NOTHING]);
    // The same records again from the tables.
    const again = (await roomSnapshot(world.database, 0, 0, 1000)).flatMap(({ output: { event } }) => (event && event.orderKey < 0 ? [event] : []));
    assert.deepEqual(again.map(({ eventId, orderKey, historyAt }) => [eventId, orderKey, historyAt]), events.map(({ eventId, orderKey, historyAt }) => [eventId, orderKey, historyAt]));
    // Whoever sends one of them once more moves nothing.
    const repeated = await world.submit(dag.roomId, { receivePdu: received(dag, before.at(-1)!) });
    assert.deepEqual([repeated, (await told()).length, await head()], [{ event_id: before.at(-1), verdict: 'accepted' }, before.length, headBefore]);
  });
}

test('all who ask at the same time share one need; without an answer it costs them its time', async (context) => {
  const { world, dag, fetch, give } = await joinedRoom(context, '11', (room) => void room.send(text('m')));
  const asked = [fetch('a'), fetch('a'), fetch('b')];
  const need = await world.need();
  await world.restart();
  assert.equal(await world.needsLeft(), 0);
  await world.later(10_000);
  assert.deepEqual((await Promise.all(asked.slice(0, 2))), [{ events: 0, more: true }, { events: 0, more: true }]);
  // The other one goes on to ask for itself.
  const second = await world.need();
  await give(need, []);
  await give(second, dag.accepted);
  assert.equal(((await asked[2]) as { more: boolean }).more, false);
  assert.deepEqual(await world.waiting(), NOTHING);
});

test('what no server has is asked for so often and not for ever; who was not reached is asked again', async (context) => {
  const { world, dag, fetch } = await joinedRoom(context, '11', (room) => void room.send(text('m')));
  const ends = new Set<string | undefined>();
  for (const status of [502, 502, ...Array.from({ length: 10 }, () => 404)]) {
    ends.add(await roomHistoryQuery(world.database).historyEnd(dag.roomId));
    const asked = fetch();
    await world.answer(dag.roomId, await world.need(), { status });
    assert.deepEqual(await asked, { events: 0, more: true });
  }
  assert.equal(ends.size, 10);
  assert.deepEqual(await fetch(), { events: 0, more: false });
});

test('of events that hang on nothing that was asked for, that their auth events do not allow, and that are not there, none is shown', async (context) => {
  const { world, dag, joinId, fetch, give, told } = await joinedRoom(context, '11', (room) => {
    room.send(text('first'));
    room.add({ type: 'm.room.message', sender: '@nobody:two.test', content: { body: 'rejected' } });
    room.send(text('second'), { prev: [[...room.events.keys()].at(-1)!] });
    room.send(text('third'));
  });
  const aside = dag.add(text('aside'), { prev: [joinId] }).eventId;
  const asked = fetch();
  const [third, second, rejected, first] = [...dag.events.keys()].filter((eventId) => dag.pdu(eventId)!.type === 'm.room.message' && eventId !== aside).toReversed();
  await give(await world.need(), [third!, second!, rejected!, aside]);
  assert.deepEqual(await asked, { events: 2, more: true });
  assert.deepEqual((await told()).map(({ eventId }) => eventId), [third, second]);
  // Behind the rejected one it goes on.
  const more = fetch();
  const need = await world.need();
  assert.deepEqual(need.backfill?.eventIds, [first]);
  await give(need, dag.accepted);
  await more;
  assert.equal((await told()).at(-1)?.eventId, dag.createId);
});

test('who may see it is told by the settings that come with it; where they are not known, nobody may', async (context) => {
  const { world, dag, joinId, fetch, give, told } = await joinedRoom(context, '11', (room) => {
    room.send(text('default'));
    room.send(visibility('joined'));
    room.send(text('hidden'));
    room.send(visibility('world_readable'));
    room.send(text('open'));
    room.send(visibility('shared'));
    room.send(text('shared'));
  });
  const before = dag.accepted.slice(0, dag.accepted.indexOf(joinId));
  const parts = [before.slice(-4), before.slice(0, -4)];
  for (const part of parts) {
    const asked = fetch();
    await give(await world.need(), part);
    await asked;
  }
  const said = (await told()).flatMap(({ pdu, historyVisibility, historyAt }) => {
    const { type, content } = JSON.parse(Buffer.from(pdu).toString()) as Pdu;
    return type === 'm.room.message' ? [[content.body, historyVisibility, (historyAt ?? 0) > 0]] : [];
  });
  // The setting before `world_readable` came with it; that between the two fetches too.
  assert.deepEqual(said, [['shared', 'shared', true], ['open', 'world_readable', true], ['hidden', 'joined', false], ['default', 'shared', true]]);
});

test('redactions in it redact what is known and what comes later, and live ones what comes with it', async (context) => {
  const { world, dag, joinId, fetch, give, told } = await joinedRoom(context, '11', (room) => {
    const [one, two] = [room.send(text('one')), room.send(text('two'))];
    room.send(text('three'));
    room.send({ type: 'm.room.redaction', sender: BOB, content: { redacts: one } });
    room.send({ type: 'm.room.redaction', sender: CREATOR, content: { redacts: two } });
  });
  const ids = dag.accepted.filter((eventId) => dag.pdu(eventId)!.type === 'm.room.message');
  const live = dag.send({ type: 'm.room.redaction', sender: CREATOR, content: { redacts: ids[2]! } });
  await world.submit(dag.roomId, { receivePdu: received(dag, live) });
  const before = dag.accepted.slice(0, dag.accepted.indexOf(joinId));
  for (const part of [before.slice(-4), before.slice(0, -4)]) {
    const asked = fetch();
    await give(await world.need(), part);
    await asked;
  }
  const stored = await world.database.queryIn<{ event_id: string; json: Uint8Array; redacted_by: string | null }>('SELECT event_id, json, redacted_by FROM events WHERE event_id IN (??)', [], ids);
  for (const { event_id: eventId, json, redacted_by: by } of stored) assert.deepEqual([JSON.parse(unpackText(json)), by !== null], [redact(dag.pdu(eventId)!, dag.version), true]);
  for (const { eventId, pdu } of await told()) if (ids.includes(eventId)) assert.deepEqual((JSON.parse(Buffer.from(pdu).toString()) as Pdu).content, {}, dag.pdu(eventId)!.content.body as string);
  assert.deepEqual(await world.database.query('SELECT target_id FROM pending_redactions'), []);
  assert.equal((await roomQuery(world.database).someJoinedMembers(dag.roomId, 'three.test', 5))[0], DAVE);
});
