/** Redactions that arrive before what they redact: in one batch or in two, in memory or from the tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import type { EventDraft } from '../../../pkg/matrix/events/pdu.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { beginning, received } from '../../../test/kit/received-room.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { createRoomDriver, input, PARTITIONS, type RoomDriver } from '../../../test/kit/room-driver.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import { roomQuery, roomSnapshot } from '../index.ts';

const BOB = '@bob:two.test';
const DAVE = '@dave:three.test';
const EVE = '@eve:two.test';

interface Scene {
  readonly dag: RoomDag;
  readonly driver: RoomDriver;
  /** A sibling of `after`'s next event: it follows `after` and redacts `target`. */
  redaction(sender: string, target: string, after: string): string;
  send(batches: readonly (readonly string[])[]): Promise<void>;
  stored(eventId: string): Promise<{ content: Record<string, unknown>; redactedBy: string | null }>;
}

async function scene(work: (scene: Scene) => Promise<void>, version = '11'): Promise<void> {
  const dag = startRoom(version);
  const driver = await createRoomDriver();
  const { partition, effects } = beginning(dag, PARTITIONS.partitions);
  await driver.begin(partition, effects);
  const put = async (eventIds: readonly string[]): Promise<void> => {
    const answers = await driver.batch(eventIds.map((eventId) => input(dag.roomId, { receivePdu: received(dag, eventId) })));
    assert.ok(answers.every((answer) => 'ok' in answer), JSON.stringify(answers));
  };
  await put(dag.accepted.slice(1));
  const query = roomQuery(driver.database);
  await work({
    dag, driver,
    redaction(sender, target, after) {
      const draft: EventDraft = dag.version.redactsInContent
        ? { type: 'm.room.redaction', sender, content: { redacts: target } } : { type: 'm.room.redaction', sender, content: {}, redacts: target };
      return dag.send(draft, { prev: [after] });
    },
    async send(batches) {
      for (const batch of batches) await put(batch);
    },
    async stored(eventId) {
      const [event] = await query.eventsById([eventId]);
      return { content: (JSON.parse(Buffer.from(event!.pdu).toString()) as { content: Record<string, unknown> }).content, redactedBy: event!.redactedBy };
    },
  });
  await driver.close();
}

const message = (dag: RoomDag, sender: string): string => dag.send({ type: 'm.room.message', sender, content: { body: 'secret' } });

for (const [name, split] of [['in one batch', false], ['in two', true]] as const) {
  test(`its target is stored, told and remembered as redacted, ${name}`, () => scene(async ({ dag, driver, redaction, send, stored }) => {
    const tip = dag.newest;
    const target = message(dag, BOB);
    const by = redaction(BOB, target, tip);
    const other = message(dag, BOB);
    if (split) {
      await send([[by]]);
      assert.deepEqual(await driver.database.query('SELECT target_id FROM pending_redactions'), [{ target_id: target }]);
      for (let partition = 0; partition < 4; partition += 1) driver.processor.forget(partition);
      await send([[target], [other]]);
    } else {
      await send([[by, target, other]]);
    }
    assert.deepEqual(await stored(target), { content: {}, redactedBy: by });
    assert.deepEqual(await stored(other), { content: { body: 'secret' }, redactedBy: null });
    assert.deepEqual(await driver.database.query('SELECT * FROM pending_redactions'), []);
    const told = driver.outputs.find(({ output }) => output.event?.eventId === target)!.output.event!;
    assert.deepEqual([told.redactedBy, JSON.parse(Buffer.from(told.pdu).toString()).content], [by, {}]);
    const records = await roomSnapshot(driver.database, partitionOf(PARTITIONS, dag.roomId), 0, 1000);
    assert.equal(records.find(({ output }) => output.event?.eventId === by)!.output.event!.redacts, target, 'a read model that is built anew hears of it');
  }));
}

test('only who may redact does: the sender\'s server, and who has the power', () => scene(async ({ dag, redaction, send, stored }) => {
  await send([[EVE, DAVE].map((userId) => dag.send({ type: 'm.room.member', sender: userId, state_key: userId, content: { membership: 'join' } }))]);
  const tip = dag.newest;
  const [one, two, three] = [message(dag, BOB), message(dag, BOB), message(dag, BOB)];
  const [byStranger, byCreator, byOther] = [redaction(DAVE, one, tip), redaction(CREATOR, two, tip), redaction(EVE, three, tip)];
  await send([[byStranger, byCreator, byOther], [one, two], [three]]);
  assert.deepEqual([(await stored(one)).redactedBy, (await stored(two)).redactedBy, (await stored(three)).redactedBy], [null, byCreator, byOther]);
}));

test('a state event that was redacted early stands in the state with what is left of it', () => scene(async ({ dag, driver, redaction, send }) => {
  const tip = dag.newest;
  const topic = dag.send({ type: 'm.room.topic', sender: CREATOR, state_key: '', content: { topic: 'secret' } });
  const by = redaction(CREATOR, topic, tip);
  await send([[by], [topic]]);
  const [current] = await roomQuery(driver.database).currentState(dag.roomId, [['m.room.topic', '']]);
  assert.deepEqual([current!.eventId, current!.redactedBy, JSON.parse(Buffer.from(current!.pdu).toString()).content], [topic, by, {}]);
}));
