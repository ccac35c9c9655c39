import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { begin, checkComposition, dump, perform, script, SCRIPT_USERS, type Script } from '../../../test/kit/sync-script.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

/** A join whose state came in several records, and which failed; another after it. */
const FAILED_IN_SLICES: Script = {
  steps: [{ kind: 'enter', room: 2, pick: 0 }, { kind: 'enter', room: 2, pick: 163 }],
  limit: 1, visibility: 'shared', version: '10', partitions: 1, stateAfter: false,
};

/** A ban that is lifted: what others said meanwhile where the ban was not known is bob's to read, but he is out when he syncs. */
const READ_FROM_OUTSIDE: Script = {
  steps: [
    ...[979, 353].map((pick) => ({ kind: 'bob' as const, room: 0, pick })),
    { kind: 'fork', room: 0, pick: 0 }, { kind: 'sync', room: 1, pick: 0 }, { kind: 'bob', room: 0, pick: 0 },
    { kind: 'apply', room: 0, pick: 0 }, { kind: 'sync', room: 1, pick: 0 },
  ],
  limit: 1, visibility: 'shared', version: '10', partitions: 1, stateAfter: false,
};

test('syncs with any cuts compose to the whole timeline and state, each event once, gaps repaired by pages', async () => {
  await fc.assert(
    fc.asyncProperty(script, async (wish) => {
      const played = begin(wish);
      const world = await createSyncWorld(played.log, { cacheBytes: 20_000 });
      const clients = await perform(wish, played, world, { filter: JSON.stringify({ room: { timeline: { limit: wish.limit } } }) });
      checkComposition(wish, played, clients);
      await world.close();
    }),
    { numRuns: 200, examples: [[READ_FROM_OUTSIDE]] },
  );
});

test('a rebuilt read model has the same rows, and answers old tokens alike', async () => {
  await fc.assert(
    fc.asyncProperty(script, fc.integer({ min: 1, max: 50 }), async (wish, batch) => {
      const played = begin(wish);
      const live = await createSyncWorld(played.log);
      const clients = await perform(wish, played, live);
      const rebuilt = await createSyncWorld(played.log);
      await rebuilt.apply(batch);
      assert.deepEqual(await dump(rebuilt), await dump(live));
      for (const [index, userId] of SCRIPT_USERS.entries()) {
        for (const since of clients[index]?.tokens ?? []) assert.deepEqual(await rebuilt.sync(userId, { since }), await live.sync(userId, { since }));
      }
      for (const world of [live, rebuilt]) await world.close();
    }),
    { numRuns: 40, examples: [[READ_FROM_OUTSIDE, 1]] },
  );
});

test('states of joins that failed leave nothing behind: the owner does not tell of them again', async () => {
  await fc.assert(
    fc.asyncProperty(script, async (wish) => {
      const played = begin(wish);
      const live = await createSyncWorld(played.log);
      await perform(wish, played, live);
      const { roomQuery, roomHistoryQuery, partitionMap, lasting } = played.log;
      const rebuilt = await createSyncWorld({ roomQuery, roomHistoryQuery, partitionMap, records: lasting });
      await rebuilt.apply(7);
      assert.deepEqual(await dump(rebuilt), await dump(live));
      for (const world of [live, rebuilt]) await world.close();
    }),
    { numRuns: 40, examples: [[FAILED_IN_SLICES]] },
  );
});
