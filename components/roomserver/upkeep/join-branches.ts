/** PURE. Joins forward extremities that have become many: the owner says, in the name of a local member who may, an event that clients are not shown (`shown.ts`). */
import { requiredPower, roomPower, userPower } from '../../../pkg/matrix/auth/power-levels.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { JoinBranches } from '../../../schemas/log/room-input.ts';
import { NO_EFFECTS, rejected, type Deciding, type RoomDecision } from '../input/decision.ts';
import { makeEvent } from '../input/make-event.ts';
import { forbidden } from '../input/refused.ts';
import { lookupIn, powerfulUsers } from '../input/restricted-join.ts';
import { knowsState, membershipOf, type RoomHead } from '../input/room-head.ts';
import { carryOut } from '../input/carry-out.ts';
import { askPolicy, decidePrepared } from '../policy/ask-policy.ts';
import { DUMMY_EVENT } from '../input/shown.ts';

const NOTHING = new TextEncoder().encode('{}');

/** `members`: local members who may be able to speak, beside those with power of their own. */
export function decideJoinBranches(deciding: Deciding, head: RoomHead, { join, members }: { join: JoinBranches; members: readonly string[] }): RoomDecision {
  const prepared = decidePrepared(deciding, head, { deviceId: '', txnId: '' });
  if (prepared !== undefined) return prepared;
  if (head.extremities.length <= Math.max(1, join.extremitiesMax)) return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} };
  const { picture, signer, input, place } = deciding;
  for (const sender of speakersOf(head, signer.serverName, members)) {
    const draft = { type: DUMMY_EVENT, content: NOTHING };
    const made = makeEvent({ picture, head, signer, sender, draft, originServerTs: input.originServerTs, deviceId: '', txnId: '', sequence: place.nextSequence });
    if (made.kind === 'made') return askPolicy(deciding, head, made.event) ?? carryOut(deciding, head, made);
  }
  return rejected(forbidden('No member of the room on this server may join its branches'));
}

function speakersOf(head: RoomHead, serverName: string, members: readonly string[]): string[] {
  const power = roomPower(lookupIn(head), head.version);
  const required = requiredPower(power, DUMMY_EVENT, false);
  const inMemory = [...head.state.values()].flatMap((entry) => (entry?.pdu.type === 'm.room.member' ? [entry.pdu.state_key!] : []));
  const candidates = new Set([...powerfulUsers(head, serverName), ...[...inMemory, ...members].sort()]);
  return [...candidates].filter((userId) => isLocalUser(userId, serverName) && knowsState(head, 'm.room.member', userId)
    && membershipOf(head, userId) === 'join' && userPower(power, userId) >= required);
}
