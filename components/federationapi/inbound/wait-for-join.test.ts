import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInRoom } from './wait-for-join.ts';

/** `joinedAfter`: the number of looks that find nobody; `joiningFor`: the number of looks that find a need. */
function scene(joinedAfter: number, joiningFor: number) {
  const seen = { looks: 0, sleptMs: 0 };
  const deps = {
    serverName: 'own.test',
    clock: { sleep: async (ms: number) => void (seen.sleptMs += ms) },
    roomQuery: { hasJoinedMember: async () => (seen.looks += 1) > joinedAfter },
    database: { query: async () => (seen.looks <= joiningFor ? [{ need_id: 'n' }] : []) },
  } as unknown as Parameters<typeof isInRoom>[0];
  return { seen, ask: () => isInRoom(deps, '!room:a.test') };
}

test('who is in the room, or is not about to be, is told at once', async () => {
  const inside = scene(0, 0);
  assert.equal(await inside.ask(), true);
  const outside = scene(Infinity, 0);
  assert.equal(await outside.ask(), false);
  assert.deepEqual([inside.seen.sleptMs, outside.seen.sleptMs], [0, 0]);
});

test('a join that is under way is waited for, also when its need was just answered', async () => {
  const joining = scene(8, 5);
  assert.equal(await joining.ask(), true);
  assert.equal(joining.seen.sleptMs, 800);
});

test('a join that fails, or takes for ever, is waited for and no longer', async () => {
  const failed = scene(Infinity, 5);
  assert.equal(await failed.ask(), false);
  assert.equal(failed.seen.sleptMs, 1400);
  const endless = scene(Infinity, Infinity);
  assert.equal(await endless.ask(), false);
  assert.equal(endless.seen.sleptMs, 20_000);
});
