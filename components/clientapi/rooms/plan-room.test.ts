import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { planRoom, type Preset, type RoomWanted, type StateWanted } from './plan-room.ts';

const ALICE = '@alice:x';
const BOB = '@bob:x';
const CAROL = '@carol:x';

function wanted(versionId: string, preset: Preset, more: Partial<RoomWanted> = {}): RoomWanted {
  return {
    creator: ALICE, version: roomVersion(versionId)!, preset, creationContent: {}, powerLevelOverride: {}, initialState: [], invite: [], isDirect: false,
    profiles: new Map([[ALICE, { displayname: 'Al' }]]), ...more,
  };
}

const names = (events: readonly StateWanted[]): string[] => events.map(({ type, stateKey }) => (stateKey === '' ? type : `${type} ${stateKey}`));
const contentOf = (events: readonly StateWanted[], type: string): Record<string, unknown> => ({ ...events.find((event) => event.type === type)?.content });
const refused = (room: RoomWanted, errcode: string): void => assert.throws(() => planRoom(room), (error) => error instanceof MatrixError && error.status === 400 && error.errcode === errcode);

const PRESETS: Record<Preset, { rule: string; guests: string }> = {
  private_chat: { rule: 'invite', guests: 'can_join' },
  trusted_private_chat: { rule: 'invite', guests: 'can_join' },
  public_chat: { rule: 'public', guests: 'forbidden' },
};

for (const version of ['10', '11', '12']) {
  for (const preset of ['private_chat', 'trusted_private_chat', 'public_chat'] as const) {
    test(`room version ${version}, ${preset}: the spec's events in the spec's order`, () => {
      const { createContent, events } = planRoom(wanted(version, preset, { name: 'N', topic: 'T', invite: [BOB], isDirect: true, initialState: [{ type: 'm.room.encryption', stateKey: '', content: { algorithm: 'a' } }] }));
      assert.deepEqual(names(events), [
        `m.room.member ${ALICE}`, 'm.room.power_levels', 'm.room.join_rules', 'm.room.history_visibility', 'm.room.guest_access',
        'm.room.encryption', 'm.room.name', 'm.room.topic', `m.room.member ${BOB}`,
      ]);
      assert.deepEqual(contentOf(events, 'm.room.join_rules'), { join_rule: PRESETS[preset].rule });
      assert.deepEqual(contentOf(events, 'm.room.guest_access'), { guest_access: PRESETS[preset].guests });
      assert.deepEqual(contentOf(events, 'm.room.history_visibility'), { history_visibility: 'shared' });
      assert.deepEqual(events[0]?.content, { membership: 'join', displayname: 'Al' });
      assert.deepEqual(events.at(-1)?.content, { membership: 'invite', is_direct: true });

      const trusted = preset === 'trusted_private_chat';
      const levels = contentOf(events, 'm.room.power_levels');
      assert.deepEqual(levels['users'], version === '12' ? {} : { [ALICE]: 100, ...(trusted && { [BOB]: 100 }) });
      assert.equal((levels['events'] as Record<string, number>)['m.room.tombstone'], version === '12' ? 150 : 100);
      assert.deepEqual(createContent, {
        room_version: version,
        ...(version === '10' && { creator: ALICE }),
        ...(version === '12' && trusted && { additional_creators: [BOB] }),
      });
    });
  }
}

test('initial_state takes the place of the preset, and name and topic take its place', () => {
  const initialState = [
    { type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'knock' } },
    { type: 'm.room.name', stateKey: '', content: { name: 'old' } },
    { type: 'm.room.topic', stateKey: 'other', content: { topic: 'not the topic' } },
  ];
  const { events } = planRoom(wanted('11', 'private_chat', { initialState, name: 'new', topic: 'T' }));
  assert.deepEqual(names(events).slice(2), ['m.room.history_visibility', 'm.room.guest_access', 'm.room.join_rules', 'm.room.topic other', 'm.room.name', 'm.room.topic']);
  assert.deepEqual(contentOf(events, 'm.room.name'), { name: 'new' });
});

test('creation_content is kept but for what the server says itself', () => {
  const creationContent = { creator: BOB, room_version: '1', 'm.federate': false, type: 'm.space', predecessor: { room_id: '!r:x' } };
  const kept = { 'm.federate': false, type: 'm.space', predecessor: { room_id: '!r:x' } };
  assert.deepEqual(planRoom(wanted('10', 'private_chat', { creationContent })).createContent, { ...kept, room_version: '10', creator: ALICE });
  assert.deepEqual(planRoom(wanted('11', 'private_chat', { creationContent })).createContent, { ...kept, room_version: '11' });
});

test('additional creators are those named and those trusted, each once, never the creator', () => {
  const room = wanted('12', 'trusted_private_chat', { creationContent: { additional_creators: [CAROL, BOB, ALICE] }, invite: [BOB] });
  assert.deepEqual(planRoom(room).createContent['additional_creators'], [CAROL, BOB]);
  for (const additional_creators of ['x', [1], ['bob']]) refused(wanted('12', 'private_chat', { creationContent: { additional_creators } }), 'M_INVALID_PARAM');
});

test('the power level override lies on top, key by key', () => {
  const { events } = planRoom(wanted('11', 'private_chat', { powerLevelOverride: { users: { [ALICE]: 90 }, invite: 0 } }));
  const levels = contentOf(events, 'm.room.power_levels');
  assert.deepEqual([levels['users'], levels['invite'], levels['ban']], [{ [ALICE]: 90 }, 0, 50]);
});

test('in version 12 creators cannot be listed, and a tombstone stays above state_default', () => {
  refused(wanted('12', 'private_chat', { powerLevelOverride: { users: { [ALICE]: 100 } } }), 'M_INVALID_ROOM_STATE');
  refused(wanted('12', 'trusted_private_chat', { powerLevelOverride: { users: { [BOB]: 100 } }, invite: [BOB] }), 'M_INVALID_ROOM_STATE');
  const tombstone = (powerLevelOverride: Record<string, unknown>) =>
    (contentOf(planRoom(wanted('12', 'private_chat', { powerLevelOverride })).events, 'm.room.power_levels')['events'] as Record<string, number>)['m.room.tombstone'];
  assert.equal(tombstone({ events: { 'm.room.name': 0 } }), 150);
  assert.equal(tombstone({ events: {}, state_default: 200 }), 201);
  assert.equal(tombstone({ events: { 'm.room.tombstone': 120 } }), 120);
});

test('initial_state cannot hold a second create event', () => {
  refused(wanted('11', 'private_chat', { initialState: [{ type: 'm.room.create', stateKey: '', content: {} }] }), 'M_INVALID_PARAM');
});

test('a room is encrypted where that is wanted, as the request says if it does', () => {
  const encryption = (more: Partial<RoomWanted>): Record<string, unknown> => contentOf(planRoom(wanted('11', 'private_chat', more)).events, 'm.room.encryption');
  assert.deepEqual(encryption({}), {});
  assert.deepEqual(encryption({ isEncrypted: true }), { algorithm: 'm.megolm.v1.aes-sha2' });
  assert.deepEqual(encryption({ isEncrypted: true, initialState: [{ type: 'm.room.encryption', stateKey: '', content: { algorithm: 'a' } }] }), { algorithm: 'a' });
});
