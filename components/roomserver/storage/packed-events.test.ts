import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unpackJson, unpackText } from '../../../pkg/storage/packed-json.ts';
import { ALICE, BOB, createRoomDriver, eventIdIn, member, message, newRoom, redaction, state } from '../../../test/kit/room-driver.ts';
import { roomQuery } from '../query/room-query.ts';
import { roomSnapshot } from '../query/snapshot.ts';

test('events are stored packed; those that were stored before are read as well, and go on being used', async () => {
  const driver = await createRoomDriver();
  const room = newRoom({ version: '11', joinRule: 'public' });
  await driver.send(room.input);
  const { roomId } = room;
  const { partition } = driver.outputs[0]!;
  const sent = [eventIdIn(await driver.send(message(roomId, ALICE, 'one'))), eventIdIn(await driver.send(message(roomId, ALICE, 'two')))];
  const stored = (): Promise<{ event_id: string; json: Uint8Array }[]> => driver.database.query('SELECT event_id, json FROM events WHERE room_id = ? ORDER BY order_key', [roomId]);
  const told = async () => [await roomSnapshot(driver.database, partition, 0, 1000), await roomQuery(driver.database).eventsById(sent)];
  const [before, packed] = [await told(), await stored()];
  for (const { json } of packed) assert.ok(json.byteLength < unpackJson(json).byteLength * 0.75);
  await driver.database.transaction(async (tx) => {
    for (const { event_id: eventId, json } of packed) await tx.run('UPDATE events SET json = ? WHERE event_id = ?', [unpackJson(json), eventId]);
  });
  assert.deepEqual(await told(), before);
  // Nobody's memory helps: what authorises and what is redacted is read from the rows.
  driver.processor.forget(partition);
  eventIdIn(await driver.send(member(roomId, BOB, BOB, 'join')));
  eventIdIn(await driver.send(state(roomId, ALICE, ['m.room.topic', ''], { topic: 'new' })));
  eventIdIn(await driver.send(redaction(roomId, ALICE, sent[0]!)));
  const [first, , last] = [...(await stored()).filter(({ event_id: eventId }) => sent.includes(eventId)), (await stored()).at(-1)!];
  assert.deepEqual((JSON.parse(unpackText(first!.json)) as { content: unknown }).content, {});
  assert.ok(last!.json.byteLength < unpackJson(last!.json).byteLength * 0.75);
  await driver.close();
});
