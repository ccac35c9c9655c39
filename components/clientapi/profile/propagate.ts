/** After a change of displayname or avatar, the user's member events in all joined rooms are sent again (Client-Server API, "Events on change of profile information"). */
import type { Task } from '../../../pkg/runtime/runtime.ts';
import { contentBytes } from '../checks/event-content.ts';
import type { ClientapiDeps } from '../deps.ts';
import { RANDOM_INPUT_ID } from '../outcome/input-id.ts';
import { currentMember } from '../rooms/current-member.ts';
import { memberProfile } from './member-profile.ts';

export interface ProfilePropagation {
  /** Returns at once; the rooms follow in the background. Of several requests for one user that wait, one is done. */
  request(userId: string, traceId: string): void;
}

type Deps = Pick<ClientapiDeps, 'runtime' | 'commands' | 'syncQuery' | 'roomQuery' | 'userQuery' | 'serverName'>;

const ROOMS_AT_ONCE = 8;
const WAITING_USERS_MAX = 10_000;

/** One user after another, a few rooms at a time. What is under way is lost with the process: a user's next change, or rejoin, repairs it. */
export function createProfilePropagation(deps: Deps): ProfilePropagation {
  const { runtime } = deps;
  const waiting = new Map<string, string>();
  let task: Task | undefined;

  async function drain(signal: AbortSignal): Promise<void> {
    for (;;) {
      const next = waiting.entries().next();
      if (next.done === true || signal.aborted) break;
      const [userId, traceId] = next.value;
      waiting.delete(userId);
      await propagate(deps, { userId, traceId, signal }).catch((error: unknown) => {
        runtime.logger.warn({ userId, traceId, error }, 'a change of profile did not reach all rooms');
      });
    }
    task = undefined;
  }

  return {
    request(userId, traceId) {
      if (waiting.size >= WAITING_USERS_MAX) {
        runtime.logger.warn({ userId, traceId }, 'too many changes of profile at once: this one does not reach the rooms');
        return;
      }
      waiting.set(userId, traceId);
      task ??= runtime.tasks.spawn('clientapi profile propagation', drain);
    },
  };
}

interface Wanted {
  readonly userId: string;
  readonly traceId: string;
  readonly signal: AbortSignal;
}

async function propagate(deps: Deps, wanted: Wanted): Promise<void> {
  const rooms = await deps.syncQuery.joinedRooms(wanted.userId);
  for (let at = 0; at < rooms.length && !wanted.signal.aborted; at += ROOMS_AT_ONCE) {
    await Promise.all(rooms.slice(at, at + ROOMS_AT_ONCE).map((roomId) => resendMember(deps, wanted, roomId)));
  }
}

/** The profile is read for each room, so that the newest one is sent whoever sends last. */
async function resendMember(deps: Deps, { userId, traceId }: Wanted, roomId: string): Promise<void> {
  const before = await currentMember(deps.roomQuery, roomId, userId);
  if (before?.membership !== 'join') return;
  const profile = await memberProfile(deps, userId);
  if (before.content['displayname'] === profile.displayname && before.content['avatar_url'] === profile.avatar_url) return;
  const outcome = await deps.commands.submitRoomInput({
    inputId: RANDOM_INPUT_ID,
    traceId,
    originServerTs: deps.runtime.clock.now(),
    roomId,
    sendEvent: { sender: userId, deviceId: '', txnId: '', event: { type: 'm.room.member', stateKey: userId, content: contentBytes({ membership: 'join', ...profile }) } },
  });
  if (outcome.errcode !== '') deps.runtime.logger.info({ userId, roomId, traceId, errcode: outcome.errcode }, 'a room refused a changed profile');
}
