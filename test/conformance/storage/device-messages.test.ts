/** Messages to devices and key backups are the same on every database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dequeueUnits, enqueueUnits, keepNewestUnits, readUnitQueue, type QueuedUnit } from '../../../components/federationapi/storage/unit-queue.ts';
import { federationapiMigrations } from '../../../components/federationapi/index.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { ALICE, BOB, deviceWith, json, openUserapi, registration, type Wish } from '../../kit/user-driver.ts';
import { onEachBackend } from './backends.ts';

onEachBackend('messages to devices and key backups', (backend) => {
  test('messages wait, are read by ranges, and go', async () => {
    const { query, database, batch } = await openUserapi(await backend.open());
    await batch({ userId: ALICE, ...registration('ONE', 'a') }, { userId: ALICE, login: { device: deviceWith('TWO', 'b') } });
    const send = (n: number, deviceId: string): Wish => ({ userId: ALICE, sendToDevice: { sender: BOB, type: 't', targets: [{ userId: ALICE, deviceId, content: 0 }], contents: [json({ n, text: 'Caf\u00e9 \u0000' })] } });
    await batch(...Array.from({ length: 50 }, (_, n) => send(n, n % 2 === 0 ? '*' : 'ONE')));
    const read = (deviceId: string, after: number, limit: number) => query.toDevice({ userId: ALICE, deviceId }, { after, upTo: 1000, limit });
    const numbers = (messages: Awaited<ReturnType<typeof read>>) => messages.map(({ event }) => (JSON.parse(event) as { content: { n: number } }).content.n);
    const first = await read('ONE', 0, 30);
    assert.deepEqual(numbers(first), Array.from({ length: 30 }, (_, n) => n));
    assert.deepEqual(numbers(await read('ONE', first.at(-1)!.sequence, 30)), Array.from({ length: 20 }, (_, n) => 30 + n));
    assert.deepEqual(numbers(await read('TWO', 0, 100)), Array.from({ length: 25 }, (_, n) => 2 * n));
    await batch({ userId: ALICE, ackToDevice: { deviceId: 'ONE', sequence: first.at(-1)!.sequence } }, { userId: ALICE, logout: { deviceId: 'TWO' } });
    assert.deepEqual(numbers(await read('ONE', 0, 100)), Array.from({ length: 20 }, (_, n) => 30 + n));
    assert.equal((await database.query('SELECT shared FROM to_device_shared')).length, 10);
    await batch({ userId: ALICE, ackToDevice: { deviceId: 'ONE', sequence: 1000 } });
    assert.deepEqual([await database.query('SELECT shared FROM to_device_shared'), await database.query('SELECT sequence FROM to_device')], [[], []]);
  });

  test('keys go into backups and out of them', async () => {
    const { query, batch } = await openUserapi(await backend.open());
    const change = (put: readonly (readonly [string, string, number])[], roomId = '', sessionId = ''): Wish => ({ userId: ALICE, changeBackupKeys: {
      version: '1', roomId, sessionId, takesOut: put.length === 0,
      put: put.map(([room, session, firstMessageIndex]) => ({ roomId: room, sessionId: session, firstMessageIndex, forwardedCount: 0, isVerified: false, sessionData: json({ room, session, firstMessageIndex }) })),
    } });
    await batch({ userId: ALICE, ...registration('ONE', 'a') }, { userId: ALICE, createKeyBackup: { algorithm: 'a', authData: json({}) } });
    await batch(change([['!b', '1', 5], ['!a', '2', 5], ['!a', '10', 5]]), change([['!a', '2', 4], ['!b', '1', 6]]), change([], '!c'), change([['!c', '1', 1], ['!c', '2', 1]]), change([], '!c', '1'));
    const keys = async (wish: object) => (await query.backupKeys(ALICE, '1', { roomId: '', sessionId: '', after: { roomId: '', sessionId: '' }, limit: 10, ...wish }))
      .map(({ roomId, sessionId, json: text }) => `${roomId} ${sessionId} ${(JSON.parse(text) as { first_message_index: number }).first_message_index}`);
    assert.deepEqual(await keys({}), ['!a 10 5', '!a 2 4', '!b 1 5', '!c 2 1']);
    assert.deepEqual(await keys({ after: { roomId: '!a', sessionId: '10' }, limit: 2 }), ['!a 2 4', '!b 1 5']);
    assert.deepEqual([(await query.keyBackup(ALICE))!.count, (await query.keyBackup(ALICE))!.etag], [4, '4']);
    await batch(change([], '!a'));
    assert.deepEqual([await keys({}), (await query.keyBackup(ALICE))!.count], [['!b 1 5', '!c 2 1'], 2]);
    await batch({ userId: ALICE, deleteKeyBackup: { version: '1' } }, { userId: ALICE, createKeyBackup: { algorithm: 'a', authData: json({}) } });
    assert.deepEqual([await keys({}), (await query.keyBackup(ALICE))!.version], [[], '2']);
  });

  test('units for other servers are queued once, in order, and the oldest are given up', async () => {
    const database = await backend.open();
    await migrate(database, 'federationapi', federationapiMigrations, 0);
    const unit = (destination: string, originPartition: number, originSequence: number, number: number): QueuedUnit => ({ destination, originPartition, originSequence, number, json: `{"n":${originSequence}}` });
    const units = [unit('b', 2, 1, 0), unit('b', 1, 9, 1), unit('b', 1, 9, 0), unit('c', 1, 9, 2), unit('b', 1, 10, 0)];
    for (const nowMs of [1, 2]) await database.transaction((tx) => enqueueUnits(tx, units, { nowMs, partitionOfDestination: () => 0 }));
    const places = async (destination: string) => (await readUnitQueue(database, destination, 10)).map(({ originPartition, originSequence, number }) => [originPartition, originSequence, number]);
    assert.deepEqual(await places('b'), [[1, 9, 0], [1, 9, 1], [1, 10, 0], [2, 1, 0]]);
    await database.transaction(async (tx) => dequeueUnits(tx, await readUnitQueue(tx, 'b', 2)));
    assert.deepEqual(await places('b'), [[1, 10, 0], [2, 1, 0]]);
    await database.transaction((tx) => enqueueUnits(tx, [unit('b', 3, 1, 0)], { nowMs: 5, partitionOfDestination: () => 0 }));
    assert.deepEqual([await keepNewestUnits(database, 'b', 3), await keepNewestUnits(database, 'b', 1)], [0, 2]);
    assert.deepEqual([await places('b'), await places('c')], [[[3, 1, 0]], [[1, 9, 2]]]);
  });
});
