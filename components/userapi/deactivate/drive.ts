/**
 * Carries deactivations through: the account is over at once, and after that the user leaves all rooms and rejects all invites. Rooms have owners of their own, so that is a sequence of inputs, each
 * with an ID that comes of the membership which it ends: repeated, it is done once. The user's owner goes through it until nothing is left, and says so by an input to itself; whoever dies on the
 * way leaves the row to the next owner.
 */
import { createHash } from 'node:crypto';
import type { CommandClient } from '../../../pkg/log/commands.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import { createRounds, type Rounds } from '../../../pkg/runtime/rounds.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database, Reader } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';

export interface DeactivatorDeps {
  readonly database: Database;
  readonly runtime: Runtime;
  readonly serverName: string;
  readonly commands: Pick<CommandClient, 'submitRoomInput' | 'submitUserInput'>;
  readonly syncQuery: Pick<SyncQuery, 'presences'>;
  readonly roomQuery: Pick<RoomQuery, 'outsideMembership'>;
  /** The partitions that this process owns now. */
  readonly owned: () => readonly number[];
}

interface Unfinished {
  readonly userId: string;
  readonly createdAtMs: number;
}

/** How long a deactivation may lie that another process has left, or that could not go on. */
const EVERY_MS = 10_000;
const USERS_AT_ONCE = 20;
const ROOMS_AT_ONCE = 8;
const ROOMS_MAX = 200;
/** Of one step: a process that stops waits no longer for it. */
const STEP_MS_MAX = 10_000;
/** The room's owner asks other servers for longer than that; whoever asks again is told what has become of it. */
const OTHER_SERVERS_MS_MAX = 15_000;
/** Rooms that cannot be left by then (because the server that has invited the user is gone, say) are let be. */
const TRIED_MS_MAX = 24 * 3_600_000;

export function createDeactivator(deps: DeactivatorDeps): Rounds {
  const { logger } = deps.runtime;
  return createRounds(deps.runtime, {
    name: 'userapi deactivations',
    everyMs: EVERY_MS,
    failure: 'deactivations could not go on; it is tried again',
    async round(signal) {
      for (const one of await readUnfinished(deps.database, deps.owned())) {
        if (signal.aborted) break;
        await carryThrough(deps, one, signal).catch((error: unknown) => logger.warn({ userId: one.userId, error }, 'a deactivated user could not leave all rooms; it is tried again'));
      }
      return false;
    },
  });
}

async function readUnfinished(reader: Reader, partitions: readonly number[]): Promise<Unfinished[]> {
  if (partitions.length === 0) return [];
  const rows = await reader.queryIn<{ user_id: string; created_at: number }>('SELECT user_id, created_at FROM deactivations WHERE finished_at = 0 AND partition IN (??)', [], partitions);
  return rows.map((row) => ({ userId: row.user_id, createdAtMs: row.created_at })).sort((left, right) => left.createdAtMs - right.createdAtMs).slice(0, USERS_AT_ONCE);
}

/** One slice of the rooms after the other; over once a round finds none. Rejects when a room has no answer (yet). */
async function carryThrough(deps: DeactivatorDeps, { userId, createdAtMs }: Unfinished, signal: AbortSignal): Promise<void> {
  // What has been left already may not be seen here yet; the next round looks again.
  const tried = new Set<string>();
  for (;;) {
    const untried = (await deps.syncQuery.presences(userId, ROOMS_MAX + tried.size)).filter(({ eventId }) => !tried.has(eventId));
    if (untried.length === 0) break;
    for (let at = 0; at < untried.length && !signal.aborted; at += ROOMS_AT_ONCE) {
      const slice = untried.slice(at, at + ROOMS_AT_ONCE);
      await Promise.all(slice.map((presence) => leave(deps, userId, presence)));
      for (const { eventId } of slice) tried.add(eventId);
    }
    if (signal.aborted) return;
  }
  const { clock } = deps.runtime;
  if (tried.size > 0 && clock.now() - createdAtMs < TRIED_MS_MAX) return;
  await deps.commands.submitUserInput({ inputId: '', traceId: '', ts: clock.now(), userId, finishDeactivation: {} });
}

async function leave({ commands, roomQuery, runtime, serverName }: DeactivatorDeps, userId: string, { roomId, eventId }: { roomId: string; eventId: string }): Promise<void> {
  const outside = await roomQuery.outsideMembership(roomId, userId);
  const inputId = createHash('sha256').update(JSON.stringify(['deactivate', userId, roomId, eventId])).digest('base64url');
  const via = outside === undefined ? [] : [...new Set([outside.sender, roomId].map(domainOf).filter((name) => name !== serverName && isServerName(name)))];
  const event = { type: 'm.room.member', stateKey: userId, content: Buffer.from('{"membership":"leave"}') };
  const outcome = await commands.submitRoomInput({
    inputId, traceId: inputId, originServerTs: runtime.clock.now(), roomId, sendEvent: { sender: userId, deviceId: '', txnId: '', event, via },
  }, { deadlineMs: outside === undefined ? STEP_MS_MAX : OTHER_SERVERS_MS_MAX });
  if (outcome.errcode !== '') runtime.logger.info({ userId, roomId, errcode: outcome.errcode }, 'a room could not be left by a deactivated user');
}
