/** What rooms have beside their events, on every database: aliases, upgrades, forgotten rooms, redactions that came early. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadEarly, writeEarly } from '../../../components/roomserver/receive/early-redactions.ts';
import { createGraph } from '../../../components/roomserver/receive/room-graph.ts';
import { roomQuery } from '../../../components/roomserver/query/room-query.ts';
import { roomSnapshot } from '../../../components/roomserver/query/snapshot.ts';
import { writeUpgrades } from '../../../components/roomserver/upgrade/commit-upgrades.ts';
import { readUnfinished, readUpgrade, type UpgradeRow } from '../../../components/roomserver/upgrade/upgrade-row.ts';
import type { AcceptedInput, NewEvent, RoomEffects } from '../../../components/roomserver/input/effects.ts';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import { ALICE, assertRefused, BOB, createRoomDriver, input, member, newRoom, PARTITIONS, SERVER, START_MS } from '../../kit/room-driver.ts';
import { HistoryLog, RoomHistory } from '../../kit/room-history.ts';
import { createSyncWorld } from '../../kit/sync-world.ts';
import { onEachBackend } from './backends.ts';

const TEA = `#tea:${SERVER}`;

onEachBackend('what rooms have beside their events', (backend) => {
  test('aliases and forgotten rooms', async () => {
    const driver = await createRoomDriver({ database: await backend.open() });
    const [old, next] = [newRoom({ name: 'old', joinRule: 'public' }), newRoom({ name: 'next' })];
    const { roomId } = old;
    const set = (movedFrom: string, target: string, reservedUntilMs = 0) => input(TEA, { setAlias: { roomId: target, userId: ALICE, reservedUntilMs, movedFrom } });
    assert.deepEqual(await driver.send(set('', roomId, START_MS + 1)), { ok: {} });
    await driver.batch([old.input, next.input]);
    assertRefused(await driver.send(set('', next.roomId)), 409, 'M_UNKNOWN');
    const query = roomQuery(driver.database);
    assert.deepEqual([await query.alias(TEA), await query.aliasesOf(roomId), await query.someServers(roomId, 5)], [{ roomId, creator: ALICE }, [TEA], [SERVER]]);
    assert.deepEqual(await driver.send(set(roomId, next.roomId)), { ok: {} });
    assert.deepEqual([await query.aliasesOf(roomId), await query.aliasesOf(next.roomId), await query.alias('#a\0b:c'), await query.aliasesOf('a\0b')], [[], [TEA], undefined, []]);
    assert.deepEqual(await driver.send(input(TEA, { deleteAlias: { roomId: next.roomId, reservedOnly: false } })), { ok: {} });
    const forget = () => input(roomId, { forgetRoom: { userId: BOB } });
    await driver.batch([member(roomId, BOB, BOB, 'join'), member(roomId, BOB, BOB, 'leave'), forget()]);
    await driver.send(forget());
    const records = await roomSnapshot(driver.database, partitionOf(PARTITIONS, roomId), 0, 1000);
    assert.deepEqual(records.flatMap(({ output }) => output.forgotten?.userId ?? []), [BOB]);
  });

  test('upgrades', async () => {
    const { database } = await createRoomDriver({ database: await backend.open() });
    const row: UpgradeRow = { roomId: '!a', inputId: 'i', sender: ALICE, roomVersion: '12', newRoomId: '!b', newRoom: Buffer.from('room'), parkedKey: 'k', result: '', createdAtMs: 5 };
    const write = (upgrade: UpgradeRow) => database.transaction((tx) => writeUpgrades(tx, [accepted({ upgrade })]));
    await write(row);
    assert.deepEqual([(await readUnfinished(database, [3, 4], 9)).map(({ roomId }) => roomId), await readUnfinished(database, [4], 9), await readUnfinished(database, [], 9)], [['!a'], [], []]);
    await write({ ...row, newRoom: new Uint8Array(0), result: '{}' });
    assert.deepEqual(await readUnfinished(database, [3], 9), []);
    const read = await readUpgrade(database, '!a');
    assert.deepEqual([read?.result, read?.newRoom.length, await readUpgrade(database, '!none')], ['{}', 0, undefined]);
  });

  test('redactions that came early', async () => {
    const { database } = await createRoomDriver({ database: await backend.open() });
    const waiting = { eventId: '$r', pdu: { sender: BOB }, waitsFor: { eventId: '$t', byPower: true } } as unknown as NewEvent;
    const early = async () => {
      const graph = createGraph('!a');
      await loadEarly(database, new Map([['!a', graph]]), ['$t', '$other']);
      return graph.early.get('$t');
    };
    await database.transaction((tx) => writeEarly(tx, [accepted({ events: [waiting] }), accepted({ events: [waiting] })]));
    assert.deepEqual(await early(), [{ eventId: '$r', sender: BOB, byPower: true }]);
    await database.transaction((tx) => writeEarly(tx, [accepted({ redactions: [{ eventId: '$t', redactedBy: '$r', bytes: new Uint8Array(0), isEarly: true }] })]));
    assert.equal(await early(), undefined);
  });

  test('the read model forgets what its users forget', async () => {
    const log = new HistoryLog();
    const room = new RoomHistory(log, { name: 'tea', creator: '@alice:history.test' });
    const world = await createSyncWorld(log, { database: await backend.open() });
    room.member('@bob:history.test', 'join');
    room.member('@bob:history.test', 'leave');
    log.append({ roomId: room.roomId, roomVersion: room.version.id, forgotten: { userId: '@bob:history.test' } });
    await world.apply();
    assert.equal((await world.get('@bob:history.test', `/rooms/${room.roomId}/state`)).status, 403);
    assert.equal((await world.sync('@bob:history.test', { filter: '{"room":{"include_leave":true}}' })).rooms, undefined);
  });
});

function accepted(effects: Partial<RoomEffects>): AcceptedInput {
  return { place: { partition: 3, epoch: 1, nextSequence: 1, nowMs: 5 }, effects: { inputId: 'i', roomId: '!a', events: [], redactions: [], ...effects } };
}
