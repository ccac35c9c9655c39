import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rounds } from '../../../pkg/runtime/rounds.ts';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { createManualRuntime, type ManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { ALICE, BOB, json, openUserapi, PARTITION, registration, type UserDriver } from '../../../test/kit/user-driver.ts';
import { createProfileSpreader } from './spread.ts';

const OUTCOME: Outcome = { inputId: '', partition: 0, sequence: 1, result: new Uint8Array(0), errcode: '', error: '', status: 200, errorFields: new Uint8Array(0) };
const rename = (userId: string, name: string) => ({ userId, setProfileField: { key: 'displayname', value: json(name) } });

interface World {
  readonly driver: UserDriver;
  readonly runtime: ManualRuntime;
  /** `room: name` of each input that a room's owner was given. */
  readonly told: string[];
  /** Rooms that do not answer. */
  readonly dead: Set<string>;
  spreader(owned?: readonly number[]): Rounds;
  waiting(): Promise<string[]>;
  settle(): Promise<void>;
}

async function openWorld(rooms: Record<string, string[]>): Promise<World> {
  const driver = await openUserapi();
  const runtime = createManualRuntime();
  const told: string[] = [];
  const dead = new Set<string>();
  const submitRoomInput = async ({ roomId, refreshMember }: Omit<RoomInput, 'replyTo' | 'deadlineMs'>): Promise<Outcome> => {
    if (dead.has(roomId)) throw new Error('no answer');
    told.push(`${roomId}: ${(JSON.parse(Buffer.from(refreshMember!.profile).toString()) as { displayname?: string }).displayname}`);
    return OUTCOME;
  };
  return {
    driver, runtime, told, dead,
    spreader: (owned = [PARTITION]) => createProfileSpreader({
      database: driver.database, runtime, owned: () => owned, syncQuery: { joinedRooms: async (userId) => rooms[userId] ?? [] },
      commands: { submitRoomInput, submitUserInput: async ({ inputId: _inputId, traceId: _traceId, ts: _ts, ...kind }) => (await driver.batch(kind), OUTCOME) },
    }),
    waiting: async () => (await driver.database.query<{ user_id: string }>('SELECT user_id FROM profile_changes')).map((row) => row.user_id),
    settle: async () => {
      for (let turn = 0; turn < 40; turn += 1) await runtime.advance(50);
    },
  };
}

test('a change that the process died over is told to all rooms by the next owner of the user', async () => {
  const world = await openWorld({ [ALICE]: Array.from({ length: 20 }, (_, number) => `!${number}`), [BOB]: ['!bob'] });
  await world.driver.batch({ userId: ALICE, ...registration('A', 'a') }, { userId: BOB, ...registration('B', 'b') }, rename(ALICE, 'Al'), rename(ALICE, 'Ally'), rename(BOB, 'Bobby'));
  assert.deepEqual((await world.waiting()).sort(), [ALICE, BOB]);
  const stranger = world.spreader([PARTITION + 1]);
  stranger.start();
  await world.settle();
  assert.deepEqual(world.told, [], 'another process owns these users');
  await stranger.stop();
  const next = world.spreader();
  next.start();
  await world.settle();
  assert.deepEqual(world.told.sort(), [...Array.from({ length: 20 }, (_, number) => `!${number}: Ally`), '!bob: Bobby'].sort());
  assert.deepEqual(await world.waiting(), []);
  await next.stop();
});

test('rooms that do not answer are told again later, and a change that comes meanwhile is not lost', async () => {
  const world = await openWorld({ [ALICE]: ['!one', '!two'], [BOB]: ['!bob'] });
  await world.driver.batch({ userId: ALICE, ...registration('A', 'a') }, { userId: BOB, ...registration('B', 'b') }, rename(ALICE, 'Al'), rename(BOB, 'Bobby'));
  world.dead.add('!two');
  const spreader = world.spreader();
  spreader.start();
  await world.settle();
  assert.deepEqual([world.told.sort(), await world.waiting()], [['!bob: Bobby', '!one: Al'], [ALICE]]);
  world.dead.clear();
  await world.runtime.advance(10_000);
  await world.settle();
  assert.deepEqual([world.told.filter((line) => line.startsWith('!two')), await world.waiting()], [['!two: Al'], []]);
  await world.driver.batch(rename(ALICE, 'Ally'));
  const [{ mark }] = await world.driver.database.query<{ mark: number }>('SELECT mark FROM profile_changes') as [{ mark: number }];
  await world.driver.batch(rename(ALICE, 'Alison'), { userId: ALICE, finishProfileSpread: { mark } });
  assert.deepEqual(await world.waiting(), [ALICE], 'what was told was the change before');
  spreader.nudge();
  await world.settle();
  assert.deepEqual([world.told.at(-1), await world.waiting()], ['!two: Alison', []]);
  await spreader.stop();
});

test('what is no name or picture concerns no room, nor does the same name again', async () => {
  const world = await openWorld({});
  await world.driver.batch({ userId: ALICE, ...registration('A', 'a') }, { userId: ALICE, setProfileField: { key: 'm.tz', value: json('Europe/London') } });
  assert.deepEqual(await world.waiting(), []);
  await world.driver.batch(rename(ALICE, 'Al'), { userId: ALICE, finishProfileSpread: { mark: 100 } }, rename(ALICE, 'Al'));
  assert.deepEqual(await world.waiting(), []);
});
