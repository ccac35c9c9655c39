/** What a user has set for a room, when another one replaces it; and the room of the server's notices. Over the real tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, BOB, json, openUserapi, registration, type UserDriver } from '../../../test/kit/user-driver.ts';

const [OLD, NEW] = ['!old:x', '!new:x'];
const FOLLOW = { userId: ALICE, followUpgrade: { oldRoomId: OLD, newRoomId: NEW } };
const set = (roomId: string, type: string, content: unknown, userId = ALICE) => ({ userId, setAccountData: { roomId, type, content: json(content) } });

async function opened(): Promise<UserDriver> {
  const driver = await openUserapi();
  await driver.batch({ userId: ALICE, ...registration('A', 'a') }, { userId: BOB, ...registration('B', 'b') });
  return driver;
}

async function contentOf({ query }: UserDriver, roomId: string, type: string, userId = ALICE): Promise<unknown> {
  const text = await query.accountData(userId, roomId, type);
  return text === undefined ? undefined : JSON.parse(text);
}

for (const inOneBatch of [true, false]) {
  test(`tags, direct chats and push rules are taken along, ${inOneBatch ? 'set in the same batch' : 'set long ago'}; a second time nothing is`, async () => {
    const driver = await opened();
    const mute = { rule_id: OLD, default: false, enabled: true, actions: [], conditions: [{ kind: 'event_match', key: 'room_id', pattern: OLD }] };
    const other = { ...mute, rule_id: 'other', conditions: [{ kind: 'event_match', key: 'room_id', pattern: '!other:x' }] };
    const quiet = { rule_id: OLD, default: false, enabled: false, actions: ['notify'] };
    const settings = [
      set(OLD, 'm.tag', { tags: { 'm.favourite': { order: 0.5 }, 'u.work': { order: 1 }, 'm.server_notice': {} } }),
      set(NEW, 'm.tag', { tags: { 'u.work': { order: 0 } } }),
      set('', 'm.direct', { '@carol:x': ['!a:x', OLD], '@dave:x': ['!b:x'], odd: 1 }),
      set('', 'm.push_rules', { global: { override: [mute, other], room: [quiet] } }),
      set(OLD, 'm.tag', { tags: { 'u.bob': {} } }, BOB),
    ];
    if (inOneBatch) await driver.batch(...settings, FOLLOW);
    else for (const input of [...settings, FOLLOW]) await driver.batch(input);
    assert.deepEqual(await contentOf(driver, NEW, 'm.tag'), { tags: { 'm.favourite': { order: 0.5 }, 'u.work': { order: 0 } } });
    assert.deepEqual(await contentOf(driver, '', 'm.direct'), { '@carol:x': ['!a:x', OLD, NEW], '@dave:x': ['!b:x'], odd: 1 });
    const { global } = await contentOf(driver, '', 'm.push_rules') as { global: Record<string, { rule_id: string; enabled: boolean; conditions?: { pattern: string }[] }[]> };
    assert.deepEqual(global['override']?.map(({ rule_id: id, conditions }) => [id, conditions?.[0]?.pattern]), [[OLD, OLD], [NEW, NEW], ['other', '!other:x']]);
    assert.deepEqual(global['room'], [quiet, { ...quiet, rule_id: NEW }]);
    assert.equal(await contentOf(driver, NEW, 'm.tag', BOB), undefined);
    const { length } = driver.log;
    assert.deepEqual(await driver.batch(FOLLOW), ['accepted']);
    assert.equal(driver.log.length, length, 'it tells nobody of nothing');
  });
}

test('who has set nothing takes nothing along', async () => {
  const driver = await opened();
  const { length } = driver.log;
  assert.deepEqual(await driver.batch(FOLLOW), ['accepted']);
  assert.equal(driver.log.length, length);
});

test('the first room of notices stands, until one replaces it; the tag tells which it is', async () => {
  const driver = await opened();
  const claim = (roomId: string, replaces = '', userId = ALICE) => ({ userId, setNoticeRoom: { roomId, replaces } });
  await driver.batch(set('!one:x', 'm.tag', { tags: { 'u.mine': {} } }), claim('!one:x'), claim('!two:x'), claim('!three:x', '!two:x'));
  assert.equal(await driver.query.noticeRoom(ALICE), '!one:x');
  assert.deepEqual(await contentOf(driver, '!one:x', 'm.tag'), { tags: { 'u.mine': {}, 'm.server_notice': {} } });
  assert.equal(await contentOf(driver, '!two:x', 'm.tag'), undefined);
  await driver.batch(claim('!two:x', '!one:x'), claim('!bobs:x', '', BOB));
  assert.deepEqual([await driver.query.noticeRoom(ALICE), await driver.query.noticeRoom(BOB), await driver.query.noticeRoom('@nobody:x')], ['!two:x', '!bobs:x', undefined]);
});
