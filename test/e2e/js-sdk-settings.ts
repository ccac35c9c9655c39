/** Profiles, tags, account data and push rules, as matrix-js-sdk uses them. */
import assert from 'node:assert/strict';
import { ConditionKind, Preset, PushRuleActionName, PushRuleKind, RuleId, TweakName, type MatrixClient } from 'matrix-js-sdk';
import { until } from './js-sdk.ts';
import { anotherClient, newRoom, newUser, refused, type Place } from './js-sdk-user.ts';

export async function profiles(place: Place): Promise<void> {
  const [alice, bob] = [await newUser(place, 'alice'), await newUser(place, 'bob')];
  const roomId = await newRoom(alice, [bob]);
  await alice.client.setDisplayName('Alice A.');
  await alice.client.setAvatarUrl('mxc://e2e.test/face');
  assert.deepEqual(await bob.client.getProfileInfo(alice.userId), { displayname: 'Alice A.', avatar_url: 'mxc://e2e.test/face' });
  assert.deepEqual(await bob.client.getProfileInfo(alice.userId, 'displayname'), { displayname: 'Alice A.' });
  const face = (): unknown[] => [bob.client.getRoom(roomId)!.getMember(alice.userId)?.name, bob.client.getRoom(roomId)!.getMember(alice.userId)?.getMxcAvatarUrl()];
  await until(() => `the name in the room, ${face().join()}`, () => face().join() === 'Alice A.,mxc://e2e.test/face');
  assert.ok(await bob.client.doesServerSupportExtendedProfiles());
  await alice.client.setExtendedProfileProperty('org.example.tea', { kind: 'green', cups: 3 });
  await alice.client.setExtendedProfileProperty('m.tz', 'Europe/London');
  assert.deepEqual(await bob.client.getExtendedProfile(alice.userId), { displayname: 'Alice A.', avatar_url: 'mxc://e2e.test/face', 'org.example.tea': { kind: 'green', cups: 3 }, 'm.tz': 'Europe/London' });
  assert.deepEqual(await bob.client.getExtendedProfileProperty(alice.userId, 'org.example.tea'), { kind: 'green', cups: 3 });
  await alice.client.deleteExtendedProfileProperty('org.example.tea');
  await refused(bob.client.http.authedRequest('GET' as never, `/profile/${encodeURIComponent(alice.userId)}/org.example.tea`), 'M_NOT_FOUND', 404);
}

/** What one client sets, the other one learns. */
export async function settings(place: Place): Promise<void> {
  const alice = await newUser(place, 'alice');
  const other = await anotherClient(place, alice);
  const { room_id: roomId } = await alice.client.createRoom({ preset: Preset.PrivateChat });
  await alice.client.setRoomTag(roomId, 'm.favourite', { order: 0.5 });
  await alice.client.setRoomTag(roomId, 'u.tea', {});
  const tags = (client: MatrixClient): unknown => client.getRoom(roomId)?.tags;
  await until(() => `the tags, ${JSON.stringify(tags(other))}`, () => JSON.stringify(tags(other)) === JSON.stringify({ 'm.favourite': { order: 0.5 }, 'u.tea': {} }));
  assert.deepEqual(await other.getRoomTags(roomId), { tags: { 'm.favourite': { order: 0.5 }, 'u.tea': {} } });
  await other.deleteRoomTag(roomId, 'u.tea');
  await until(() => 'the tag to go', () => JSON.stringify(tags(alice.client)) === JSON.stringify({ 'm.favourite': { order: 0.5 } }));
  await alice.client.setAccountData('org.example.kettle' as never, { litres: 1.5 } as never);
  await until(() => 'the account data', () => other.getAccountData('org.example.kettle' as never)?.getContent()['litres'] === 1.5);
  assert.deepEqual(await other.getAccountDataFromServer('org.example.kettle' as never), { litres: 1.5 });
  await alice.client.setRoomAccountData(roomId, 'org.example.cup' as never, { full: true } as never);
  await until(() => 'the data of the room', () => other.getRoom(roomId)?.getAccountData('org.example.cup')?.getContent()['full'] === true);
  await refused(alice.client.setAccountDataRaw('m.push_rules' as never, {} as never), 'M_BAD_JSON', 405);
  const filter = await alice.client.createFilter({ room: { timeline: { limit: 3 } } });
  assert.deepEqual((await alice.client.getFilter(alice.userId, filter.filterId!, false)).getDefinition(), { room: { timeline: { limit: 3 } } });
}

export async function pushRules(place: Place): Promise<void> {
  const alice = await newUser(place, 'alice');
  const other = await anotherClient(place, alice);
  const { global } = await alice.client.getPushRules();
  assert.deepEqual([global.override?.[0]?.rule_id, global.override?.[0]?.enabled, global.content, global.room, global.sender], [RuleId.Master, false, [], [], []]);
  const rule = (client: MatrixClient, kind: PushRuleKind, id: string) => client.pushRules?.global[kind]?.find(({ rule_id }) => rule_id === id);
  const actions = [PushRuleActionName.Notify, { set_tweak: TweakName.Highlight as const, value: true }];
  await alice.client.addPushRule('global', PushRuleKind.ContentSpecific, 'tea' as never, { pattern: 'tea', actions });
  await until(() => 'the rule', () => rule(other, PushRuleKind.ContentSpecific, 'tea')?.pattern === 'tea');
  assert.deepEqual(rule(other, PushRuleKind.ContentSpecific, 'tea')!.actions, actions);
  await other.setPushRuleEnabled('global', PushRuleKind.ContentSpecific, 'tea', false);
  await until(() => 'it to be switched off', () => rule(alice.client, PushRuleKind.ContentSpecific, 'tea')?.enabled === false);
  await other.setPushRuleActions('global', PushRuleKind.Underride, RuleId.Message, []);
  await until(() => 'the actions', () => rule(alice.client, PushRuleKind.Underride, RuleId.Message)?.actions.length === 0);
  await alice.client.addPushRule('global', PushRuleKind.Override, 'mine' as never, { conditions: [{ kind: ConditionKind.EventMatch, key: 'type', pattern: 'org.example.*' }], actions: [] });
  const { global: after } = await other.getPushRules();
  assert.deepEqual(after.override!.slice(0, 2).map(({ rule_id }) => rule_id), [RuleId.Master, 'mine'], 'own rules come before the others, but after the one above all');
  await alice.client.deletePushRule('global', PushRuleKind.Override, 'mine' as never);
  await refused(alice.client.deletePushRule('global', PushRuleKind.Override, 'mine' as never), 'M_NOT_FOUND', 404);
  await assert.rejects(alice.client.addPushRule('global', PushRuleKind.Override, '.mine' as never, { conditions: [], actions: [] }), { httpStatus: 400 });
}
