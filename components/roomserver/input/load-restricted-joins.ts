/** What a restricted join needs beyond its own room's state: memberships in the rooms that let users in, and members who may authorise. */
import { readJoined, readSomeJoined } from '../storage/read-events.ts';
import { stateRef } from '../storage/refs.ts';
import { loadState, type LoadDeps, type StateWant } from './load-state.ts';
import type { Picture } from './picture.ts';
import { allowedRooms, isRestricted, membersMayInvite, powerfulUsers } from './restricted-join.ts';
import { membershipOf, stateEntry, type RoomHead } from './room-head.ts';
import type { Survey, SurveyedDraft } from './survey.ts';

/** Ordinary members that are looked at as authorisers, where members may invite. */
const AUTHORISERS_MAX = 20;

export async function loadRestrictedJoins(deps: LoadDeps, found: Survey, heads: ReadonlyMap<string, RoomHead>): Promise<Pick<Picture, 'joinedElsewhere' | 'authorisers'>> {
  const elsewhere = new Set<string>();
  const rooms = new Set<RoomHead>();
  for (const { roomId, draft } of found.drafts) {
    const head = heads.get(roomId);
    if (head === undefined || !isOwnJoin(draft)) continue;
    const rules = joinRulesOf(head, found);
    const membership = membershipOf(head, draft.sender);
    if (!rules.some(isRestricted) || membership === 'join') continue;
    rooms.add(head);
    for (const allowed of rules.flatMap(allowedRooms)) elsewhere.add(stateRef(allowed, 'm.room.member', draft.sender));
  }
  const authorisers = new Map<string, string[]>();
  await Promise.all([...rooms].filter((head) => !head.complete).map(async (head) => {
    authorisers.set(head.roomId, membersMayInvite(head) ? await readSomeJoined(deps.database, head.roomId, `:${deps.serverName}`, AUTHORISERS_MAX) : []);
  }));
  const wants = [...rooms].flatMap((head) => [...powerfulUsers(head, deps.serverName), ...(authorisers.get(head.roomId) ?? [])]
    .map((stateKey): StateWant => ({ head, type: 'm.room.member', stateKey })));
  await loadState(deps.database, wants);
  return { joinedElsewhere: await readJoined(deps.database, [...elsewhere]), authorisers };
}

function isOwnJoin(draft: SurveyedDraft): boolean {
  return draft.type === 'm.room.member' && draft.state_key === draft.sender && draft.content.membership === 'join';
}

/** The join rules now, and those that inputs of this batch may put in their place before the join's turn. */
function joinRulesOf(head: RoomHead, found: Survey): (Readonly<Record<string, unknown>> | undefined)[] {
  const coming = found.drafts.filter(({ roomId, draft }) => roomId === head.roomId && draft.type === 'm.room.join_rules' && draft.state_key === '');
  return [stateEntry(head, 'm.room.join_rules', '')?.pdu.content, ...coming.map(({ draft }) => draft.content)];
}
