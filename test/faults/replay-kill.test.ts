/**
 * kill -9 at random moments of a replay, which then goes on where it was: in the end everything is as if it had never been disturbed. MYELIN_REPLAY_KILLS says how often (5),
 * MYELIN_REPLAY_SEED repeats the moments.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLines, writeHistory } from '../../bench/replay/history-file.ts';
import { makeHistory } from '../../bench/replay/make-history.ts';
import { runReplay } from '../../bench/replay/run-replay.ts';
import { openDatabases } from '../../components/homeserver/open.ts';
import { readStates } from '../../components/roomserver/storage/read-state.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { Database } from '../../pkg/storage/database.ts';
import { Seeded } from '../sim/seeded.ts';

const KILLS = Number(process.env['MYELIN_REPLAY_KILLS'] ?? 5);
const SEED = Number(process.env['MYELIN_REPLAY_SEED'] ?? randomInt(1_000_000));
const EVENTS = KILLS * 1500;
/** After which a run is killed at the latest, within so many ms. */
const EVENTS_OF_A_RUN = 1000;
const MOMENT_MS_MAX = 60;

/** All that the owner and the reader have made of the history, but for IDs of states: these are the owner's own, and depend on what it had in memory. What each of the states is, is compared instead. */
const TABLES = {
  roomserver: {
    rooms: 'room_id, order_key, depth, forward_extremities',
    events: 'event_id, order_key, sequence, history_visibility, redacts, redacted_by, rejected, soft_failed, state_before_differs, json',
    current_state: 'state_ref, event_id',
  },
  syncapi: {
    timeline: 'order_key, event_id, sequence, replaces, visibility_before, state_before_differs, others_changed', state_intervals: 'slot, from_sequence, to_sequence, event_id',
    memberships: 'user_id, from_sequence, to_sequence, membership, event_id', rooms: 'room_id, last_sequence, last_order_key, joined_count, invited_count',
  },
} as const;

test(`a replay that is killed ${KILLS} times ends as one that is not, seed ${SEED}`, { timeout: 120_000 + KILLS * 10_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-replay-kill-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'history.ndjson');
  writeHistory(file, [makeHistory({ version: roomVersion('12')!, events: EVENTS, shape: 'forky', seed: SEED })]);
  const settings = (name: string) => ({ log: { kind: 'embedded' }, database: { kind: 'sqlite' }, dataDir: join(folder, name), logPrefix: 'replay', partitions: 4, file, roomVersion: '12' }) as const;
  const undisturbed = await runReplay(settings('undisturbed')).report;
  assert.ok(undisturbed !== undefined && undisturbed.accepted === readLines(file).length, 'every event of the history is allowed');

  const random = new Seeded(SEED);
  let early = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const replay = runReplay({ ...settings('killed'), tellsProgress: true });
    await replay.begun;
    // By events and not by time alone, which says little on a machine that is busy now and then; some before the first.
    await replay.reached(kill === KILLS - 1 ? EVENTS_OF_A_RUN : Math.max(0, random.whole(-EVENTS_OF_A_RUN / 2, EVENTS_OF_A_RUN)));
    await sleep(random.whole(1, MOMENT_MS_MAX));
    replay.child.kill('SIGKILL');
    if ((await replay.report) === undefined) early += 1;
  }
  const last = await runReplay(settings('killed')).report;
  assert.ok(early > KILLS / 2, `only ${early} of ${KILLS} were killed before they were through`);
  assert.ok(last !== undefined && last.skipped > 0, 'it went on where it was');
  assert.deepEqual(await hashes(join(folder, 'killed')), await hashes(join(folder, 'undisturbed')));
  t.diagnostic(`${EVENTS} events, ${early} kills in time, the last run began after ${last.skipped}`);
});

/** Of each table: how many rows, and what they say, in a few bytes: the rows are too many to be shown. */
async function hashes(dataDir: string): Promise<Record<string, string>> {
  const { createHash } = await import('node:crypto');
  const databases = await openDatabases({ database: { kind: 'sqlite' }, dataDir });
  const found: Record<string, string> = {};
  for (const [component, tables] of Object.entries(TABLES)) {
    for (const [table, columns] of Object.entries(tables)) {
      const rows = await databases[component as keyof typeof TABLES].query(`SELECT ${columns} FROM ${table} ORDER BY ${columns}`);
      assert.ok(rows.length > 0, table);
      const text = rows.map((row) => JSON.stringify(Object.values(row).map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value)))).join('\n');
      found[`${component}.${table}`] = `${rows.length} rows, ${createHash('sha256').update(text).digest('hex')}`;
    }
  }
  found['states'] = await statesHash(databases.roomserver);
  await Promise.all(Object.values(databases).map((database) => database.close()));
  return found;
}

/** Of the state before each event. */
async function statesHash(database: Database): Promise<string> {
  const { createHash } = await import('node:crypto');
  const events = await database.query<{ room_id: string; event_id: string; state_id: number }>('SELECT room_id, event_id, state_id FROM events ORDER BY event_id');
  const states = new Map<number, string>();
  const hash = createHash('sha256');
  for (const { room_id: roomId, event_id: eventId, state_id: stateId } of events) {
    const state = states.get(stateId) ?? createHash('sha256').update((await readStates(database, roomId, [stateId])).get(stateId)!.toSorted().join()).digest('base64');
    states.set(stateId, state);
    hash.update(`${eventId} ${state}\n`);
  }
  return hash.digest('hex');
}
