/** What relates to events is told alike on every database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edit, ignore, react, relate, reply } from '../../kit/relating.ts';
import { HistoryLog, RoomHistory } from '../../kit/room-history.ts';
import { dump } from '../../kit/sync-script.ts';
import { createSyncWorld, type SyncWorld } from '../../kit/sync-world.ts';
import { onEachBackend } from './backends.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

/** A room with a thread that is too large to be read whole, and small ones, of which some events are redacted. */
function history() {
  const log = new HistoryLog({ version: 1, partitions: 1 });
  const room = new RoomHistory(log, { name: 'one', creator: alice, visibility: 'joined' });
  for (const userId of [bob, carol]) room.member(userId, 'join');
  const roots = Array.from({ length: 5 }, (_, n) => room.say(alice, `root ${n}`).eventId);
  for (let n = 0; n < 260; n++) {
    const root = roots[n % 20 === 0 ? 1 + (n / 20) % 4 : 0]!;
    const child = reply(room, [alice, bob, carol][n % 3]!, root, `${n}`).eventId;
    react(room, bob, child, '👍');
    if (n % 3 === 0) edit(room, alice, child, `edited ${n}`);
    if (n % 17 === 0) relate(room, carol, { relType: 'm.reference', eventId: root });
    if (n % 31 === 0) room.redact(alice, child);
    if (n === 100) room.member(bob, 'leave');
    if (n === 130) room.member(bob, 'join');
  }
  return { log, room, roots };
}

type Query = Record<string, string>;

async function answers(world: SyncWorld, { room, roots }: ReturnType<typeof history>): Promise<unknown[]> {
  const [v1, v3] = ['v1', 'v3'].map((version) => `/_matrix/client/${version}/rooms/${encodeURIComponent(room.roomId)}`);
  const told: unknown[] = [];
  for (const who of [alice, bob]) {
    for (const query of [{}, { include: 'participated', limit: '2' }] as Query[]) told.push(await world.get(who, `${v1}/threads`, query));
    for (const query of [{ limit: '50' }, { recurse: 'true', limit: '70' }, { recurse: 'true', dir: 'f', limit: '30' }] as Query[]) {
      for (const path of ['', '/m.thread', '/m.thread/m.room.message']) told.push(await world.get(who, `${v1}/relations/${encodeURIComponent(roots[0]!)}${path}`, query));
    }
    for (const filter of ['{}', '{"related_by_senders":["@carol:history.test"],"related_by_rel_types":["m.thread","m.annotation","m.replace"]}']) {
      told.push(await world.get(who, `${v3}/messages`, { dir: 'f', limit: '100', filter }), await world.sync(who, { filter: `{"room":{"timeline":${filter}}}` }));
    }
  }
  for (const one of told) assert.equal((one as { status?: number }).status, undefined, JSON.stringify(one));
  return told;
}

onEachBackend('relations', (backend) => {
  test('are told as from memory', async () => {
    const played = history();
    const worlds = [await createSyncWorld(played.log, { database: await backend.open() }), await createSyncWorld(played.log)] as const;
    for (const world of worlds) await world.apply(37);
    assert.deepEqual(await dump(worlds[0]), await dump(worlds[1]));
    assert.deepEqual(await answers(worlds[0], played), await answers(worlds[1], played));
    for (const world of worlds) await ignore(world, alice, [carol]);
    const [one, other] = [await answers(worlds[0], played), await answers(worlds[1], played)];
    assert.deepEqual(one, other);
    assert.ok(JSON.stringify(one).includes('"m.thread":{"latest_event"'));
    await worlds[1].close();
  });
});
