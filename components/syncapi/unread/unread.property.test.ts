import { test } from 'node:test';
import fc from 'fast-check';
import { unreadScript, UnreadPlay } from '../../../test/kit/unread-script.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

test('what is unread, also by thread, equals a recount of all that happened', async () => {
  await fc.assert(fc.asyncProperty(unreadScript, async (steps) => {
    const play = new UnreadPlay();
    const world = await createSyncWorld(play.log);
    await play.perform(steps, world);
    await world.close();
  }), { numRuns: 60, seed: 20_261_121 });
});
