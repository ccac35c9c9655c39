/** Unread counts are the same on every database, and so is what users were notified of; after a purge, too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UNREAD_USERS, unreadScript, UnreadPlay } from '../../kit/unread-script.ts';
import { createSyncWorld } from '../../kit/sync-world.ts';
import { onEachBackend } from './backends.ts';

const SCRIPTS = fc.sample(unreadScript, { numRuns: 12, seed: 3 });

onEachBackend('unread counts', (backend) => {
  test('equal a recount', async () => {
    for (const steps of SCRIPTS) {
      const play = new UnreadPlay();
      const world = await createSyncWorld(play.log, { database: await backend.open() });
      await play.perform(steps, world);
      const other = new UnreadPlay();
      const inMemory = await createSyncWorld(other.log);
      await other.perform(steps, inMemory);
      for (const userId of UNREAD_USERS) for (const limit of ['3', '100']) assert.deepEqual(await world.get(userId, '/notifications', { limit }), await inMemory.get(userId, '/notifications', { limit }));
      for (const one of [play, other]) one.purge(10);
      for (const one of [world, inMemory]) await one.apply();
      for (const userId of UNREAD_USERS) assert.deepEqual(await world.sync(userId), await inMemory.sync(userId));
      await inMemory.close();
    }
  });
});
