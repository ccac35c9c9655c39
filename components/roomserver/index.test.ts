import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCommandClient } from '../../pkg/log/command-client.ts';
import { createEmbeddedDriver, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations } from '../../pkg/log/embedded/driver.ts';
import { outboxReader } from '../../pkg/log/outbox.ts';
import { roomOutputCodec } from '../../pkg/log/codec.ts';
import { partitionOf } from '../../pkg/log/partition-map.ts';
import { outcomeLookup } from '../../pkg/log/remembered-inputs.ts';
import { logMigrations } from '../../pkg/log/tables.ts';
import { createRuntime } from '../../pkg/runtime/real/runtime.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { ALICE, KEY, message, newRoom, SERVER, START_MS } from '../../test/kit/room-driver.ts';
import { createRoomserver, ROOMSERVER_CONSUMER, roomserverMigrations } from './index.ts';

test('commands through the log come back as outcomes, and a repeated one as the same; the output log tells each event once', async () => {
  const runtime = createRuntime({ logger: createManualRuntime().logger });
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, START_MS);
  await migrate(database, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations, START_MS);
  await migrate(database, ROOMSERVER_CONSUMER, roomserverMigrations, START_MS);
  const partitionMap = { version: 1, partitions: 2 };
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime });
  const roomserver = createRoomserver({ runtime, database, driver, partitionMap, serverName: SERVER, signingKey: KEY });
  const source = { database, consumer: ROOMSERVER_CONSUMER };
  const commands = createCommandClient({ driver, runtime, partitionMap, lookup: outcomeLookup({ 'room-input': source, 'user-input': source }) });
  await roomserver.start();
  try {
    const room = newRoom();
    const created = await commands.submitRoomInput(room.input);
    assert.deepEqual([created.errcode, JSON.parse(Buffer.from(created.result).toString()), created.sequence], ['', { room_id: room.roomId }, 5]);
    const sent = await Promise.all(Array.from({ length: 20 }, (_, index) => commands.submitRoomInput(message(room.roomId, ALICE, `m${index}`))));
    assert.deepEqual(sent.map(({ sequence }) => sequence).sort((left, right) => left - right), Array.from({ length: 20 }, (_, index) => index + 6));
    const twice = message(room.roomId, ALICE, 'twice');
    const first = await commands.submitRoomInput(twice);
    const second = await commands.submitRoomInput(twice);
    assert.deepEqual([Buffer.from(second.result).toString(), second.sequence], [Buffer.from(first.result).toString(), first.sequence]);
    const refused = await commands.submitRoomInput(message(`!none:${SERVER}`, ALICE, 'x'));
    assert.deepEqual([refused.status, refused.errcode], [404, 'M_NOT_FOUND']);
    const { envelopes } = await outboxReader(database, 'room-output', ROOMSERVER_CONSUMER).read(partitionOf(partitionMap, room.roomId), 0, 100);
    assert.deepEqual(envelopes.map(({ record }) => roomOutputCodec.decode(record).event!.orderKey), Array.from({ length: 26 }, (_, index) => index + 1));
    assert.equal(roomserver.health(), undefined);
  } finally {
    await commands.close();
    await roomserver.stop();
    await driver.close();
    await database.close();
  }
});
