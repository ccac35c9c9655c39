/** Unread counts are the same on every database. */
import { test } from 'node:test';
import fc from 'fast-check';
import { unreadScript, UnreadPlay } from '../../kit/unread-script.ts';
import { createSyncWorld } from '../../kit/sync-world.ts';
import { onEachBackend } from './backends.ts';

const SCRIPTS = fc.sample(unreadScript, { numRuns: 12, seed: 3 });

onEachBackend('unread counts', (backend) => {
  test('equal a recount', async () => {
    for (const steps of SCRIPTS) {
      const play = new UnreadPlay();
      await play.perform(steps, await createSyncWorld(play.log, { database: await backend.open() }));
    }
  });
});
