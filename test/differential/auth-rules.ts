/**
 * The authorisation rules and where each stands in the source: the piece that runs when the rule decides, and the one that runs when it passes an event on to the next rule (or
 * decides the other way). `¦` marks the place in the text. Numbers are those of version 11; in version 12 the first is one more from 2 on, in versions 1 to 5 from 4 on.
 */
import type { FileCounts } from './coverage.ts';

export interface AuthRule {
  readonly rule: string;
  readonly what: string;
  readonly file: string;
  readonly decides: Place;
  readonly passes: Place;
  /** The first and the last version that has the rule; 1 and 12 if absent. */
  readonly from?: number;
  readonly to?: number;
}

/** How often a piece ran, less how often another did. */
type Place = string | { readonly at: string; readonly less: string };

const MEMBER = 'pkg/matrix/auth/authorize-member.ts';
const RULES = 'pkg/matrix/auth/authorize.ts';
const LEVELS = 'pkg/matrix/auth/authorize-power-levels.ts';
const THIRD_PARTY = 'pkg/matrix/auth/authorize-third-party-invite.ts';
const CITED = 'pkg/matrix/auth/check-auth-events.ts';
const RECEIVED = 'pkg/matrix/events/check-received.ts';
const BAN_ALLOWED = '?? ¦ALLOWED;\n}\n\nfunction authorizeKnock';
const KICK_ALLOWED = '?? ¦ALLOWED;\n}\n\nfunction authorizeBan';

export const AUTH_RULES: readonly AuthRule[] = [
  { rule: '1.1', what: 'a create event follows nothing', file: RULES, decides: "return refuse('A create event cannot", passes: "if (version.roomIdFormat === 'create-hash') {" },
  { rule: '1.2', what: "the room ID is of the creator's server", file: RULES, to: 11, decides: 'return refuse("The room ID is not of', passes: 'const { room_version: named' },
  { rule: '1.2', what: 'a create event has no room ID', file: RULES, from: 12, decides: "return refuse('The create event must not", passes: 'const { room_version: named' },
  { rule: '1.3', what: 'the version is known', file: RULES, decides: "return refuse('The room version is", passes: 'if (version.creatorInContent && event' },
  { rule: '1.4', what: 'a creator is named', file: RULES, to: 10, decides: "return refuse('The create event names", passes: 'if (version.privilegedCreators && additional' },
  { rule: '1.4', what: 'additional creators are user IDs', file: RULES, from: 12, decides: "return refuse('additional_creators", passes: '// 1.4 of version 11, 1.5.\n  ¦return ALLOWED' },
  { rule: '2', what: "the room ID is an accepted create event's", file: RECEIVED, from: 12, decides: 'return refuse("The room\'s create event was', passes: 'const state = [...cited' },
  { rule: '2.1', what: 'no auth event twice', file: CITED, decides: 'return refuse(`The auth events hold ${type} twice', passes: 'if (place < 0) return' },
  { rule: '2.2', what: 'no auth event that is not asked for', file: CITED, decides: 'return refuse(`${type} cannot be among', passes: 'if (rejected) return' },
  { rule: '2.3', what: 'no rejected auth event', file: CITED, decides: 'return refuse(`The auth events hold a rejected', passes: 'if (authEvent.room_id !==' },
  { rule: '2.4', what: 'the create event is an auth event', file: CITED, to: 11, decides: "return refuse('The auth events lack", passes: '¦return ALLOWED;\n}' },
  { rule: '2.5', what: 'no auth event of another room', file: CITED, decides: 'return refuse(`The auth events hold ${type} of', passes: 'seen.push(place)' },
  { rule: '3', what: 'a closed room', file: RULES, decides: "return refuse('The room is closed", passes: "if (event.type === 'm.room.aliases' &&" },
  { rule: '4 (v1 to v5)', what: 'aliases of the own server', file: RULES, to: 5, decides: ': ¦refuse("The aliases are', passes: '? ¦ALLOWED : refuse("The aliases' },
  { rule: '4.1', what: 'a state key and a membership', file: MEMBER, decides: "return refuse('A membership event needs", passes: 'if (context.version.restrictedJoin && authoriser' },
  { rule: '4.2', what: "signed by the authoriser's server", file: MEMBER, from: 8, decides: "return refuse('The event is not signed", passes: 'const targetBefore = membershipOf(state' },
  { rule: '4.3.1', what: "the creator's first join", file: MEMBER, decides: '¦return ALLOWED;\n  // 3.2.', passes: 'if (event.sender !== target) return refuse(\'Nobody can join' },
  { rule: '4.3.2', what: 'nobody joins another', file: MEMBER, decides: "return refuse('Nobody can join", passes: "if (targetBefore === 'ban') return" },
  { rule: '4.3.3', what: 'no join while banned', file: MEMBER, decides: "if (targetBefore === 'ban') ¦return", passes: 'const wasInvited' },
  { rule: '4.3.4', what: 'invite and knock: only who is invited', file: MEMBER, decides: '? ALLOWED : ¦refuse(`${target} is not invited to the room`); // 3.4', passes: '? ¦ALLOWED : refuse(`${target} is not invited to the room`); // 3.4' },
  { rule: '4.3.5.1', what: 'restricted: who is invited', file: MEMBER, from: 8, decides: '? ¦ALLOWED : authorizeRestrictedJoin', passes: '? ALLOWED : ¦authorizeRestrictedJoin' },
  { rule: '4.3.5.2', what: 'restricted: no authoriser', file: MEMBER, from: 8, decides: 'return refuse(`${target} is not invited to the room and', passes: 'const mayInvite' },
  { rule: '4.3.5.3', what: 'restricted: an authoriser who may invite', file: MEMBER, from: 8, decides: 'mayInvite ? ALLOWED : ¦refuse', passes: 'mayInvite ? ¦ALLOWED' },
  { rule: '4.3.6, 4.3.7', what: 'public, or any other rule', file: MEMBER, decides: ': ¦refuse("The room\'s join rule lets', passes: "rule === 'public' ? ¦ALLOWED" },
  { rule: '4.4.1', what: 'third-party: not while banned', file: THIRD_PARTY, decides: 'return refuse(`${member.target} is banned', passes: 'const signed = (member' },
  { rule: '4.4.1.2', what: 'third-party: signed', file: THIRD_PARTY, decides: "return refuse('The third-party invite is not signed');", passes: 'const { mxid, token }' },
  { rule: '4.4.1.3', what: 'third-party: mxid and token', file: THIRD_PARTY, decides: "return refuse('The third-party invite names", passes: 'if (mxid !== member.target)' },
  { rule: '4.4.1.4', what: 'third-party: for the target', file: THIRD_PARTY, decides: "return refuse('The third-party invite is for", passes: "const invite = member.state('m" },
  { rule: '4.4.1.5', what: 'third-party: offered', file: THIRD_PARTY, decides: "return refuse('The room has no such", passes: 'if (invite.sender !==' },
  { rule: '4.4.1.6', what: 'third-party: by the same sender', file: THIRD_PARTY, decides: "return refuse('The third-party invite is from", passes: 'return isSignedByAny(signed' },
  { rule: '4.4.1.7, 4.4.1.8', what: 'third-party: signed with a key of the offer', file: THIRD_PARTY, decides: ": ¦refuse('The third-party invite is not signed with", passes: 'publicKeysOf(invite)) ? ¦ALLOWED' },
  { rule: '4.4.2', what: 'who invites is joined', file: MEMBER, decides: '¦return refuse(`${member.event.sender} is not joined to the room`);\n  // 4.3.', passes: "if (member.targetBefore === 'join')" },
  { rule: '4.4.3', what: 'no invite for who is joined', file: MEMBER, decides: "if (member.targetBefore === 'join') ¦return", passes: "if (member.targetBefore === 'ban')" },
  { rule: '4.4.3', what: 'no invite for who is banned', file: MEMBER, decides: "if (member.targetBefore === 'ban') ¦return", passes: "return needPower(member, 'invite')" },
  { rule: '4.4.4, 4.4.5', what: 'the invite level', file: MEMBER, decides: { at: "return needPower(member, 'invite')", less: "needPower(member, 'invite') ?? ¦ALLOWED" }, passes: "needPower(member, 'invite') ?? ¦ALLOWED" },
  { rule: '4.5.1', what: 'leaving', file: MEMBER, decides: ': ¦refuse(`${target} is not in the room`)', passes: '? ¦ALLOWED : refuse(`${target} is not in the room`)' },
  { rule: '4.5.2', what: 'who kicks is joined', file: MEMBER, decides: "if (member.senderBefore !== 'join') ¦return refuse(`${event.sender}", passes: 'const needBan =' },
  { rule: '4.5.3', what: 'who lifts a ban has the ban level', file: MEMBER, decides: 'if (needBan !== undefined) ¦return', passes: "return needPower(member, 'kick')" },
  { rule: '4.5.4, 4.5.5', what: 'the kick level, and a target of less power', file: MEMBER, decides: { at: "return needPower(member, 'kick')", less: KICK_ALLOWED }, passes: KICK_ALLOWED },
  { rule: '4.6.1', what: 'who bans is joined', file: MEMBER, decides: '¦return refuse(`${member.event.sender} is not joined to the room`);\n  // 6.2', passes: "return needPower(member, 'ban')" },
  { rule: '4.6.2, 4.6.3', what: 'the ban level, and a target of less power', file: MEMBER, decides: { at: "return needPower(member, 'ban')", less: BAN_ALLOWED }, passes: BAN_ALLOWED },
  { rule: '4.7.1', what: 'the room takes knocks', file: MEMBER, from: 7, decides: "return refuse('The room does not take", passes: "if (event.sender !== target) return refuse('Nobody can knock" },
  { rule: '4.7.2', what: 'nobody knocks for another', file: MEMBER, from: 7, decides: "return refuse('Nobody can knock", passes: "if (senderBefore === 'ban')" },
  { rule: '4.7.3', what: 'no knock while banned', file: MEMBER, from: 7, decides: "if (senderBefore === 'ban') ¦return", passes: "return senderBefore === 'invite'" },
  { rule: '4.7.3, 4.7.4', what: 'no knock while invited or joined', file: MEMBER, from: 7, decides: '? ¦refuse(`${target} is already invited', passes: 'in the room`) : ¦ALLOWED' },
  { rule: '4.8', what: 'any other membership', file: MEMBER, decides: "return refuse('The membership is", passes: 'return authorizeJoin(member); // 3.' },
  { rule: '4.8 (v1 to v6)', what: 'knocking', file: MEMBER, to: 6, decides: ": ¦refuse('Knocking is unknown", passes: 'return authorizeJoin(member); // 3.' },
  { rule: '5', what: 'the sender is joined', file: RULES, decides: '¦return refuse(`${event.sender} is not joined', passes: "if (event.type === 'm.room.third_party_invite')" },
  { rule: '6', what: 'third-party invites: the invite level', file: RULES, decides: ': ¦refuse(`${event.sender} may not invite', passes: '? ¦ALLOWED : refuse(`${event.sender} may not invite' },
  { rule: '7', what: 'the required power level', file: RULES, decides: 'return refuse(`${event.sender} may not send', passes: "if (event.state_key?.startsWith('@')" },
  { rule: '8', what: "no state of another user's", file: RULES, decides: "return refuse('The state key names", passes: "if (event.type === 'm.room.power_levels') return" },
  { rule: '9.1', what: 'levels are integers', file: LEVELS, from: 10, decides: 'return `${notInteger} in', passes: "for (const key of ['events', 'notifications'" },
  { rule: '9.2', what: 'maps of integers', file: LEVELS, from: 10, decides: 'return `${key} in the power levels is not an object', passes: 'const notUser' },
  { rule: '9.3', what: 'keys of users are user IDs', file: LEVELS, from: 10, decides: "notUser === undefined ? undefined : ¦'", passes: 'notUser === undefined ? ¦undefined' },
  { rule: '9.1 (v1 to v9)', what: 'users have integer levels', file: LEVELS, to: 9, decides: "malformed === undefined ? undefined : ¦'", passes: 'malformed === undefined ? ¦undefined' },
  { rule: '9.1 (v1 to v9)', what: 'users are a map', file: LEVELS, to: 9, decides: "return 'users in the power levels is not an object", passes: 'const malformed = Object.entries' },
  { rule: '10.4 (v12)', what: 'no creator among the users', file: LEVELS, from: 12, decides: 'return refuse(`The power levels name', passes: 'const current = power.levels' },
  { rule: '9.4', what: 'the first power levels', file: LEVELS, decides: 'if (current === undefined) ¦return', passes: 'const problem = levelChangeProblem' },
  { rule: '9.5', what: 'a level above the sender is not changed', file: LEVELS, decides: 'return `${key} is above', passes: '¦entryChangeProblem(context, current) ??' },
  { rule: '9.5', what: 'no level is set above the sender', file: LEVELS, decides: 'return `${key} cannot be set', passes: '¦entryChangeProblem(context, current) ??' },
  { rule: '9.6, 9.7', what: 'an entry above the sender is not changed', file: LEVELS, decides: 'return `The level of ${key} is above', passes: '?? ¦userChangeProblem(context' },
  { rule: '9.6, 9.7', what: 'no entry is set above the sender', file: LEVELS, decides: 'return `The level of ${key} cannot', passes: '?? ¦userChangeProblem(context' },
  { rule: '9.8', what: 'no user as powerful as the sender is changed', file: LEVELS, decides: 'return `${key} has as much', passes: 'problem === undefined ? ¦ALLOWED' },
  { rule: '9.9, 9.10', what: 'no user is raised above the sender', file: LEVELS, decides: 'return `${key} cannot be raised', passes: 'problem === undefined ? ¦ALLOWED' },
  { rule: '11 (v1 and v2)', what: 'redactions', file: RULES, to: 2, decides: ': ¦refuse(`${event.sender} may not redact', passes: 'sameServer ? ¦ALLOWED' },
  { rule: '10', what: 'everything else', file: RULES, decides: '// 10/11.\n  ¦return ALLOWED', passes: 'if (membershipOf(context.state, event.sender)' },
];

/** Why some pieces of the source are never run by rooms. */
export const UNREACHED: readonly { readonly file: string; readonly piece: string; readonly reason: string }[] = [
  { file: RULES, piece: "return refuse('The room ID is not that of the create event')", reason: 'who has the event checked looks the create event up by the room ID.' },
  { file: 'pkg/matrix/auth/power-levels.ts', piece: 'export function notificationPower', reason: 'for push rules; no authorisation rule asks for it.' },
  { file: 'pkg/matrix/auth/power-levels.ts', piece: 'function notificationPower', reason: 'for push rules; no authorisation rule asks for it.' },
  { file: 'pkg/matrix/auth/power-levels.ts', piece: '&& Number.isFinite(value)', reason: 'fractions: an event with one has no canonical JSON and is dropped on receipt.' },
  { file: 'pkg/matrix/auth/power-levels.ts', piece: 'return Math.trunc(value)', reason: 'fractions: an event with one has no canonical JSON and is dropped on receipt.' },
  { file: THIRD_PARTY, piece: 'return false;', reason: 'our limit of signatures that are tried, which no real invite reaches.' },
  { file: 'pkg/matrix/state-res/conflicts.ts', piece: '() => undefined', reason: 'nothing precedes a create event, and nobody asks what is in no state.' },
  { file: 'pkg/matrix/state-res/resolve-v1.ts', piece: 'continue;', reason: 'a conflicted slot has events.' },
  { file: 'pkg/matrix/state-res/event-facts.ts', piece: ': [...new Set(auth)]', reason: 'an event that cites another twice is refused, and is in no state.' },
  { file: 'pkg/matrix/state-res/iterative-auth.ts', piece: 'function askedBy', reason: 'for resolutions that go on event by event, which `meeting.property.test.ts` of the roomserver compares with whole ones.' },
  { file: 'pkg/matrix/state-res/iterative-auth.ts', piece: 'export function askedBy', reason: 'for resolutions that go on event by event, which `meeting.property.test.ts` of the roomserver compares with whole ones.' },
  { file: 'pkg/matrix/state-res/loaded-room.ts', piece: 'throw new RangeError', reason: 'for callers that forget to load what `eventsToLoad` names.' },
];

export function hasRule({ from = 1, to = 12 }: AuthRule, versionId: string): boolean {
  return Number(versionId) >= from && Number(versionId) <= to;
}

/** How often the rule decided and passed an event on. Throws when its place is not exactly once in the source. */
export function countsOfRule({ file, decides, passes }: AuthRule, taken: readonly FileCounts[]): { decided: number; passed: number } {
  const source = taken.find((counts) => counts.file === file);
  return { decided: source === undefined ? 0 : countAt(source, decides), passed: source === undefined ? 0 : countAt(source, passes) };
}

function countAt(source: FileCounts, place: Place): number {
  if (typeof place !== 'string') return countAt(source, place.at) - countAt(source, place.less);
  const text = place.replace('¦', '');
  const start = source.text.indexOf(text);
  if (start === -1 || source.text.includes(text, start + 1)) throw new Error(`${source.file} does not hold exactly once: ${text}`);
  return Math.max(0, source.counts[start + Math.max(0, place.indexOf('¦'))] as number);
}
