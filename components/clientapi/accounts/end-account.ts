/** The end of an account: it is over with the answer; the user's rooms are left soon after (`components/userapi/deactivate`). */
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';

type Ending = Pick<Context, 'commands' | 'appliedPositions' | 'runtime'>;

/** `erase`: who joins rooms of the user from now on is shown what the user said redacted. */
export async function endAccount(context: Ending, request: Pick<ApiRequest, 'traceId' | 'logger'>, { userId, erase }: { readonly userId: string; readonly erase: boolean }): Promise<void> {
  const roomSequences = erase ? await readRoomSequences(context) : [];
  await submitUserCommand(context, request, { userId, deactivate: { erase, roomSequences } });
}

/** How far the read model of each partition of rooms is: whoever is in a room by then has had the user's events before them. */
async function readRoomSequences({ appliedPositions }: Ending): Promise<number[]> {
  await appliedPositions.refresh();
  return Array.from(appliedPositions.vector('room-output'), (sequence: number | undefined) => sequence ?? 0);
}
