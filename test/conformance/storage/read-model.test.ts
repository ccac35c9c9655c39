/** The read model is the same on every database: its rows, what it answers, and what clients make of that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { begin, checkComposition, dump, perform, script, SCRIPT_USERS } from '../../kit/sync-script.ts';
import { createSyncWorld } from '../../kit/sync-world.ts';
import { onEachBackend } from './backends.ts';

const SCRIPTS = fc.sample(script, { numRuns: 12, seed: 3 });

onEachBackend('the read model', (backend) => {
  test('composes, and equals the one in memory', async () => {
    for (const wish of SCRIPTS) {
      const played = begin(wish);
      const world = await createSyncWorld(played.log, { database: await backend.open(), cacheBytes: 20_000 });
      const clients = await perform(wish, played, world, { filter: JSON.stringify({ room: { timeline: { limit: wish.limit } } }) });
      checkComposition(wish, played, clients);
      const inMemory = await createSyncWorld(played.log);
      await inMemory.apply();
      assert.deepEqual(await dump(world), await dump(inMemory));
      for (const userId of SCRIPT_USERS) {
        for (const filter of ['{}', '{"room":{"include_leave":true,"state":{"lazy_load_members":true}}}']) {
          assert.deepEqual(await world.sync(userId, { filter }), await inMemory.sync(userId, { filter }));
        }
        const path = `/rooms/${played.rooms[0]?.roomId}`;
        for (const where of ['/state', '/members', '/messages', '/joined_members', '/initialSync', `/context/${played.rooms[0]?.timeline.at(-1)}`]) {
          assert.deepEqual(await world.get(userId, path + where, { dir: 'b' }), await inMemory.get(userId, path + where, { dir: 'b' }));
        }
      }
      await inMemory.close();
    }
  });
});
