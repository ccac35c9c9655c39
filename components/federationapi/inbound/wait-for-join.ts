/**
 * Whether this server is in a room; while a user here is joining it by way of another server, that is waited for: the others send us what happens in the room from the moment on in which they
 * have heard of the join, which is before its state is imported here.
 */
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';

export interface PresenceDeps {
  readonly serverName: string;
  readonly clock: Clock;
  readonly roomQuery: Pick<RoomQuery, 'hasJoinedMember'>;
  /** The federationapi's own: what is fetched for the roomserver just now. */
  readonly database: Pick<Reader, 'query'>;
}

/** A sender gives up after a minute. */
const WAIT_MS_MAX = 20_000;
const LOOK_EVERY_MS = 100;
/** Looks after the last need of the room is gone: its answer may be on its way through the log. */
const LOOKS_AFTER = 10;

/** Resolves when it is certain, or after 20 s to what is true then. */
export async function isInRoom({ serverName, clock, roomQuery, database }: PresenceDeps, roomId: string): Promise<boolean> {
  // No table can hold such an ID.
  if (roomId.includes('\0') || !roomId.isWellFormed()) return false;
  let looksLeft = LOOKS_AFTER;
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    if (await roomQuery.hasJoinedMember(roomId, serverName)) return true;
    const isJoining = (await database.query('SELECT need_id FROM needs WHERE room_id = ? LIMIT 1', [roomId])).length > 0;
    if (isJoining) looksLeft = LOOKS_AFTER;
    else looksLeft = waitedMs === 0 ? 0 : looksLeft - 1;
    if (looksLeft <= 0 || waitedMs >= WAIT_MS_MAX) return false;
    await clock.sleep(LOOK_EVERY_MS);
  }
}
