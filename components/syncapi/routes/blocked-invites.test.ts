/** Who takes no invites is shown none, from rooms that are here or elsewhere; other sections are as ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const [alice, bob] = ['@alice:history.test', '@bob:history.test'];

test('invites come while they are not blocked, and again when they are no more', async () => {
  const log = new HistoryLog();
  const here = new RoomHistory(log, { name: 'one', creator: alice });
  const open = new RoomHistory(log, { name: 'two', creator: alice });
  const elsewhere = new RoomHistory(log, { name: 'far', creator: '@zoe:elsewhere.test', elsewhere: true });
  const world = await createSyncWorld(log);
  const allow = (action: object) => world.applyUser({ userId: bob, accountData: { roomId: '', type: 'm.invite_permission_config', content: Buffer.from(JSON.stringify(action)) } });
  open.member(bob, 'join');
  here.member(bob, 'invite', { sender: alice });
  elsewhere.outside(bob, 'invite', { sender: '@zoe:elsewhere.test' });
  await world.apply();
  const both = [here.roomId, elsewhere.roomId].sort();
  assert.deepEqual(Object.keys((await world.sync(bob)).rooms.invite).sort(), both);
  await allow({ default_action: 'block' });
  const blocked = await world.sync(bob);
  assert.deepEqual([blocked.rooms.invite, Object.keys(blocked.rooms.join)], [undefined, [open.roomId]]);
  await allow({});
  assert.deepEqual(Object.keys((await world.sync(bob)).rooms.invite).sort(), both);
  await world.close();
});
