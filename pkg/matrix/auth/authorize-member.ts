/** Authorisation of `m.room.member` events: rule 4 of room versions 10 and 11, rule 5 of version 12. Numbers in comments are those below that rule. */
import { prevEventIds } from '../events/pdu.ts';
import type { Pdu } from '../events/pdu.ts';
import { domainOf } from '../ids/domain-of.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { membershipOf } from './auth-context.ts';
import type { AuthContext, MemberContext } from './auth-context.ts';
import { actionPower, userPower } from './power-levels.ts';
import type { PowerAction } from './power-levels.ts';
import { authorizeThirdPartyInvite } from './authorize-third-party-invite.ts';
import { ALLOWED, refuse } from './verdict.ts';
import type { AuthVerdict } from './verdict.ts';

export function authorizeMember(context: AuthContext): AuthVerdict {
  const { event, state } = context;
  const { membership, join_authorised_via_users_server: authoriser } = event.content;
  // 1.
  const target = event.state_key;
  if (target === undefined || membership === undefined) return refuse('A membership event needs a state key and a membership');
  // 2. Where restricted joins exist, a named authoriser's server must have signed.
  if (context.version.restrictedJoin && authoriser !== undefined && !(typeof authoriser === 'string' && context.signedBy(domainOf(authoriser)))) {
    return refuse('The event is not signed by the server of the user who authorised the join');
  }
  const targetBefore = membershipOf(state, target);
  const senderBefore = event.sender === target ? targetBefore : membershipOf(state, event.sender);
  const member: MemberContext = { ...context, target, targetBefore, senderBefore };
  switch (membership) {
    case 'join':
      return authorizeJoin(member); // 3.
    case 'invite':
      return authorizeInvite(member); // 4.
    case 'leave':
      return authorizeLeave(member); // 5.
    case 'ban':
      return authorizeBan(member); // 6.
    case 'knock':
      return context.version.knock ? authorizeKnock(member) : refuse('Knocking is unknown in this room version'); // 7.
    default:
      return refuse('The membership is unknown'); // 8.
  }
}

function authorizeJoin(member: MemberContext): AuthVerdict {
  const { event, target, targetBefore } = member;
  // 3.1. The creator's first join; up to version 10 the create event names the creator, later its sender is it.
  const creator = member.version.creatorInContent ? member.create.content.creator : member.create.sender;
  if (isOnlyPrevEvent(event, member.createEventId) && target === creator) return ALLOWED;
  // 3.2.
  if (event.sender !== target) return refuse('Nobody can join another user to a room');
  // 3.3.
  if (targetBefore === 'ban') return refuse(`${target} is banned from the room`);
  // 3.4 to 3.7.
  const wasInvited = targetBefore === 'invite' || targetBefore === 'join';
  const rule = joinRule(member);
  if (rule === 'invite' || (rule === 'knock' && member.version.knock)) return wasInvited ? ALLOWED : refuse(`${target} is not invited to the room`); // 3.4.
  if (isRestricted(rule, member.version)) return wasInvited ? ALLOWED : authorizeRestrictedJoin(member); // 3.5.1.
  return rule === 'public' ? ALLOWED : refuse("The room's join rule lets nobody in"); // 3.6, 3.7.
}

function isOnlyPrevEvent(event: Pdu, eventId: string): boolean {
  const [first, second] = prevEventIds(event);
  return first === eventId && second === undefined;
}

/** 3.5.2 and 3.5.3: somebody who may invite has authorised the join. */
function authorizeRestrictedJoin({ event, target, state, power }: MemberContext): AuthVerdict {
  const authoriser = event.content.join_authorised_via_users_server;
  if (typeof authoriser !== 'string') return refuse(`${target} is not invited to the room and no member authorised the join`);
  const mayInvite = membershipOf(state, authoriser) === 'join' && userPower(power, authoriser) >= actionPower(power, 'invite');
  return mayInvite ? ALLOWED : refuse(`${authoriser} cannot authorise the join: not a member who may invite`);
}

function isRestricted(rule: unknown, version: RoomVersion): boolean {
  return (rule === 'restricted' && version.restrictedJoin) || (rule === 'knock_restricted' && version.knockRestricted);
}

function authorizeInvite(member: MemberContext): AuthVerdict {
  // 4.1.
  if (member.event.content.third_party_invite !== undefined) return authorizeThirdPartyInvite(member);
  // 4.2.
  if (member.senderBefore !== 'join') return refuse(`${member.event.sender} is not joined to the room`);
  // 4.3.
  if (member.targetBefore === 'join') return refuse(`${member.target} is already in the room`);
  if (member.targetBefore === 'ban') return refuse(`${member.target} is banned from the room`);
  // 4.4, 4.5.
  return needPower(member, 'invite') ?? ALLOWED;
}

function authorizeLeave(member: MemberContext): AuthVerdict {
  const { event, target, targetBefore } = member;
  // 5.1.
  if (event.sender === target) {
    const canLeave = targetBefore === 'invite' || targetBefore === 'join' || (targetBefore === 'knock' && member.version.knock);
    return canLeave ? ALLOWED : refuse(`${target} is not in the room`);
  }
  // 5.2.
  if (member.senderBefore !== 'join') return refuse(`${event.sender} is not joined to the room`);
  // 5.3.
  const needBan = targetBefore === 'ban' ? needPower(member, 'ban') : undefined;
  if (needBan !== undefined) return needBan;
  // 5.4, 5.5.
  return needPower(member, 'kick') ?? needLessPowerfulTarget(member) ?? ALLOWED;
}

function authorizeBan(member: MemberContext): AuthVerdict {
  // 6.1.
  if (member.senderBefore !== 'join') return refuse(`${member.event.sender} is not joined to the room`);
  // 6.2, 6.3.
  return needPower(member, 'ban') ?? needLessPowerfulTarget(member) ?? ALLOWED;
}

function authorizeKnock(member: MemberContext): AuthVerdict {
  const { event, target, senderBefore } = member;
  // 7.1.
  const rule = joinRule(member);
  if (rule !== 'knock' && !(rule === 'knock_restricted' && member.version.knockRestricted)) return refuse('The room does not take knocks');
  // 7.2.
  if (event.sender !== target) return refuse('Nobody can knock for another user');
  // 7.3, 7.4.
  if (senderBefore === 'ban') return refuse(`${target} is banned from the room`);
  return senderBefore === 'invite' || senderBefore === 'join' ? refuse(`${target} is already invited or in the room`) : ALLOWED;
}

/** The room's join rule. The spec's rules do not say what a missing one means; as servers agree, the room is then by invitation. One that is no string is a rule that nobody knows. */
function joinRule(member: MemberContext): unknown {
  const rule = member.state('m.room.join_rules', '')?.content.join_rule;
  return rule === undefined ? 'invite' : rule;
}

function needPower(member: MemberContext, action: PowerAction): AuthVerdict | undefined {
  const needed = actionPower(member.power, action);
  if (member.senderPower >= needed) return undefined;
  return refuse(`${member.event.sender} may not ${action}: power ${member.senderPower} of ${needed}`);
}

function needLessPowerfulTarget(member: MemberContext): AuthVerdict | undefined {
  return userPower(member.power, member.target) < member.senderPower ? undefined : refuse(`${member.target} has as much power as ${member.event.sender}`);
}
