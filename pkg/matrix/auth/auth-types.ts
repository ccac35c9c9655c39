/** Auth events selection (spec: server-server, "Auth events selection"). */
import type { EventDraft } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';

export type StateKey = readonly [type: string, stateKey: string];

/**
 * The parts of the room state whose events an event must name in `auth_events`, as far as the state has them, without repeats. Empty for the
 * create event.
 */
export function authTypesFor(draft: Pick<EventDraft, 'type' | 'sender' | 'state_key' | 'content'>, version: RoomVersion): StateKey[] {
  if (draft.type === 'm.room.create') return [];
  const selected: StateKey[] = [];
  if (version.createInAuthEvents) selected.push(['m.room.create', '']);
  selected.push(['m.room.power_levels', ''], ['m.room.member', draft.sender]);
  if (draft.type === 'm.room.member') addMemberAuthTypes(selected, draft, version);
  return selected;
}

function addMemberAuthTypes(selected: StateKey[], { sender, state_key, content }: Pick<EventDraft, 'sender' | 'state_key' | 'content'>, version: RoomVersion): void {
  const { membership, join_authorised_via_users_server: authoriser } = content;
  const members = new Set([sender]);
  if (state_key !== undefined) members.add(state_key);
  if (membership === 'join' && version.restrictedJoin && typeof authoriser === 'string') members.add(authoriser);
  members.delete(sender);
  for (const member of members) selected.push(['m.room.member', member]);

  if (membership === 'join' || membership === 'invite' || (membership === 'knock' && version.knock)) selected.push(['m.room.join_rules', '']);
  const token = membership === 'invite' ? thirdPartyToken(content) : undefined;
  if (token !== undefined) selected.push(['m.room.third_party_invite', token]);
}

/** `third_party_invite.signed.token` of an invite's content. */
export function thirdPartyToken(content: Record<string, unknown>): string | undefined {
  const invite = content.third_party_invite as { signed?: { token?: unknown } } | null | undefined;
  const token = invite?.signed?.token;
  return typeof token === 'string' ? token : undefined;
}
