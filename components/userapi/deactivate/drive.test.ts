/** Deactivations over the real owners: whoever dies between two steps, the next one carries them through, and no room is left twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import { createClientWorld, WORLD_SERVER, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';
import { createDeactivator, type DeactivatorDeps } from './drive.ts';

const V3 = '/_matrix/client/v3';
const ROOMS = 5;

function depsOf(world: ClientWorld, commands: Partial<DeactivatorDeps['commands']> = {}): DeactivatorDeps {
  return {
    database: world.userDatabase, runtime: world.runtime, serverName: WORLD_SERVER, syncQuery: world.syncQuery, roomQuery: world.roomQuery, owned: () => [0, 1, 2, 3],
    commands: { submitRoomInput: world.rooms.submit, submitUserInput: world.users.submit, ...commands },
  };
}

/** Alice is in rooms, invited to one, and has knocked on one; then her account ends. */
async function scene(): Promise<{ world: ClientWorld; alice: Session; rooms: string[] }> {
  const world = await createClientWorld();
  const [alice, bob] = [await world.register('alice'), await world.register('bob')];
  const ask = async ({ token }: Session, method: string, path: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await world.call(method, V3 + path, { token, body });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  };
  const create = async (body: object) => (await ask(bob, 'POST', '/createRoom', body))['room_id'] as string;
  const rooms: string[] = [];
  for (let number = 0; number < ROOMS - 2; number += 1) {
    rooms.push(await create({ preset: 'public_chat' }));
    await ask(alice, 'POST', `/rooms/${encodeURIComponent(rooms[number]!)}/join`, {});
  }
  rooms.push(await create({ preset: 'private_chat', invite: [alice.userId] }));
  rooms.push(await create({ preset: 'private_chat', initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }] }));
  await ask(alice, 'POST', `/knock/${encodeURIComponent(rooms.at(-1)!)}`, {});
  await world.users.submit({ inputId: '', traceId: '', ts: world.runtime.clock.now(), userId: alice.userId, deactivate: { erase: false, roomSequences: [] } });
  return { world, alice, rooms };
}

async function isFinished({ userDatabase }: ClientWorld, { userId }: Session): Promise<boolean> {
  const [row] = await userDatabase.query<{ finished_at: number }>('SELECT finished_at FROM deactivations WHERE user_id = ?', [userId]);
  return row !== undefined && row.finished_at > 0;
}

/** Lets time pass until `isDone`, or some rounds have. */
async function pass(world: ClientWorld, isDone: () => Promise<boolean> | boolean): Promise<void> {
  for (let round = 0; round < 20 && !(await isDone()); round += 1) {
    for (let i = 0; i < 20; i += 1) await world.runtime.settle();
    await world.runtime.advance(10_000);
  }
}

async function leavesOf({ roomDatabase }: ClientWorld, { userId }: Session, roomId: string): Promise<number> {
  const rows = await roomDatabase.query<{ json: Uint8Array }>(`SELECT json FROM events WHERE room_id = ? AND type = 'm.room.member' AND state_key = ?`, [roomId, userId]);
  return rows.filter(({ json }) => (JSON.parse(unpackText(json)) as { content: { membership: string } }).content.membership === 'leave').length;
}

test('wherever the process dies, before or after a room was left, the next one takes the user out of the others, once', async () => {
  for (const steps of [0, 1, 3, ROOMS]) {
    for (const isDone of [false, true]) {
      const { world, alice, rooms } = await scene();
      let taken = 0;
      const dead = (): Promise<Outcome> => Promise.reject(new Error('the process is dead'));
      const first = createDeactivator(depsOf(world, {
        submitRoomInput: async (one) => {
          taken += 1;
          if (taken <= steps || (isDone && taken === steps + 1)) {
            const outcome = await world.rooms.submit(one);
            if (taken <= steps) return outcome;
          }
          return dead();
        },
        submitUserInput: dead,
      }));
      first.start();
      await pass(world, () => taken > 0);
      await first.stop();
      assert.equal(await isFinished(world, alice), false);
      const second = createDeactivator(depsOf(world));
      second.start();
      await pass(world, () => isFinished(world, alice));
      await second.stop();
      const label = `${steps} steps${isDone ? ' and one that it did not hear of' : ''}`;
      assert.ok(await isFinished(world, alice), label);
      for (const roomId of rooms) assert.equal(await leavesOf(world, alice, roomId), 1, `${label}: ${roomId}`);
      assert.deepEqual(await world.syncQuery.presences(alice.userId, 100), [], label);
      await world.close();
    }
  }
});

test('what cannot be left does not keep the deactivation open for ever', async () => {
  const { world, alice } = await scene();
  const refusal: Outcome = { inputId: '', partition: 0, sequence: 0, result: new Uint8Array(0), errcode: 'M_FORBIDDEN', error: 'no', status: 403, errorFields: new Uint8Array(0) };
  const driver = createDeactivator(depsOf(world, { submitRoomInput: async () => refusal }));
  driver.start();
  await pass(world, () => isFinished(world, alice));
  assert.equal(await isFinished(world, alice), false, 'it is tried again');
  await world.userDatabase.transaction((tx) => tx.run('UPDATE deactivations SET created_at = created_at - 86400000'));
  await pass(world, () => isFinished(world, alice));
  assert.equal(await isFinished(world, alice), true);
  await driver.stop();
  await world.close();
});
