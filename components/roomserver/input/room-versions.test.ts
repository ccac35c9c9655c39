/** What differs between room versions, as far as a room that is made and used here shows it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkIntegrity } from '../../../pkg/matrix/events/check-received.ts';
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { referenceTo } from '../../../pkg/matrix/events/references.ts';
import { ROOM_VERSIONS, roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { verifyEvent } from '../../../pkg/matrix/signing/sign-event.ts';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import {
  ALICE, assertRefused, BOB, CAROL, createRoomDriver, eventIdIn, KEY, member, message, newRoom, redaction, SERVER, state, type RoomDriver,
} from '../../../test/kit/room-driver.ts';

async function withRoom(version: string, work: (driver: RoomDriver, roomId: string) => Promise<void>): Promise<void> {
  const driver = await createRoomDriver();
  try {
    const room = newRoom({ version });
    for (const one of [room.input, member(room.roomId, ALICE, BOB, 'invite'), member(room.roomId, BOB, BOB, 'join')]) assert.ok('ok' in (await driver.send(one)));
    await work(driver, room.roomId);
  } finally {
    await driver.close();
  }
}

/** The events so far, by ID, each of them checked as another server would. */
function checkedEvents({ outputs }: RoomDriver, versionId: string): Map<string, Pdu> {
  const version = roomVersion(versionId)!;
  const events = new Map<string, Pdu>();
  for (const { output } of outputs) {
    const value = JSON.parse(Buffer.from(output.event!.pdu).toString()) as Pdu;
    const signedBy = (serverName: string, event: Pdu): boolean => verifyEvent(event, version, { serverName, keyId: KEY.keyId, publicKey: KEY.publicKey });
    const intact = checkIntegrity({ value, version, signedBy });
    assert.ok(!('outcome' in intact), 'reason' in intact ? intact.reason : '');
    assert.deepEqual([intact.eventId, intact.redacted], [output.event!.eventId, false]);
    events.set(intact.eventId, value);
  }
  return events;
}

for (const { id: versionId } of ROOM_VERSIONS) {
  test(`version ${versionId}: a room is made and used, and other servers take every event of it`, () => withRoom(versionId, async (driver, roomId) => {
    const slip = eventIdIn(await driver.send(message(roomId, BOB, 'a slip')));
    eventIdIn(await driver.send(redaction(roomId, BOB, slip)));
    // As after a restart: the head comes out of the tables.
    driver.processor.forget(driver.outputs[0]!.partition);
    eventIdIn(await driver.send(state(roomId, ALICE, ['m.room.topic', ''], { topic: 'Tea' })));
    const [, , ban] = (await driver.batch([message(roomId, ALICE, 'one'), message(roomId, BOB, 'two'), member(roomId, ALICE, BOB, 'ban')])).map(eventIdIn);
    assertRefused(await driver.send(message(roomId, BOB, 'out')), 403, 'M_FORBIDDEN');
    const events = checkedEvents(driver, versionId);
    assert.equal(events.size, driver.outputs.length);
    const version = roomVersion(versionId)!;
    for (const pdu of events.values()) {
      for (const key of ['prev_events', 'auth_events'] as const) {
        for (const [index, reference] of pdu[key].entries()) {
          const eventId = Array.isArray(reference) ? (reference as string[])[0]! : reference;
          assert.deepEqual(reference, referenceTo({ eventId, pdu: events.get(eventId)! }, version), `${key} ${index} of ${pdu.type}`);
        }
      }
      assert.equal('event_id' in pdu, ['1', '2'].includes(versionId));
    }
    assert.equal(prevEventIds(events.get(ban!)!).length, 1);
    assert.match(slip, { 1: /^\$[\w-]{22}:test\.example$/, 2: /^\$[\w-]{22}:test\.example$/, 3: /^\$[\w+/]{43}$/ }[versionId] ?? /^\$[\w-]{43}$/);
  }));
}

/** The versions in which the input is taken. */
async function versionsThatTake(joinRule: string, one: (roomId: string) => ReturnType<typeof message>): Promise<string> {
  const taken: string[] = [];
  for (const { id } of ROOM_VERSIONS) {
    await withRoom(id, async (driver, roomId) => {
      if (joinRule !== 'invite') await driver.send(state(roomId, ALICE, ['m.room.join_rules', ''], { join_rule: joinRule }));
      if ('ok' in (await driver.send(one(roomId)))) taken.push(id);
    });
  }
  return taken.join(' ');
}

test('what only some versions allow', async () => {
  const levels = (roomId: string, ban: unknown) => state(roomId, ALICE, ['m.room.power_levels', ''], { users: { [ALICE]: 100 }, ban });
  assert.equal(await versionsThatTake('knock', (roomId) => member(roomId, CAROL, CAROL, 'knock')), '7 8 9 10 11 12');
  assert.equal(await versionsThatTake('knock_restricted', (roomId) => member(roomId, CAROL, CAROL, 'knock')), '10 11 12');
  assert.equal(await versionsThatTake('invite', (roomId) => state(roomId, BOB, ['m.room.aliases', SERVER], { aliases: [] })), '1 2 3 4 5');
  // Version 12 does not let the power levels name the creator.
  // Where the rules allow strings, users here are kept from sending them all the same (rooms/v1, "Deprecated event content schemas").
  assert.equal(await versionsThatTake('invite', (roomId) => levels(roomId, '50')), '');
  assert.equal(await versionsThatTake('invite', (roomId) => levels(roomId, 50)), '1 2 3 4 5 6 7 8 9 10 11');
});

test('what a redaction leaves of aliases and of a restricted join rule', async () => {
  const left = new Map<string, string>();
  for (const { id } of ROOM_VERSIONS) {
    await withRoom(id, async (driver, roomId) => {
      const aliases = eventIdIn(await driver.send(state(roomId, ALICE, ['m.room.aliases', SERVER], { aliases: ['#a:b'], more: 1 })));
      const rule = eventIdIn(await driver.send(state(roomId, ALICE, ['m.room.join_rules', ''], { join_rule: 'invite', allow: [] })));
      await driver.batch([redaction(roomId, ALICE, aliases), redaction(roomId, ALICE, rule)]);
      const rows = await driver.database.query<{ json: Uint8Array }>('SELECT json FROM events WHERE redacted_by IS NOT NULL ORDER BY order_key');
      left.set(id, rows.map(({ json }) => Object.keys((JSON.parse(unpackText(json)) as Pdu).content).join()).join(' '));
    });
  }
  assert.deepEqual([...left.values()], [...Array<string>(5).fill('aliases join_rule'), ...Array<string>(2).fill(' join_rule'), ...Array<string>(5).fill(' allow,join_rule')]);
});
