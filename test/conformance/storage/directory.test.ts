/** The room directory, spaces, rooms in common, tags, reports and changes of profiles, on every database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomQuery } from '../../../components/roomserver/query/room-query.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import { SUMMARY_STATE } from '../../../pkg/matrix/room-summary/room-summary.ts';
import type { PublicRoomsWish } from '../../../schemas/ports/sync-query.ts';
import { createReadModel } from '../../kit/read-model.ts';
import { ALICE, BOB, createRoomDriver, input, json, member, newRoom, SERVER, state } from '../../kit/room-driver.ts';
import { openUserapi, registration } from '../../kit/user-driver.ts';
import { onEachBackend } from './backends.ts';

const list = (roomId: string, network: string, isPublic = true) => input(roomId, { setRoomVisibility: { isPublic, network } });
const refresh = (roomId: string, userId: string, displayname: string) => input(roomId, { refreshMember: { userId, profile: json({ displayname }) } });

onEachBackend('the room directory and what belongs to it', (backend) => {
  test('rooms are published, searched, paged and taken out again', async () => {
    const driver = await createRoomDriver({ database: await backend.open() });
    const rooms = ['one', 'two', 'three'].map((name) => newRoom({ name, joinRule: 'public' }));
    const ids = rooms.map(({ roomId }) => roomId);
    const query = roomQuery(driver.database);
    await driver.batch(rooms.map((room) => room.input));
    await driver.batch([...ids.map((roomId) => list(roomId, '')), list(ids[0]!, 'i_rc%'), member(ids[2]!, BOB, BOB, 'join'), state(ids[1]!, ALICE, ['m.room.name', ''], { name: 'Tea_\u00c4' })]);
    const model = await createReadModel({
      roomQuery: query, serverName: SERVER, database: await backend.open(), outputs: driver.outputs.map(({ output, ...at }) => ({ ...at, record: roomOutputCodec.encode(output) })),
    });
    const { syncQuery } = model;
    const page = async (wish: Partial<PublicRoomsWish> = {}) => {
      const { chunk, ...tokens } = await syncQuery.publicRooms({ limit: 10, ...wish });
      return { rooms: chunk.map((room) => room['room_id'] as string), ...tokens };
    };
    assert.deepEqual([(await page()).rooms[0], (await page()).rooms.length, (await page()).total_room_count_estimate], [ids[2], 3, 3]);
    const first = await page({ limit: 2 });
    const second = await page({ limit: 2, since: first.next_batch });
    assert.deepEqual([...first.rooms, ...second.rooms].sort(), [...ids].sort());
    assert.deepEqual([second.next_batch, (await page({ limit: 2, since: second.prev_batch })).rooms], [undefined, first.rooms]);
    assert.deepEqual([(await page({ search: 'TEA_\u00e4' })).rooms, (await page({ search: 'teax' })).rooms], [[ids[1]], []]);
    assert.deepEqual([(await page({ list: { network: 'i_rc%' } })).rooms, (await page({ list: { network: 'iarc%' } })).rooms, (await page({ list: 'all' })).rooms.length], [[ids[0]], [], 3]);
    assert.deepEqual([(await page({ roomTypes: [null] })).rooms.length, (await page({ roomTypes: ['m.space'] })).rooms.length], [3, 0]);
    assert.deepEqual(await syncQuery.joinedCounts([...ids, '!none:a']), new Map(ids.map((roomId, index) => [roomId, index === 2 ? 2 : 1])));
    assert.deepEqual(await syncQuery.mutualRooms([ALICE, BOB], { after: '', limit: 5 }), { roomIds: [ids[2]], count: 1 });
    assert.deepEqual(await syncQuery.standing(BOB), new Map([[ids[2]!, 'join']]));
    assert.deepEqual([await query.isPublished(ids[0]!), await query.isPublished('!none:a')], [true, false]);
    await driver.batch([list(ids[0]!, '', false), list(ids[0]!, 'i_rc%', false)]);
    assert.equal(await query.isPublished(ids[0]!), false);
  });

  test('states of several rooms are read at once, and members made anew', async () => {
    const driver = await createRoomDriver({ database: await backend.open() });
    const [space, other] = [newRoom({ name: 'space' }), newRoom({ name: 'other' })];
    await driver.batch([space.input, other.input]);
    await driver.send(state(space.roomId, ALICE, ['m.space.child', other.roomId], { via: [SERVER] }));
    const query = roomQuery(driver.database);
    const both = [space.roomId, other.roomId, '!none:a'];
    assert.deepEqual((await query.currentStates(both, SUMMARY_STATE)).filter(({ pdu }) => Buffer.from(pdu).includes('"m.room.create"')).map(({ roomId }) => roomId).sort(), [space.roomId, other.roomId].sort());
    assert.deepEqual((await query.spaceChildren(both)).map(({ roomId }) => roomId), [space.roomId]);
    assert.deepEqual([(await query.roomsWith(both, SERVER, ['join'])).size, (await query.roomsWith(both, SERVER, ['invite', 'ban'])).size, (await query.roomsWith([], SERVER, ['join'])).size], [2, 0, 0]);
    const told = driver.outputs.length;
    await driver.batch([refresh(space.roomId, ALICE, 'Al'), refresh(space.roomId, ALICE, 'Al'), refresh(space.roomId, BOB, 'Bob')]);
    await driver.send(refresh(space.roomId, ALICE, 'Al'));
    assert.equal(driver.outputs.length, told + 1);
    await driver.send(refresh('!none:a', ALICE, 'Al'));
  });

  test('tags, reports, and changes of profiles that are to be told', async () => {
    const database = await backend.open();
    const { batch, query } = await openUserapi(database);
    const tag = (name: string, content: Uint8Array) => ({ userId: ALICE, setTag: { roomId: '!r:a', tag: name, content } });
    await batch({ userId: ALICE, ...registration('A', 'a') });
    await batch(tag('m.favourite', json({ order: 0.5 })), tag('u.x', json({})), tag('u.x', new Uint8Array(0)));
    await batch(tag('u.y', json({})));
    assert.deepEqual(JSON.parse((await query.accountData(ALICE, '!r:a', 'm.tag'))!), { tags: { 'm.favourite': { order: 0.5 }, 'u.y': {} } });
    const report = (reason: string) => ({ userId: ALICE, report: { roomId: '!r:a', eventId: '', reportedUser: '', reason } });
    await batch(...Array.from({ length: 1005 }, (_, number) => report(`r${number}`)));
    const rows = await database.query<{ reason: string }>('SELECT reason FROM reports ORDER BY received_at');
    assert.deepEqual([rows.length, rows[0]!.reason], [1000, 'r5'], 'the oldest go');
    const rename = (name: string) => ({ userId: ALICE, setProfileField: { key: 'displayname', value: json(name) } });
    await batch(rename('Al'), rename('Ally'));
    const marks = async () => (await database.query<{ mark: number }>('SELECT mark FROM profile_changes')).map((row) => row.mark);
    const [mark] = await marks();
    await batch({ userId: ALICE, finishProfileSpread: { mark: mark! - 1 } });
    assert.deepEqual(await marks(), [mark]);
    await batch({ userId: ALICE, finishProfileSpread: { mark: mark! } });
    assert.deepEqual(await marks(), []);
  });
});
