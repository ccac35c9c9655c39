import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { planUpgrade, type UpgradeWanted } from './plan-upgrade.ts';

const ALICE = '@alice:a.example';
const BOB = '@bob:a.example';

function plan(from: string, to: string, contents: Readonly<Record<string, object>>, more: Partial<UpgradeWanted> = {}) {
  const oldVersion = roomVersion(from)!;
  const create = { ...(oldVersion.creatorInContent && { creator: BOB }), room_version: from, ...contents['m.room.create'] };
  const state = Object.entries({ ...contents, 'm.room.create': create }).map(([type, content]) => ({ type, state_key: '', sender: BOB, content }) as unknown as Pdu);
  const made = planUpgrade({
    sender: ALICE, profile: {}, version: roomVersion(to)!, oldVersion, additionalCreators: [], oldRoomId: '!old:a.example', state, lastEventId: '$last', aliases: [], ...more,
  });
  const types = made.events.map(({ type }) => type);
  return { ...made, types, content: (type: string) => made.events.find((event) => event.type === type)?.content };
}

test('what is transferable goes over in its order, power levels last; memberships and the rest do not', () => {
  const made = plan('9', '10', {
    'm.room.name': { name: 'Tea' }, 'm.room.topic': { topic: 'Leaves' }, 'm.room.encryption': {}, 'm.room.server_acl': { allow: ['*'] }, 'm.room.power_levels': { users: { [ALICE]: 50 } },
    'm.room.member': { membership: 'join' }, 'org.example.secret': { a: 1 },
  });
  assert.deepEqual(made.types, ['m.room.member', 'm.room.server_acl', 'm.room.name', 'm.room.topic', 'm.room.power_levels']);
  assert.deepEqual(made.createContent, { room_version: '10', predecessor: { room_id: '!old:a.example', event_id: '$last' }, creator: ALICE });
  assert.deepEqual(made.content('m.room.power_levels'), { users: { [ALICE]: 50 } });
});

test('who is banned stays banned, unless they are creators of the new room', () => {
  const ban = (userId: string, content: object = {}) => ({ type: 'm.room.member', state_key: userId, sender: BOB, content: { membership: 'ban', displayname: 'X', ...content } }) as unknown as Pdu;
  const bans = [ban('@mallory:b.example', { reason: 'spam' }), ban(BOB), ban(ALICE)];
  const banned = (to: string) => plan('11', to, {}, { bans, additionalCreators: [BOB] }).events.filter(({ content }) => content['membership'] === 'ban').map(({ stateKey, content }) => [stateKey, content]);
  const mallory = ['@mallory:b.example', { membership: 'ban', reason: 'spam' }];
  assert.deepEqual(banned('12'), [mallory]);
  assert.deepEqual(banned('11'), [mallory, [BOB, { membership: 'ban' }]]);
});

test('a join rule that the version does not know becomes invite', () => {
  const rule = (from: string, to: string, content: object) => plan(from, to, { 'm.room.join_rules': content }).content('m.room.join_rules');
  assert.deepEqual(rule('10', '6', { join_rule: 'knock' }), { join_rule: 'invite' });
  assert.deepEqual(rule('10', '7', { join_rule: 'knock' }), { join_rule: 'knock' });
  assert.deepEqual(rule('10', '7', { join_rule: 'restricted', allow: [] }), { join_rule: 'invite' });
  assert.deepEqual(rule('10', '9', { join_rule: 'knock_restricted', allow: [] }), { join_rule: 'invite' });
  assert.deepEqual(rule('10', '11', { join_rule: 'knock_restricted', allow: [] }), { join_rule: 'knock_restricted', allow: [] });
});

test('levels in texts become integers where the version wants that', () => {
  const levels = { ban: '50', kick: 'x', users: { [ALICE]: '100', [BOB]: 5 }, events: { 'm.room.name': ' 7 ' } };
  assert.deepEqual(plan('9', '11', { 'm.room.power_levels': levels }).content('m.room.power_levels'), { ban: 50, users: { [ALICE]: 100, [BOB]: 5 }, events: { 'm.room.name': 7 } });
  assert.deepEqual(plan('8', '9', { 'm.room.power_levels': levels }).content('m.room.power_levels'), levels);
});

test('creators who are above all are not listed, and are where they no longer are above all', () => {
  const users = { [ALICE]: 100, [BOB]: 100, '@carol:a.example': 50 };
  const up = plan('11', '12', { 'm.room.power_levels': { users } }, { additionalCreators: [BOB, ALICE, BOB] });
  assert.deepEqual(up.createContent, { room_version: '12', predecessor: { room_id: '!old:a.example' }, additional_creators: [BOB] });
  assert.deepEqual(up.content('m.room.power_levels'), { users: { '@carol:a.example': 50 }, events: { 'm.room.tombstone': 150 } });
  const down = plan('12', '11', { 'm.room.create': { additional_creators: ['@dora:a.example'] }, 'm.room.power_levels': { users: {} } }, { additionalCreators: [BOB] });
  assert.deepEqual(down.content('m.room.power_levels'), { users: { [ALICE]: 100, [BOB]: 100, '@dora:a.example': 100 } });
  assert.equal(down.createContent['additional_creators'], undefined);
  assert.deepEqual(plan('10', '11', {}).content('m.room.power_levels'), { users: { [ALICE]: 100, [BOB]: 100 } });
});

test('where creators are above all, a tombstone takes more than other state; a level that is above that stays', () => {
  const tombstone = (levels: object, to = '12') => (plan('11', to, { 'm.room.power_levels': levels }).content('m.room.power_levels') as { events?: Record<string, number> }).events?.['m.room.tombstone'];
  assert.deepEqual([{}, { state_default: 0 }, { state_default: 200 }, { events: { 'm.room.tombstone': 50 } }].map((levels) => tombstone(levels)), [150, 150, 201, 150]);
  assert.equal(tombstone({ events: { 'm.room.tombstone': 100 } }), 100);
  assert.equal(tombstone({ state_default: 0, events: { 'm.room.tombstone': 1 } }), 1);
  assert.equal(tombstone({}, '11'), undefined);
});

test('of the canonical alias only what moves goes over', () => {
  const content = { alias: '#a:a.example', alt_aliases: ['#b:a.example', '#c:far.example'] };
  const alias = (aliases: string[]) => plan('10', '11', { 'm.room.canonical_alias': content }, { aliases }).content('m.room.canonical_alias');
  assert.deepEqual(alias(['#a:a.example', '#b:a.example']), { alias: '#a:a.example', alt_aliases: ['#b:a.example'] });
  assert.deepEqual(alias(['#b:a.example']), { alt_aliases: ['#b:a.example'] });
  assert.equal(alias([]), undefined);
});
