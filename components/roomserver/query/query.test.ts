import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reader } from '../../../pkg/storage/database.ts';
import { ALICE, BOB, createRoomDriver, eventIdIn, member, message, newRoom, receipt, redaction, SERVER, state } from '../../../test/kit/room-driver.ts';
import { roomQuery } from './room-query.ts';
import { roomSnapshot } from './snapshot.ts';

async function twoRoomsInOnePartition() {
  const driver = await createRoomDriver();
  const a = newRoom({ version: '11', name: 'a', joinRule: 'public' });
  await driver.send(a.input);
  const partition = driver.outputs[0]!.partition;
  for (let number = 0; ; number += 1) {
    const b = newRoom({ version: '11', name: `b${number}` });
    const before = driver.outputs.length;
    await driver.send(b.input);
    if (driver.outputs[before]!.partition === partition) return { driver, partition, a: a.roomId, b: b.roomId };
  }
}

test('the snapshot tells two interleaved rooms in the order of their partition, page by page, receipts in their places', async () => {
  const { driver, partition, a, b } = await twoRoomsInOnePartition();
  await driver.send(member(a, BOB, BOB, 'join'));
  const sent: string[] = [];
  for (let round = 0; round < 6; round += 1) {
    sent.push(eventIdIn(await driver.send(message(a, ALICE, `a${round}`))));
    await driver.send(message(b, ALICE, `b${round}`));
    await driver.send(receipt(a, BOB, sent.at(-1)!));
  }
  await driver.send(redaction(a, ALICE, sent[0]!));
  const live = driver.outputs.filter((record) => record.partition === partition);
  const replaced = live.filter(({ output }) => output.receipt).slice(0, -1).map(({ sequence }) => sequence);
  for (const limit of [1, 3, 5, 100]) {
    const sequences: number[] = [];
    for (let page = await roomSnapshot(driver.database, partition, 0, limit); page.length > 0; page = await roomSnapshot(driver.database, partition, sequences.at(-1)!, limit)) {
      assert.ok(page.length <= limit);
      sequences.push(...page.map(({ sequence }) => sequence));
    }
    assert.deepEqual(sequences, live.map(({ sequence }) => sequence).filter((sequence) => !replaced.includes(sequence)));
  }
  const records = await roomSnapshot(driver.database, partition, 0, 1000);
  const redacted = records.find(({ output }) => output.event?.eventId === sent[0])!.output.event!;
  assert.deepEqual((JSON.parse(Buffer.from(redacted.pdu).toString()) as { content: unknown }).content, {});
  assert.equal(records.at(-1)!.output.event!.redacts, sent[0]);
});

test('what is committed between the statements of a page is left to the next page', async () => {
  const { driver, partition, a } = await twoRoomsInOnePartition();
  const sent = eventIdIn(await driver.send(message(a, ALICE, 'first')));
  const before = driver.outputs.length;
  let statements = 0;
  // After each statement of the page, the owner commits an event and a receipt.
  const reader: Reader = {
    queryIn: (...args) => driver.database.queryIn(...args),
    async query(sql, params) {
      const rows = await driver.database.query(sql, params);
      statements += 1;
      await driver.batch([message(a, ALICE, `beside ${statements}`), receipt(a, ALICE, sent, { receiptType: `t${statements}` })]);
      return rows as never[];
    },
  };
  const page = await roomSnapshot(reader, partition, 0, 1000);
  assert.ok(statements > 1);
  const upTo = driver.outputs.slice(0, before).filter((record) => record.partition === partition);
  assert.deepEqual(page.map(({ sequence }) => sequence), upTo.map(({ sequence }) => sequence));
});

test('the query finds events, state by keys and whole, and versions; what does not exist is not there', async () => {
  const { driver, a, b } = await twoRoomsInOnePartition();
  const query = roomQuery(driver.database);
  const sent = eventIdIn(await driver.send(message(a, ALICE, 'x')));
  const redactionId = eventIdIn(await driver.send(redaction(a, ALICE, sent)));
  const topic = eventIdIn(await driver.send(state(b, ALICE, ['m.room.topic', ''], { topic: 't' })));
  const found = await query.eventsById([sent, topic, '$none', sent, 'a\0b']);
  assert.deepEqual(found.map(({ eventId, roomId, roomVersion, redactedBy, orderKey }) => [eventId, roomId, roomVersion, redactedBy, orderKey]).sort(), [
    [sent, a, '11', redactionId, 6], [topic, b, '11', null, 6],
  ].sort());
  assert.deepEqual((await query.currentState(b, [['m.room.topic', ''], ['m.room.member', BOB], ['x', '\0']])).map(({ eventId }) => eventId), [topic]);
  assert.equal((await query.currentState(b)).length, 6);
  assert.deepEqual(await query.currentState(`!none:${SERVER}`), []);
  assert.deepEqual(await query.eventsById([]), []);
  assert.equal(await query.roomVersion(a), '11');
  assert.equal(await query.roomVersion('!no\0where'), undefined);
});

test('who is banned now is told, in order and up to a limit; who was is not', async () => {
  const { driver, a, b } = await twoRoomsInOnePartition();
  const users = ['@m1', '@m2', '@m3', '@m4'].map((name) => `${name}:elsewhere.example`);
  for (const userId of users) eventIdIn(await driver.send(member(a, ALICE, userId, 'ban')));
  eventIdIn(await driver.send(member(a, ALICE, users[1]!, 'leave')));
  eventIdIn(await driver.send(member(b, ALICE, BOB, 'ban')));
  const query = roomQuery(driver.database);
  const banned = async (roomId: string, limit: number) => (await query.bannedMembers(roomId, limit)).map(({ pdu }) => (JSON.parse(Buffer.from(pdu).toString()) as { state_key: string }).state_key);
  assert.deepEqual([await banned(a, 10), await banned(a, 2), await banned(`!none\0:${SERVER}`, 2)], [[users[0], users[2], users[3]], [users[0], users[2]], []]);
  await driver.close();
});
