/**
 * PURE. A user's name or picture has changed, and the rooms that they are in are told (spec: client-server, "Events on Change of Profile Information"). The room's owner makes the event: only here it
 * is in one order with the user's memberships, so that nobody who is just leaving comes back by it.
 */
import type { RefreshMember } from '../../../schemas/log/room-input.ts';
import { askPolicy, decidePrepared } from '../policy/ask-policy.ts';
import { carryOut } from './carry-out.ts';
import { NO_EFFECTS, rejected, type Deciding, type RoomDecision } from './decision.ts';
import { makeEvent } from './make-event.ts';
import { parseContent } from './parse-content.ts';
import { stateEntry, type RoomHead } from './room-head.ts';

const PROFILE_KEYS = ['displayname', 'avatar_url'] as const;
/** What was of the change that the present event made. */
const NOT_TAKEN_ALONG = new Set<string>([...PROFILE_KEYS, 'reason', 'third_party_invite', 'join_authorised_via_users_server']);
const NOTHING_TO_DO: RoomDecision = { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} };

/** The head must hold the user's membership. Rooms that the user is not joined to, and those that say so already, are left alone. */
export function decideRefreshMember(deciding: Deciding, head: RoomHead | undefined, { userId, profile }: RefreshMember): RoomDecision {
  const before = head && stateEntry(head, 'm.room.member', userId)?.pdu.content;
  const wanted = parseContent(profile);
  if (head === undefined || wanted === undefined || before?.['membership'] !== 'join') return NOTHING_TO_DO;
  if (PROFILE_KEYS.every((key) => before[key] === wanted[key])) return NOTHING_TO_DO;
  const kept = Object.entries(before).filter(([key]) => !NOT_TAKEN_ALONG.has(key));
  const content = { ...Object.fromEntries(kept), ...wanted, membership: 'join' };
  const { picture, signer, input, place } = deciding;
  const prepared = decidePrepared(deciding, head, { deviceId: '', txnId: '' });
  if (prepared !== undefined) return prepared;
  const made = makeEvent({
    picture, head, signer, sender: userId, draft: { type: 'm.room.member', stateKey: userId, content: Buffer.from(JSON.stringify(content)) }, originServerTs: input.originServerTs,
    deviceId: '', txnId: '', sequence: place.nextSequence,
  });
  if (made.kind === 'refused') return rejected(made.why);
  return made.kind === 'same' ? NOTHING_TO_DO : askPolicy(deciding, head, made.event) ?? carryOut(deciding, head, made);
}
