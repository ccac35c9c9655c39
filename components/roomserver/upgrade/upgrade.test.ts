/** Upgrades over the real log: whoever dies between two steps, the next owner carries it through, and nothing is done twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCommandClient } from '../../../pkg/log/command-client.ts';
import type { CommandClient } from '../../../pkg/log/commands.ts';
import { createEmbeddedDriver, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations } from '../../../pkg/log/embedded/driver.ts';
import { outcomeLookup } from '../../../pkg/log/remembered-inputs.ts';
import { logMigrations } from '../../../pkg/log/tables.ts';
import { createRuntime } from '../../../pkg/runtime/real/runtime.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { ALICE, BOB, input, json, KEY, member, newRoom, SERVER, START_MS, state } from '../../../test/kit/room-driver.ts';
import { readPublished } from '../directory/published-row.ts';
import { createRoomserver, roomQuery, ROOMSERVER_CONSUMER, roomserverMigrations } from '../index.ts';

const TEA = `#tea:${SERVER}`;

async function scene() {
  const runtime = createRuntime({ logger: createManualRuntime().logger });
  const database = await openSqlite({ path: ':memory:' });
  for (const [name, migrations] of [['log', logMigrations], [EMBEDDED_LOG_COMPONENT, embeddedLogMigrations], [ROOMSERVER_CONSUMER, roomserverMigrations]] as const) await migrate(database, name, migrations, START_MS);
  const partitionMap = { version: 1, partitions: 4 };
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime });
  const source = { database, consumer: ROOMSERVER_CONSUMER };
  const commands = createCommandClient({ driver, runtime, partitionMap, lookup: outcomeLookup({ 'room-input': source, 'user-input': source }) });
  const owner = (through: Pick<CommandClient, 'submitRoomInput'> | undefined) => createRoomserver({ runtime, database, driver, partitionMap, serverName: SERVER, signingKey: KEY, commands: through });
  const submit = async (one: RoomInput): Promise<Outcome> => commands.submitRoomInput({ ...one, originServerTs: runtime.clock.now() });
  const close = async (): Promise<void> => {
    await commands.close();
    await driver.close();
    await database.close();
  };
  const typesIn = async (roomId: string): Promise<string[]> =>
    (await database.query<{ type: string }>('SELECT type FROM events WHERE room_id = ? ORDER BY order_key', [roomId])).map(({ type }) => type);
  return { database, commands, owner, submit, close, typesIn };
}

const old = newRoom({ version: '11', name: 'old', joinRule: 'public', levels: { events: { 'm.room.tombstone': 100 } } });
const next = newRoom({ version: '11', name: 'next' });
const upgrade = (sender = ALICE, made = next): RoomInput => input(old.roomId, { upgradeRoom: { sender, newRoomId: made.roomId, newRoom: { ...made.input.createRoom!, sender } } });
const resultOf = (outcome: Outcome): Record<string, unknown> => JSON.parse(Buffer.from(outcome.result).toString() || '{}') as Record<string, unknown>;

async function furnish({ submit }: Awaited<ReturnType<typeof scene>>): Promise<void> {
  const inputs = [
    old.input, member(old.roomId, BOB, BOB, 'join'), input(TEA, { setAlias: { roomId: old.roomId, userId: ALICE, reservedUntilMs: 0, movedFrom: '' } }),
    state(old.roomId, ALICE, ['m.room.canonical_alias', ''], { alias: TEA, alt_aliases: ['#far:elsewhere.example'] }),
    input(old.roomId, { setRoomVisibility: { isPublic: true, network: '' } }), input(old.roomId, { setRoomVisibility: { isPublic: true, network: 'irc' } }),
  ];
  for (const one of inputs) assert.equal((await submit(one)).errcode, '');
}

const OLD_TYPES = ['create', 'member', 'power_levels', 'join_rules', 'history_visibility', 'member', 'canonical_alias', 'canonical_alias', 'tombstone', 'power_levels'].map((type) => `m.room.${type}`);

test('wherever the process dies, before or after a step was done, the next one carries the upgrade through, once', async () => {
  // The room, the alias, three events, four changes of the room directory, the end.
  const stepsMax = 10;
  for (let steps = 0; steps <= stepsMax; steps += 1) {
    for (const isDone of steps < stepsMax ? [false, true] : [false]) {
      const all = await scene();
      let taken = 0;
      // The process does the first steps; of the next one nothing, or all but to learn of it.
      const dying: Pick<CommandClient, 'submitRoomInput'> = {
        submitRoomInput: async (one, options) => {
          taken += 1;
          if (taken <= steps) return all.commands.submitRoomInput(one, options);
          if (isDone && taken === steps + 1) await all.commands.submitRoomInput(one, options);
          throw new Error('the process is dead');
        },
      };
      const first = all.owner(dying);
      await first.start();
      await furnish(all);
      const asked = all.submit(upgrade());
      const deadline = Date.now() + 5000;
      while (taken <= steps && steps < stepsMax && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
      if (steps === stepsMax) await asked;
      await first.stop();
      const second = all.owner(all.commands);
      await second.start();
      const outcome = await asked;
      const label = `after ${steps} steps${isDone ? ' and one that it did not hear of' : ''}`;
      assert.equal(resultOf(outcome)['replacement_room'], next.roomId, `${label}: ${outcome.errcode} ${outcome.error}`);
      assert.deepEqual(await all.typesIn(old.roomId), OLD_TYPES, label);
      assert.equal((await all.typesIn(next.roomId)).length, 5, label);
      assert.equal((await roomQuery(all.database).alias(TEA))?.roomId, next.roomId, label);
      const [alias] = await roomQuery(all.database).currentState(old.roomId, [['m.room.canonical_alias', '']]);
      assert.deepEqual(JSON.parse(Buffer.from(alias!.pdu).toString()).content, { alt_aliases: ['#far:elsewhere.example'] }, label);
      assert.deepEqual([...await readPublished(all.database, [old.roomId, next.roomId])].sort(), [[next.roomId, ['', 'irc']], [old.roomId, []]].sort(), label);
      await second.stop();
      await all.close();
    }
  }
});

test('who may not send the tombstone may not begin; who asks while it is under way, or after it, is told of the same room', async () => {
  const all = await scene();
  let held: (() => void) | undefined;
  const holding = new Promise<void>((resolve) => (held = resolve));
  const owner = all.owner({ submitRoomInput: async (one, options) => (await holding, all.commands.submitRoomInput(one, options)) });
  await owner.start();
  await furnish(all);
  assert.equal((await all.submit(upgrade(BOB))).errcode, 'M_FORBIDDEN');
  assert.equal((await all.submit({ ...upgrade(), roomId: `!none:${SERVER}` })).errcode, 'M_NOT_FOUND');
  const other = newRoom({ version: '11', name: 'other' });
  const both = [all.submit(upgrade()), all.submit(upgrade(ALICE, other))];
  assert.equal((await all.submit(upgrade(BOB, other))).errcode, 'M_FORBIDDEN', 'it is no way around');
  held!();
  const since = Date.now();
  assert.deepEqual((await Promise.all(both)).map((outcome) => resultOf(outcome)['replacement_room']), [next.roomId, next.roomId]);
  assert.ok(Date.now() - since < 10_000, 'they are told at once, and not when their time is over');
  assert.equal(resultOf(await all.submit(upgrade(ALICE, other)))['replacement_room'], next.roomId);
  assert.equal(await roomQuery(all.database).roomVersion(other.roomId), undefined);
  const newer = newRoom({ version: '12', name: 'newer' });
  assert.equal(resultOf(await all.submit(upgrade(ALICE, newer)))['replacement_room'], newer.roomId, 'another version is another wish');
  await owner.stop();
  await all.close();
});

test('a new room that is refused leaves the old one as it was, and the next try is free', async () => {
  const all = await scene();
  const owner = all.owner(all.commands);
  await owner.start();
  await furnish(all);
  const bad = { ...next, input: { ...next.input, createRoom: { ...next.input.createRoom!, events: [{ type: 'm.room.name', stateKey: '', content: json({ name: 5 }) }] } } };
  assert.equal((await all.submit(upgrade(ALICE, bad))).errcode, 'M_BAD_JSON');
  assert.deepEqual(await all.typesIn(old.roomId), OLD_TYPES.slice(0, 7));
  assert.equal((await roomQuery(all.database).alias(TEA))?.roomId, old.roomId);
  assert.equal(resultOf(await all.submit(upgrade()))['replacement_room'], next.roomId);
  await owner.stop();
  await all.close();
});
