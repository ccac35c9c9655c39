/**
 * Has guests leave rooms that let them in no longer (Client-Server API, "Guest Access", "Server behaviour"). The room's owner does it, one input a guest, each with an ID that comes of the event
 * that has barred them: repeated, it is done once. Whoever dies on the way leaves the row to the next owner.
 */
import type { CommandClient } from '../../../pkg/log/commands.ts';
import { createRounds, type Rounds } from '../../../pkg/runtime/rounds.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import type { UserQuery } from '../../../schemas/ports/user-query.ts';
import { readBarred, removeBarred, type BarredRoom } from './commit-barred.ts';

export interface ExpellerDeps {
  readonly database: Database;
  readonly runtime: Runtime;
  readonly serverName: string;
  readonly commands: Pick<CommandClient, 'submitRoomInput'>;
  readonly members: Pick<RoomQuery, 'someJoinedMembers'>;
  readonly guests: Pick<UserQuery, 'guestsAmong'>;
  /** The partitions that this process owns now. */
  readonly owned: () => readonly number[];
}

/** How long a room may lie that another process has left. */
const EVERY_MS = 30_000;
const ROOMS_AT_ONCE = 20;
const MEMBERS_MAX = 100_000;
const ASKED_AT_ONCE = 500;
const STEP_MS_MAX = 5000;

export function createExpeller(deps: ExpellerDeps): Rounds {
  return createRounds(deps.runtime, {
    name: 'roomserver guests',
    everyMs: EVERY_MS,
    failure: 'guests could not be taken out of a room; it is tried again',
    async round(signal) {
      const rooms = await readBarred(deps.database, deps.owned(), ROOMS_AT_ONCE);
      for (const room of rooms) await expelGuests(deps, room, signal);
      return rooms.length === ROOMS_AT_ONCE;
    },
  });
}

async function expelGuests(deps: ExpellerDeps, room: BarredRoom, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const members = await deps.members.someJoinedMembers(room.roomId, deps.serverName, MEMBERS_MAX);
  for (let at = 0; at < members.length; at += ASKED_AT_ONCE) {
    for (const guest of await deps.guests.guestsAmong(members.slice(at, at + ASKED_AT_ONCE))) await leave(deps, room, guest);
  }
  await removeBarred(deps.database, room);
}

/** Rejects when there is no outcome: the next round asks again. A refusal means that the guest is gone already. */
async function leave({ commands, runtime }: ExpellerDeps, { roomId, eventId }: BarredRoom, userId: string): Promise<void> {
  const inputId = `${eventId}#${userId}`;
  const event = { type: 'm.room.member', stateKey: userId, content: Buffer.from('{"membership":"leave"}') };
  const outcome = await commands.submitRoomInput({
    inputId, traceId: inputId, originServerTs: runtime.clock.now(), roomId, sendEvent: { sender: userId, deviceId: '', txnId: '', event },
  }, { deadlineMs: STEP_MS_MAX });
  if (outcome.errcode !== '') runtime.logger.info({ userId, roomId, errcode: outcome.errcode }, 'a guest was not taken out of a room');
}
