/** Who is in a room can be told when its members are there: of a room that was joined a moment ago they are still being fetched. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { readPartialRooms } from '../consumers/partial-rooms.ts';
import type { ReadDeps } from '../sync/deps.ts';

/** As long as clients are likely to wait. */
const WAIT_MS_MAX = 25_000;
const LOOK_EVERY_MS = 250;

/** Resolves when the read model has all members of the room. Throws `MatrixError` 504 M_UNKNOWN when that takes too long: the client may ask again. */
export async function waitForMembers({ database, runtime: { clock } }: Pick<ReadDeps, 'database' | 'runtime'>, roomId: string): Promise<void> {
  for (let waitedMs = 0; (await readPartialRooms(database, [roomId])).get(roomId)?.ended === 0; waitedMs += LOOK_EVERY_MS) {
    if (waitedMs >= WAIT_MS_MAX) throw new MatrixError(504, 'M_UNKNOWN', 'This server is still fetching the members of the room');
    await clock.sleep(LOOK_EVERY_MS);
  }
}
