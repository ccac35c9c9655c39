/**
 * Tells the rooms that a user is in of their new name or picture (Client-Server API, "Events on Change of Profile Information"). Rooms have owners of their own, so that is a sequence of inputs; a
 * room that has heard does nothing, so all of it may be repeated. The user's owner goes through it until every room has answered, and says so by an input to itself; whoever dies on the way leaves
 * the row to the next owner.
 */
import type { CommandClient } from '../../../pkg/log/commands.ts';
import { createRounds, type Rounds } from '../../../pkg/runtime/rounds.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database, Reader } from '../../../pkg/storage/database.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';

export interface ProfileSpreaderDeps {
  readonly database: Database;
  readonly runtime: Runtime;
  readonly commands: Pick<CommandClient, 'submitRoomInput' | 'submitUserInput'>;
  readonly syncQuery: Pick<SyncQuery, 'joinedRooms'>;
  /** The partitions that this process owns now. */
  readonly owned: () => readonly number[];
}

interface Change {
  readonly userId: string;
  /** Of the newest change. */
  readonly mark: number;
}

/** How long a change may lie that another process has left, or that could not go on. */
const EVERY_MS = 10_000;
const USERS_AT_ONCE = 20;
const ROOMS_AT_ONCE = 8;
/** Between the slices of the rooms of a user: other work goes on. */
const PAUSE_MS = 50;
/** Of one room: a process that stops waits no longer for it. */
const STEP_MS_MAX = 10_000;

export function createProfileSpreader(deps: ProfileSpreaderDeps): Rounds {
  const { logger } = deps.runtime;
  return createRounds(deps.runtime, {
    name: 'userapi changes of profiles',
    everyMs: EVERY_MS,
    failure: 'changes of profiles could not go on; it is tried again',
    async round(signal) {
      const changes = await readChanges(deps.database, deps.owned());
      let done = 0;
      for (const change of changes) {
        if (signal.aborted) break;
        await spread(deps, change, signal).then(() => (done += 1), (error: unknown) => logger.warn({ userId: change.userId, error }, 'a change of profile did not reach all rooms; it is tried again'));
      }
      return done > 0 && changes.length === USERS_AT_ONCE;
    },
  });
}

async function readChanges(reader: Reader, partitions: readonly number[]): Promise<Change[]> {
  if (partitions.length === 0) return [];
  const rows = await reader.queryIn<{ user_id: string; mark: number; created_at: number }>('SELECT user_id, mark, created_at FROM profile_changes WHERE partition IN (??)', [], partitions);
  return rows.sort((left, right) => left.created_at - right.created_at).slice(0, USERS_AT_ONCE).map((row) => ({ userId: row.user_id, mark: row.mark }));
}

/** Rejects when a room has no answer (yet). A change that comes meanwhile has a mark of its own, and a turn of its own. */
async function spread(deps: ProfileSpreaderDeps, { userId, mark }: Change, signal: AbortSignal): Promise<void> {
  const { clock } = deps.runtime;
  const rooms = await deps.syncQuery.joinedRooms(userId);
  const profile = await readProfile(deps.database, userId);
  for (let at = 0; at < rooms.length; at += ROOMS_AT_ONCE) {
    if (at > 0) await clock.sleep(PAUSE_MS, signal);
    if (signal.aborted) return;
    await Promise.all(rooms.slice(at, at + ROOMS_AT_ONCE).map((roomId) => tell(deps, { userId, roomId, profile })));
  }
  await deps.commands.submitUserInput({ inputId: '', traceId: '', ts: clock.now(), userId, finishProfileSpread: { mark } });
}

async function tell({ commands, runtime }: ProfileSpreaderDeps, { userId, roomId, profile }: { userId: string; roomId: string; profile: Uint8Array }): Promise<void> {
  const outcome = await commands.submitRoomInput({ inputId: '', traceId: '', originServerTs: runtime.clock.now(), roomId, refreshMember: { userId, profile } }, { deadlineMs: STEP_MS_MAX });
  if (outcome.errcode !== '') runtime.logger.info({ userId, roomId, errcode: outcome.errcode }, 'a room refused a changed profile');
}

/** JSON object with what of the profile stands in member events. */
async function readProfile(reader: Reader, userId: string): Promise<Uint8Array> {
  const rows = await reader.query<{ field: string; value: Uint8Array }>(`SELECT field, value FROM profiles WHERE user_id = ? AND field IN ('displayname', 'avatar_url')`, [userId]);
  const set = rows.filter(({ value }) => value.length > 0).map(({ field, value }) => [field, JSON.parse(Buffer.from(value).toString('utf8')) as unknown] as const);
  return Buffer.from(JSON.stringify(Object.fromEntries(set)));
}
