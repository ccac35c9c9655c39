import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CREATOR, RoomState } from '../../../test/kit/room-state.ts';
import { encodeBase64 } from '../canonical-json/base64.ts';
import type { EventDraft, Pdu } from '../events/pdu.ts';
import { signJson } from '../signing/sign-json.ts';
import { signingKeyFromSeed } from '../signing/signing-key.ts';
import { authorize } from './authorize.ts';

const MOD = '@mod:one.test';
const ALICE = '@alice:one.test';
const BOB = '@bob:two.test';
const CAROL = '@carol:two.test';

/** Power levels in which the creator stands at 100 wherever that can be said. */
function levels(room: RoomState, more: Record<string, unknown> = {}, users: Record<string, number> = {}): Record<string, unknown> {
  return { users: { ...(room.version.privilegedCreators ? {} : { [CREATOR]: 100 }), [MOD]: 50, ...users }, ...more };
}

/** Creator, a moderator (50) and Alice (0) are joined; Bob and Carol were never there. By invitation. */
function room(versionId: string, createContent: Record<string, unknown> = {}): RoomState {
  const made = new RoomState(versionId, createContent).member(CREATOR, 'join');
  made.set('m.room.power_levels', '', levels(made)).set('m.room.join_rules', '', { join_rule: 'invite' });
  return made.member(MOD, 'join').member(ALICE, 'join');
}

interface Case {
  readonly rule: string;
  readonly given?: (made: RoomState) => unknown;
  readonly create?: Record<string, unknown>;
  readonly when: EventDraft | ((made: RoomState) => EventDraft);
  readonly change?: (made: RoomState) => Partial<Pdu>;
  /** Absent: allowed. Else what the reason says. */
  readonly refused?: RegExp;
  readonly versions?: readonly string[];
}

function member(sender: string, target: string, membership: string, more: Record<string, unknown> = {}): EventDraft {
  return { type: 'm.room.member', sender, state_key: target, content: { membership, ...more } };
}

function message(sender: string): EventDraft {
  return { type: 'm.room.message', sender, content: { body: 'hello' } };
}

function runCases(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const { rule, given, create, when, change, refused, versions = ['10', '11', '12'] } of cases) {
      for (const versionId of versions) {
        test(`v${versionId} ${rule}`, () => {
          const made = room(versionId, create);
          given?.(made);
          const verdict = made.verdict(typeof when === 'function' ? when(made) : when, change?.(made));
          if (refused === undefined) assert.deepEqual(verdict, { allowed: true });
          else assert.match(verdict.allowed ? 'allowed' : verdict.reason, refused);
        });
      }
    }
  });
}

const create = (content: Record<string, unknown> = {}, sender = CREATOR): EventDraft => ({
  type: 'm.room.create', sender, state_key: '', content: { creator: sender, room_version: '11', ...content },
});

runCases('1 create', [
  { rule: '1.5 a create event is allowed', when: create() },
  { rule: '1.1 after other events', when: create(), change: () => ({ prev_events: ['$before'] }), refused: /follow other events/ },
  { rule: '1.2 with the room ID of another server', when: create({}, BOB), versions: ['10', '11'], refused: /creator's server/ },
  { rule: '1.2 with a room ID', when: create(), change: (made) => ({ room_id: made.roomId }), versions: ['12'], refused: /must not carry a room ID/ },
  { rule: '1.3 of an unknown version', when: create({ room_version: 'no.such.version' }), refused: /version is not supported/ },
  { rule: '1.3 of a version that is no string', when: create({ room_version: 11 }), refused: /version is not supported/ },
  { rule: '1.4 without creator', when: create({ creator: undefined }), versions: ['10'], refused: /names no creator/ },
  { rule: '1.4 without creator is allowed', when: create({ creator: undefined }), versions: ['11', '12'] },
  { rule: '1.4 with additional creators is allowed', when: create({ additional_creators: [BOB] }), versions: ['12'] },
  { rule: '1.4 with additional creators that are no users', when: create({ additional_creators: ['bob'] }), versions: ['12'], refused: /not a list of user IDs/ },
  { rule: '1.4 with additional creators that are no list', when: create({ additional_creators: BOB }), versions: ['12'], refused: /not a list of user IDs/ },
]);

runCases('2, 3 the room', [
  { rule: '2 of another room', when: message(ALICE), change: () => ({ room_id: '!other:one.test' }), refused: /another room/ },
  { rule: '3/4 a closed room takes its own users', create: { 'm.federate': false }, when: message(ALICE) },
  { rule: '3/4 a closed room and a foreign user', create: { 'm.federate': false }, given: (made) => made.member(BOB, 'join'), when: message(BOB), refused: /closed to users of other servers/ },
]);

test('a room without create event allows nothing', () => {
  const made = room('11');
  const { pdu } = made.build(message(ALICE));
  const verdict = authorizeWithout(made, pdu);
  assert.deepEqual(verdict, { allowed: false, reason: 'The room has no create event' });
});

test('v12 -/2 a create event that is not the one in the room ID', () => {
  const made = room('12');
  const other = new RoomState('12', { topic: 'other' });
  const state = (type: string, key: string): Pdu | undefined => (type === 'm.room.create' ? other.create.pdu : made.lookup(type, key));
  const verdict = authorize({ event: made.build(message(ALICE)).pdu, version: made.version, state, roomId: made.roomId });
  assert.deepEqual(verdict, { allowed: false, reason: 'The room ID is not that of the create event' });
});

function authorizeWithout(made: RoomState, event: Pdu): unknown {
  return authorize({ event, version: made.version, state: (type, key) => (type === 'm.room.create' ? undefined : made.lookup(type, key)), roomId: made.roomId });
}

const rule = (joinRule: string) => (made: RoomState) => made.set('m.room.join_rules', '', { join_rule: joinRule });
const authorised = { join_authorised_via_users_server: ALICE };
/** Bob's join, also signed by Alice's server. */
const countersigned = { change: (): Partial<Pdu> => ({ signatures: { 'two.test': {}, 'one.test': { 'ed25519:test': 'checked elsewhere' } } }) };
const onTopOfCreate = (made: RoomState): Partial<Pdu> => ({ prev_events: [made.create.eventId] });

runCases('4/5 memberships: form', [
  { rule: '4.1 no state key', when: { type: 'm.room.member', sender: ALICE, content: { membership: 'join' } }, refused: /needs a state key/ },
  { rule: '4.1 no membership', when: { type: 'm.room.member', sender: ALICE, state_key: ALICE, content: {} }, refused: /needs a state key/ },
  { rule: '4.2 authorised but not signed by the authoriser', given: rule('restricted'), when: member(BOB, BOB, 'join', authorised), refused: /not signed by the server/ },
  { rule: '4.2 an authoriser that is no string', when: member(ALICE, ALICE, 'join', { join_authorised_via_users_server: 5 }), refused: /not signed by the server/ },
  { rule: '4.8 unknown membership', when: member(ALICE, ALICE, 'asleep'), refused: /unknown/ },
]);

runCases('4.3/5.3 join', [
  { rule: '4.3.1 the creator, first', when: member(CREATOR, CREATOR, 'join'), given: (made) => made.member(CREATOR, 'leave'), change: onTopOfCreate },
  { rule: '4.3.1 the creator, later, needs an invite', when: member(CREATOR, CREATOR, 'join'), given: (made) => made.member(CREATOR, 'leave'), refused: /not invited/ },
  { rule: '4.3.1 another user right after the create event', when: member(BOB, BOB, 'join'), change: onTopOfCreate, refused: /not invited/ },
  { rule: '4.3.1 an additional creator right after the create event', create: { additional_creators: [BOB] }, when: member(BOB, BOB, 'join'), change: onTopOfCreate, refused: /not invited/ },
  { rule: '4.3.2 joining another user', given: rule('public'), when: member(ALICE, BOB, 'join'), refused: /join another user/ },
  { rule: '4.3.3 while banned', given: (made) => rule('public')(made).member(BOB, 'ban'), when: member(BOB, BOB, 'join'), refused: /banned/ },
  { rule: '4.3.4 by invitation, invited', given: (made) => made.member(BOB, 'invite'), when: member(BOB, BOB, 'join') },
  { rule: '4.3.4 by invitation, joined already', when: member(ALICE, ALICE, 'join', { displayname: 'A' }) },
  { rule: '4.3.4 by invitation, not invited', when: member(BOB, BOB, 'join'), refused: /not invited/ },
  { rule: '4.3.4 by knocking, invited', given: (made) => rule('knock')(made).member(BOB, 'invite'), when: member(BOB, BOB, 'join') },
  { rule: '4.3.4 by knocking, only knocked', given: (made) => rule('knock')(made).member(BOB, 'knock'), when: member(BOB, BOB, 'join'), refused: /not invited/ },
  { rule: '4.3.6 public', given: rule('public'), when: member(BOB, BOB, 'join') },
  { rule: '4.3.7 private', given: rule('private'), when: member(BOB, BOB, 'join'), refused: /lets nobody in/ },
]);

for (const joinRule of ['restricted', 'knock_restricted']) {
  const restricted = rule(joinRule);
  runCases(`4.3.5/5.3.5 join of a room that is ${joinRule}`, [
    { rule: '4.3.5.1 invited', given: (made) => restricted(made).member(BOB, 'invite'), when: member(BOB, BOB, 'join') },
    { rule: '4.3.5.2 nobody authorised it', given: restricted, when: member(BOB, BOB, 'join'), refused: /no member authorised/ },
    { rule: '4.3.5.3 authorised by a member', given: restricted, when: member(BOB, BOB, 'join', authorised), ...countersigned },
    {
      rule: '4.3.5.2 authorised by one who may not invite', given: (made) => restricted(made).set('m.room.power_levels', '', levels(made, { invite: 50 })),
      when: member(BOB, BOB, 'join', authorised), ...countersigned, refused: /cannot authorise/,
    },
    {
      rule: '4.3.5.2 authorised by one who has left', given: (made) => restricted(made).member(ALICE, 'leave'),
      when: member(BOB, BOB, 'join', authorised), ...countersigned, refused: /cannot authorise/,
    },
  ]);
}

const IDENTITY_KEY = signingKeyFromSeed('0', new Uint8Array(32).fill(9));
const OTHER_KEY = signingKeyFromSeed('0', new Uint8Array(32).fill(10));
const signed = signJson({ mxid: BOB, token: 'tok' }, 'id.test', IDENTITY_KEY);
/** The one valid signature comes after so many that nobody's key made. */
const afterBad = (count: number): object => {
  const bad = Object.fromEntries(Array.from({ length: count }, (_, index) => [`ed25519:${index}`, encodeBase64(new Uint8Array(64).fill(1))]));
  return { ...signed, signatures: { 'a.test': bad, ...signed.signatures } };
};
const thirdParty = (content: unknown, sender = MOD): EventDraft => member(sender, BOB, 'invite', { third_party_invite: content });
const pending = (content: Record<string, unknown>) => (made: RoomState) => made.set('m.room.third_party_invite', 'tok', content, MOD);
const withKey = pending({ public_key: encodeBase64(IDENTITY_KEY.publicKey) });

runCases('4.4.1/5.4.1 third-party invite', [
  { rule: '4.4.1.1 of a banned user', given: (made) => withKey(made).member(BOB, 'ban'), when: thirdParty({ signed }), refused: /banned/ },
  { rule: '4.4.1.2 not signed', given: withKey, when: thirdParty({}), refused: /not signed/ },
  { rule: '4.4.1.3 no token', given: withKey, when: thirdParty({ signed: { mxid: BOB } }), refused: /names no user or no token/ },
  { rule: '4.4.1.3 no user', given: withKey, when: thirdParty({ signed: { token: 'tok' } }), refused: /names no user or no token/ },
  { rule: '4.4.1.4 for another user', given: withKey, when: thirdParty({ signed: { ...signed, mxid: CAROL } }), refused: /for another user/ },
  { rule: '4.4.1.5 not pending', when: thirdParty({ signed }), refused: /no such third-party invite/ },
  { rule: '4.4.1.6 of another sender', given: withKey, when: thirdParty({ signed }, ALICE), refused: /another sender/ },
  { rule: '4.4.1.7.1 signed with the one key', given: withKey, when: thirdParty({ signed }) },
  { rule: '4.4.1.7.2 signed with a key of the list', when: thirdParty({ signed }),
    given: pending({ public_key: encodeBase64(OTHER_KEY.publicKey), public_keys: [{ public_key: encodeBase64(IDENTITY_KEY.publicKey) }] }) },
  { rule: '4.4.1.8 signed with another key', given: pending({ public_key: encodeBase64(OTHER_KEY.publicKey), public_keys: [null, { public_key: 'short' }] }), when: thirdParty({ signed }), refused: /not signed with one of its keys/ },
  { rule: '4.4.1.8 signed for another token', given: (made) => made.set('m.room.third_party_invite', 'tok2', { public_key: encodeBase64(IDENTITY_KEY.publicKey) }, MOD),
    when: thirdParty({ signed: { ...signed, token: 'tok2' } }), refused: /not signed with one of its keys/ },
  { rule: '4.4.1.7 the last of 256 signatures is tried', given: withKey, when: thirdParty({ signed: afterBad(255) }), versions: ['12'] },
  { rule: '4.4.1.8 the 257th is not', given: withKey, when: thirdParty({ signed: afterBad(256) }), versions: ['12'], refused: /not signed with one of its keys/ },
  { rule: '4.4.1.8 no signatures', given: withKey, when: thirdParty({ signed: { mxid: BOB, token: 'tok' } }), refused: /not signed with one of its keys/ },
]);

runCases('4.4/5.4 invite', [
  { rule: '4.4.2 by one who is not joined', when: member(CAROL, BOB, 'invite'), refused: /@carol:two.test is not joined/ },
  { rule: '4.4.3 of a joined user', when: member(MOD, ALICE, 'invite'), refused: /already in the room/ },
  { rule: '4.4.3 of a banned user', given: (made) => made.member(BOB, 'ban'), when: member(MOD, BOB, 'invite'), refused: /banned/ },
  { rule: '4.4.4 with enough power', when: member(ALICE, BOB, 'invite') },
  { rule: '4.4.4 of a user who left', given: (made) => made.member(BOB, 'leave'), when: member(ALICE, BOB, 'invite') },
  { rule: '4.4.5 with too little power', given: (made) => made.set('m.room.power_levels', '', levels(made, { invite: 1 })), when: member(ALICE, BOB, 'invite'), refused: /may not invite: power 0 of 1/ },
]);

runCases('4.5/5.5 leave', [
  { rule: '4.5.1 joined', when: member(ALICE, ALICE, 'leave') },
  { rule: '4.5.1 invited', given: (made) => made.member(BOB, 'invite'), when: member(BOB, BOB, 'leave') },
  { rule: '4.5.1 knocking', given: (made) => made.member(BOB, 'knock'), when: member(BOB, BOB, 'leave') },
  { rule: '4.5.1 never there', when: member(BOB, BOB, 'leave'), refused: /not in the room/ },
  { rule: '4.5.1 banned', given: (made) => made.member(BOB, 'ban'), when: member(BOB, BOB, 'leave'), refused: /not in the room/ },
  { rule: '4.5.2 kick by one who is not joined', when: member(CAROL, ALICE, 'leave'), refused: /not joined/ },
  { rule: '4.5.3 unban with the kick level alone', given: (made) => made.set('m.room.power_levels', '', levels(made, { ban: 75 })).member(BOB, 'ban'), when: member(MOD, BOB, 'leave'), refused: /may not ban/ },
  { rule: '4.5.3 unban', given: (made) => made.member(BOB, 'ban'), when: member(MOD, BOB, 'leave') },
  { rule: '4.5.4 kick', when: member(MOD, ALICE, 'leave') },
  { rule: '4.5.4 kick of the invited', given: (made) => made.member(BOB, 'invite'), when: member(MOD, BOB, 'leave') },
  { rule: '4.5.5 kick with too little power', when: member(ALICE, MOD, 'leave'), refused: /may not kick: power 0 of 50/ },
  { rule: '4.5.5 kick of an equal', given: (made) => made.set('m.room.power_levels', '', levels(made, {}, { [ALICE]: 50 })), when: member(MOD, ALICE, 'leave'), refused: /as much power/ },
  { rule: '4.5.5 kick of the creator', when: member(MOD, CREATOR, 'leave'), refused: /as much power/ },
  { rule: '5.5.5 kick of one creator by another', create: { additional_creators: [ALICE] }, when: member(CREATOR, ALICE, 'leave'), versions: ['12'], refused: /as much power/ },
]);

runCases('4.6/5.6 ban', [
  { rule: '4.6.1 by one who is not joined', when: member(CAROL, ALICE, 'ban'), refused: /not joined/ },
  { rule: '4.6.2 of a member', when: member(MOD, ALICE, 'ban') },
  { rule: '4.6.2 of one who was never there', when: member(MOD, BOB, 'ban') },
  { rule: '4.6.3 with too little power', when: member(ALICE, BOB, 'ban'), refused: /may not ban: power 0 of 50/ },
  { rule: '4.6.3 of the more powerful', when: member(MOD, CREATOR, 'ban'), refused: /as much power/ },
  { rule: '4.6.3 of oneself', when: member(MOD, MOD, 'ban'), refused: /as much power/ },
]);

runCases('4.7/5.7 knock', [
  { rule: '4.7.1 where one cannot', when: member(BOB, BOB, 'knock'), refused: /does not take knocks/ },
  { rule: '4.7.1 where one cannot: restricted', given: rule('restricted'), when: member(BOB, BOB, 'knock'), refused: /does not take knocks/ },
  { rule: '4.7.2 for another user', given: rule('knock'), when: member(CAROL, BOB, 'knock'), refused: /for another user/ },
  { rule: '4.7.3 never there', given: rule('knock'), when: member(BOB, BOB, 'knock') },
  { rule: '4.7.3 knock_restricted, having left', given: (made) => rule('knock_restricted')(made).member(BOB, 'leave'), when: member(BOB, BOB, 'knock') },
  { rule: '4.7.4 banned', given: (made) => rule('knock')(made).member(BOB, 'ban'), when: member(BOB, BOB, 'knock'), refused: /banned/ },
  { rule: '4.7.4 invited', given: (made) => rule('knock')(made).member(BOB, 'invite'), when: member(BOB, BOB, 'knock'), refused: /already invited/ },
  { rule: '4.7.4 joined', given: rule('knock'), when: member(ALICE, ALICE, 'knock'), refused: /already invited or in/ },
]);

const topic = (sender: string): EventDraft => ({ type: 'm.room.topic', sender, state_key: '', content: { topic: 't' } });
const custom = (sender: string, stateKey: string): EventDraft => ({ type: 'org.test.custom', sender, state_key: stateKey, content: {} });
const tpi = (sender: string): EventDraft => ({ type: 'm.room.third_party_invite', sender, state_key: 'tok', content: {} });

runCases('5 to 8/6 to 9', [
  { rule: '5 not joined', when: message(BOB), refused: /not joined/ },
  { rule: '5 only invited', given: (made) => made.member(BOB, 'invite'), when: message(BOB), refused: /not joined/ },
  { rule: '6.1 a third-party invite needs the invite level only', when: tpi(ALICE) },
  { rule: '6.1 a third-party invite below the invite level', given: (made) => made.set('m.room.power_levels', '', levels(made, { invite: 50 })), when: tpi(ALICE), refused: /may not invite/ },
  { rule: '7 a message with the default level', when: message(ALICE) },
  { rule: '7 a message below events_default', given: (made) => made.set('m.room.power_levels', '', levels(made, { events_default: 10 })), when: message(ALICE), refused: /may not send m.room.message: power 0 of 10/ },
  { rule: '7 state with enough power', when: topic(MOD) },
  { rule: '7 state below the default', when: topic(ALICE), refused: /power 0 of 50/ },
  { rule: '7 state with a level of its own', given: (made) => made.set('m.room.power_levels', '', levels(made, { events: { 'm.room.topic': 0 } })), when: topic(ALICE) },
  { rule: '7 users_default lifts all', given: (made) => made.set('m.room.power_levels', '', levels(made, { users_default: 50 })), when: topic(ALICE) },
  { rule: '7 a type called like a method', when: { type: 'toString', sender: ALICE, content: {} } },
  { rule: '7 a redaction does not look at the redact level', when: { type: 'm.room.redaction', sender: ALICE, content: {}, redacts: '$some' } },
  { rule: '8 a state key that is oneself', given: (made) => made.set('m.room.power_levels', '', levels(made, { state_default: 0 })), when: custom(ALICE, ALICE) },
  { rule: '8 a state key that is another user', when: custom(MOD, ALICE), refused: /names another user/ },
  { rule: '10 anything else', when: custom(MOD, 'key') },
]);

/** A change of the power levels of `room` by `sender`. */
const change = (sender: string, more: Record<string, unknown>, users: Record<string, number> = {}) => (made: RoomState): EventDraft => ({
  type: 'm.room.power_levels', sender, state_key: '', content: levels(made, more, users),
});
const before = (more: Record<string, unknown>, users: Record<string, number> = {}) => (made: RoomState) => made.set('m.room.power_levels', '', levels(made, more, users));

runCases('9.1 to 9.3/10.1 to 10.4 power levels: form', [
  ...['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'].flatMap((key) => [
    { rule: `9.1 ${key} is a string`, when: change(CREATOR, { [key]: '50' }), refused: /is not an integer/ },
    { rule: `9.1 ${key} is null`, when: change(CREATOR, { [key]: null }), refused: /is not an integer/ },
  ]),
  { rule: '9.2 events is a list', when: change(CREATOR, { events: [] }), refused: /not an object of integers/ },
  { rule: '9.2 an event level is a string', when: change(CREATOR, { events: { 'm.room.name': '50' } }), refused: /not an object of integers/ },
  { rule: '9.2 a notification level is a string', when: change(CREATOR, { notifications: { room: '50' } }), refused: /not an object of integers/ },
  { rule: '9.3 users is null', when: change(CREATOR, { users: null }), refused: /not an object of integers/ },
  { rule: '9.3 a user level is a string', when: change(CREATOR, { users: { [ALICE]: '50' } }), refused: /not an object of integers/ },
  { rule: '9.3 a key is no user ID', when: change(CREATOR, { users: { alice: 50 } }), refused: /not a user ID/ },
  { rule: '10.4 the creator is named', when: change(CREATOR, {}, { [CREATOR]: 100 }), versions: ['12'], refused: /whose power as a creator/ },
  { rule: '10.4 an additional creator is named', create: { additional_creators: [BOB] }, when: change(CREATOR, {}, { [BOB]: 0 }), versions: ['12'], refused: /whose power as a creator/ },
]);

const mayChange = { events: { 'm.room.power_levels': 50 } };

runCases('9.5 to 9.10/10.6 to 10.10 power levels: changes', [
  { rule: '9.5 within the own power', when: change(MOD, { ban: 50, invite: 50, users_default: 50 }), given: before({}) },
  { rule: '9.5.1 a level above the own power', given: before({ ban: 75 }), when: change(MOD, { ban: 50 }), refused: /ban is above the sender's power/ },
  { rule: '9.5.1 taking away a level above the own power', given: before({ kick: 75 }), when: change(MOD, {}), refused: /kick is above the sender's power/ },
  { rule: '9.5.2 to a level above the own power', given: before({ ban: 50 }), when: change(MOD, { ban: 51 }), refused: /ban cannot be set above/ },
  { rule: '9.5.2 adding a level above the own power', when: change(MOD, { state_default: 51 }), refused: /state_default cannot be set above/ },
  { rule: '9.6 an entry within the own power', given: before({ events: { 'm.room.name': 50 } }), when: change(MOD, { events: { 'm.room.name': 0 } }) },
  { rule: '9.6.1 an entry above the own power', given: before({ events: { ...mayChange.events, 'm.room.name': 60 } }), when: change(MOD, { events: { ...mayChange.events, 'm.room.name': 50 } }), refused: /m.room.name is above/ },
  { rule: '9.6.1 taking away an entry above the own power', given: before({ events: { 'm.room.name': 60 } }), when: change(MOD, {}), refused: /m.room.name is above/ },
  { rule: '9.6.1 a notification above the own power', given: before({ notifications: { room: 60 } }), when: change(MOD, { notifications: { room: 50 } }), refused: /room is above/ },
  { rule: '9.7.1 an entry to above the own power', when: change(MOD, { events: { 'm.room.name': 51 } }), refused: /m.room.name cannot be set above/ },
  { rule: '9.7 an entry and a notification up to the own power', when: change(MOD, { events: { 'm.room.name': 50 }, notifications: { room: 50 } }) },
  { rule: '9.7.1 a notification to above the own power', when: change(MOD, { notifications: { room: 51 } }), refused: /room cannot be set above/ },
  { rule: '9.6 an entry above the own power, left alone', given: before({ events: { 'm.room.name': 60 } }), when: change(MOD, { events: { 'm.room.name': 60 }, ban: 50 }) },
  { rule: '9.8 a lesser user', given: before({}, { [ALICE]: 49 }), when: change(MOD, {}, { [ALICE]: 10 }) },
  { rule: '9.8.1 an equal', given: before({}, { [ALICE]: 50 }), when: change(MOD, {}, { [ALICE]: 10 }), refused: /as much power as the sender/ },
  { rule: '9.8.1 taking away an equal', given: before({}, { [ALICE]: 50 }), when: change(MOD, {}), refused: /as much power as the sender/ },
  { rule: '9.8 oneself', when: change(MOD, {}, { [MOD]: 10 }) },
  { rule: '9.9 a user up to the own power', when: change(MOD, {}, { [ALICE]: 50 }) },
  { rule: '9.9.1 a user above the own power', when: change(MOD, {}, { [ALICE]: 51 }), refused: /cannot be raised/ },
  { rule: '9.9.1 oneself above the own power', when: change(MOD, {}, { [MOD]: 51 }), refused: /cannot be raised/ },
  { rule: '10.9 creators may change everyone', create: { additional_creators: [BOB] }, given: (made) => before({}, { [ALICE]: 100 })(made).member(BOB, 'join'), when: change(BOB, { ban: 1_000 }, { [ALICE]: 0 }), versions: ['12'] },
]);

for (const versionId of ['10', '11', '12']) {
  test(`v${versionId} 9.4 the first power levels may be anything`, () => {
    const made = new RoomState(versionId).member(CREATOR, 'join');
    assert.deepEqual(made.verdict(change(CREATOR, { ban: 1_000 }, { [ALICE]: 900 })(made)), { allowed: true });
  });
  test(`v${versionId} without power levels only the creator has power`, () => {
    const made = new RoomState(versionId).member(CREATOR, 'join').member(ALICE, 'join');
    assert.deepEqual(made.verdict(topic(CREATOR)), { allowed: true });
    assert.deepEqual(made.verdict(topic(ALICE)), { allowed: false, reason: '@alice:one.test may not send m.room.topic: power 0 of 50' });
    assert.deepEqual(made.verdict(message(ALICE)), { allowed: true });
  });
}

test('rule 4.2 asks `signedBy` where it is given', () => {
  const made = rule('restricted')(room('11'));
  const event = { ...made.build(member(BOB, BOB, 'join', authorised)).pdu, ...countersigned.change() };
  const asked: string[] = [];
  const signedBy = (serverName: string): boolean => asked.push(serverName) === 0;
  const verdict = authorize({ event, version: made.version, state: made.lookup, roomId: made.roomId, signedBy });
  assert.equal(verdict.allowed, false);
  assert.deepEqual(asked, ['one.test']);
});
