/** What the spec says in prose of rooms, /sync and /messages; where the schemas are at hand, every answer is checked against its own too. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { answerTo } from './answers.ts';
import { createScene, type Scene } from './scene.ts';
import { CLIENT, type Account, type Answer } from './world.ts';

interface Event {
  readonly type: string;
  readonly state_key?: string;
  readonly event_id: string;
  readonly sender: string;
  readonly content: Readonly<Record<string, unknown>>;
}

type Body = Answer['body'];

describe('rooms as clients see them', () => {
  let scene: Scene;
  before(async () => void (scene = await createScene()));
  after(() => scene.world.close());

  async function get(account: Account, operationId: string, path: string): Promise<Body> {
    const answer = await answerTo(scene.world, operationId, { method: 'GET', path: CLIENT + path, token: account.token });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  }
  const sync = (account: Account, query: Record<string, string> = {}): Promise<Body> => get(account, 'sync', `/sync?${new URLSearchParams({ timeout: '0', ...query })}`);
  const messages = (account: Account, roomId: string, query: Record<string, string>): Promise<Body> => get(account, 'getRoomEvents', `/rooms/${roomId}/messages?${new URLSearchParams(query)}`);
  const create = async (body: object): Promise<string> => (await scene.world.ask(scene.alice, 'POST', '/createRoom', body)).room_id as string;
  const say = async (account: Account, roomId: string, text: string): Promise<string> =>
    (await scene.world.ask(account, 'PUT', `/rooms/${roomId}/send/m.room.message/${scene.next()}`, { msgtype: 'm.text', body: text })).event_id as string;
  const history = async (roomId: string): Promise<Event[]> => (await messages(scene.alice, roomId, { dir: 'f', limit: '50' })).chunk as Event[];
  const texts = (events: readonly Event[]): unknown[] => events.map((event) => event.content['body']);
  const onlyTimeline = (limit: number): string => JSON.stringify({ room: { timeline: { limit, types: ['m.room.message'] } } });

  test('a room that was left is told of on demand, and forgotten for good until the user joins again', async () => {
    const { world, bob } = scene;
    const roomId = await create({ preset: 'public_chat' });
    const include = { filter: JSON.stringify({ room: { include_leave: true } }) };
    const leftRooms = async (): Promise<string[]> => Object.keys((await sync(bob, include)).rooms?.leave ?? {}).filter((id) => id === roomId);
    await world.ask(bob, 'POST', `/join/${roomId}`, {});
    await world.ask(bob, 'POST', `/rooms/${roomId}/leave`, {});
    assert.equal((await sync(bob)).rooms?.leave?.[roomId], undefined);
    assert.deepEqual(await leftRooms(), [roomId]);
    await world.ask(bob, 'POST', `/rooms/${roomId}/forget`);
    assert.deepEqual(await leftRooms(), []);
    const refused = await world.call({ method: 'GET', path: `${CLIENT}/rooms/${roomId}/messages?dir=b`, token: bob.token });
    assert.deepEqual([refused.status, refused.body.errcode], [403, 'M_FORBIDDEN']);
    await world.ask(bob, 'POST', `/join/${roomId}`, {});
    assert.ok((await sync(bob)).rooms.join[roomId]);
    assert.ok((await messages(bob, roomId, { dir: 'b' })).chunk.length > 0);
  });

  test('a room is replaced: its settings and aliases go over, its members are told, and only moderators speak in it any more', async () => {
    const { world, alice, bob } = scene;
    const [tea, pot] = [`#upgraded${scene.next()}:spec.example`, `#upgraded${scene.next()}:spec.example`];
    const roomId = await create({ preset: 'public_chat', room_version: '11', room_alias_name: tea.slice(1).split(':')[0], name: 'Tea', topic: 'Leaves', creation_content: { type: 'org.example.space', 'm.federate': false } });
    await world.ask(alice, 'PUT', `/directory/room/${encodeURIComponent(pot)}`, { room_id: roomId });
    await world.ask(bob, 'POST', `/join/${roomId}`, {});
    const { replacement_room: newId } = await world.ask(alice, 'POST', `/rooms/${roomId}/upgrade`, { new_version: '12', additional_creators: [bob.userId, alice.userId] });
    const { rooms } = await sync(alice);
    const contents = async (id: string): Promise<Record<string, Readonly<Record<string, unknown>>>> =>
      Object.fromEntries((await get(alice, 'getRoomState', `/rooms/${id}/state`)).filter((event: Event) => event.state_key === '').map((event: Event) => [event.type, event.content]));
    assert.ok(rooms.join[newId], 'the next /sync has the new room');
    const [old, next] = [await contents(roomId), await contents(newId)];
    assert.equal(old['m.room.tombstone']?.['replacement_room'], newId);
    assert.deepEqual([old['m.room.power_levels']?.['events_default'], old['m.room.power_levels']?.['invite'], old['m.room.canonical_alias']], [50, 50, {}]);
    const { predecessor, type, 'm.federate': federate, additional_creators: others, room_version: version } = next['m.room.create']!;
    assert.deepEqual([predecessor, type, federate, others, version], [{ room_id: roomId }, 'org.example.space', false, [bob.userId], '12']);
    assert.deepEqual([next['m.room.name'], next['m.room.topic']?.['topic'], next['m.room.join_rules'], next['m.room.canonical_alias']], [{ name: 'Tea' }, 'Leaves', { join_rule: 'public' }, { alias: tea }]);
    assert.deepEqual([next['m.room.power_levels']?.['users'], next['m.room.power_levels']?.['events_default']], [{}, 0]);
    for (const alias of [tea, pot]) assert.equal((await world.ask(bob, 'GET', `/directory/room/${encodeURIComponent(alias)}`)).room_id, newId);
    const members = (await get(alice, 'getMembersByRoom', `/rooms/${newId}/members`)).chunk as Event[];
    assert.deepEqual(members.map((event) => event.state_key), [alice.userId], 'nobody else is carried over');
    assert.equal((await world.call({ method: 'PUT', path: `${CLIENT}/rooms/${roomId}/send/m.room.message/late`, token: bob.token, body: {} })).status, 403);
    assert.equal((await world.ask(alice, 'POST', `/rooms/${roomId}/upgrade`, { new_version: '12' })).replacement_room, newId, 'who asks again gets the same room');
    const { replacement_room: third } = await world.ask(alice, 'POST', `/rooms/${newId}/upgrade`, { new_version: '10' });
    const back = await contents(third);
    assert.deepEqual(back['m.room.power_levels']?.['users'], { [alice.userId]: 100, [bob.userId]: 100 });
    assert.match(String((back['m.room.create']?.['predecessor'] as Event)?.event_id), /^\$/);
  });

  test('who knocks is shown the room among the knocked ones, until the knock is answered or taken back', async () => {
    const { world, alice, carol } = scene;
    const name = `knocking${scene.next()}`;
    const roomId = await create({ name: 'Tea', room_alias_name: name, initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }] });
    const { next_batch: since } = await sync(carol);
    const knock = async (): Promise<void> => void (await world.ask(carol, 'POST', `/knock/${encodeURIComponent(`#${name}:spec.example`)}`, { reason: 'tea?' }));
    await knock();
    const { rooms, next_batch: knocked } = await sync(carol, { since });
    const state = rooms.knock[roomId].knock_state.events as Event[];
    const types = state.map((event) => `${event.type} ${event.state_key}`);
    assert.ok(types.includes('m.room.name ') && types.includes('m.room.join_rules ') && types.includes('m.room.create '));
    assert.deepEqual(state.find((event) => event.state_key === carol.userId)?.content, { membership: 'knock', reason: 'tea?' });
    assert.ok(state.every((event) => event.event_id === undefined), 'stripped');
    assert.ok((await sync(carol)).rooms.knock[roomId], 'in a full answer too');
    const seen = (await messages(alice, roomId, { dir: 'b', limit: '1' })).chunk[0] as Event;
    assert.deepEqual([seen.state_key, seen.content['membership']], [carol.userId, 'knock']);
    await world.ask(carol, 'POST', `/rooms/${roomId}/leave`, {});
    const { rooms: after, next_batch: retracted } = await sync(carol, { since: knocked });
    assert.deepEqual([after.knock, Object.keys(after.leave)], [undefined, [roomId]]);
    await knock();
    await world.ask(alice, 'POST', `/rooms/${roomId}/kick`, { user_id: carol.userId });
    assert.deepEqual(Object.keys((await sync(carol, { since: retracted })).rooms.leave), [roomId]);
    await knock();
    await world.ask(alice, 'POST', `/rooms/${roomId}/invite`, { user_id: carol.userId });
    const { rooms: invited } = await sync(carol, { since: retracted });
    assert.deepEqual([invited.knock, Object.keys(invited.invite)], [undefined, [roomId]]);
    await world.ask(carol, 'POST', `/join/${roomId}`, {});
    assert.ok((await sync(carol)).rooms.join[roomId]);
  });

  describe('a new room', () => {
    test('has its events in the order of the spec', async () => {
      const initial = [{ type: 'org.example.b', content: {} }, { type: 'org.example.a', state_key: 'k', content: {} }];
      const roomId = await create({ name: 'Tea', topic: 'Leaves', invite: [scene.bob.userId], initial_state: initial, is_direct: true });
      const events = await history(roomId);
      assert.deepEqual(events.map(({ type, state_key: key }) => `${type} ${key}`), [
        'm.room.create ', `m.room.member ${scene.alice.userId}`, 'm.room.power_levels ', 'm.room.join_rules ', 'm.room.history_visibility ', 'm.room.guest_access ',
        'org.example.b ', 'org.example.a k', 'm.room.name ', 'm.room.topic ', `m.room.member ${scene.bob.userId}`,
      ]);
      const invite = events.at(-1)!.content;
      assert.deepEqual([invite['membership'], invite['is_direct']], ['invite', true]);
      assert.deepEqual(events.at(-2)!.content, { topic: 'Leaves', 'm.topic': { 'm.text': [{ body: 'Leaves', mimetype: 'text/plain' }] } });
    });

    for (const [preset, joinRule, guestAccess] of [['private_chat', 'invite', 'can_join'], ['trusted_private_chat', 'invite', 'can_join'], ['public_chat', 'public', 'forbidden']]) {
      test(`has the state of its preset ${preset}`, async () => {
        const events = await history(await create({ preset }));
        const content = (type: string) => events.find((event) => event.type === type)?.content;
        assert.deepEqual(content('m.room.join_rules'), { join_rule: joinRule });
        assert.deepEqual(content('m.room.guest_access'), { guest_access: guestAccess });
        assert.deepEqual(content('m.room.history_visibility'), { history_visibility: 'shared' });
      });
    }

    test('takes its preset from its visibility, and initial_state wins over a preset', async () => {
      const rule = async (body: object) => (await history(await create(body))).filter((event) => event.type === 'm.room.join_rules').map((event) => event.content['join_rule']);
      assert.deepEqual(await rule({ visibility: 'public' }), ['public']);
      assert.deepEqual(await rule({}), ['invite']);
      assert.deepEqual(await rule({ initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }] }), ['knock']);
    });

    test('names its creator where its version does, and lets only creators replace it where they are above all', async () => {
      const [bob, alice] = [scene.bob.userId, scene.alice.userId];
      const facts = async (version: string) => {
        const [createEvent, , levels] = await history(await create({ room_version: version, preset: 'trusted_private_chat', invite: [bob] }));
        const { creator, additional_creators: others, room_version: id } = createEvent!.content;
        return { id, creator, others, users: levels!.content['users'], tombstone: (levels!.content['events'] as Body)['m.room.tombstone'] };
      };
      assert.deepEqual(await facts('10'), { id: '10', creator: alice, others: undefined, users: { [alice]: 100, [bob]: 100 }, tombstone: 100 });
      assert.deepEqual(await facts('11'), { id: '11', creator: undefined, others: undefined, users: { [alice]: 100, [bob]: 100 }, tombstone: 100 });
      assert.deepEqual(await facts('12'), { id: '12', creator: undefined, others: [bob], users: {}, tombstone: 150 });
    });
  });

  describe('/sync', () => {
    test('shows an invited user stripped state, with the create event', async () => {
      const roomId = await create({ name: 'Tea', topic: 'Leaves', invite: [scene.carol.userId] });
      const { events } = (await sync(scene.carol)).rooms.invite[roomId].invite_state as { events: Event[] };
      const types = events.map((event) => event.type).sort();
      assert.deepEqual(types, ['m.room.create', 'm.room.join_rules', 'm.room.member', 'm.room.member', 'm.room.name', 'm.room.topic']);
      for (const event of events) assert.deepEqual(Object.keys(event).sort(), ['content', 'sender', 'state_key', 'type']);
      await scene.world.ask(scene.carol, 'POST', `/rooms/${roomId}/leave`, {});
    });

    test('is limited exactly when there is a gap, and prev_batch leads into it', async () => {
      const roomId = await scene.newRoom();
      const first = await sync(scene.alice);
      assert.equal(first.rooms.join[roomId].timeline.limited, false);
      for (const text of ['1', '2', '3', '4']) await say(scene.alice, roomId, text);
      const whole = (await sync(scene.alice, { since: first.next_batch, filter: onlyTimeline(4) })).rooms.join[roomId].timeline;
      assert.deepEqual([texts(whole.events), whole.limited], [['1', '2', '3', '4'], false]);
      const gap = (await sync(scene.alice, { since: first.next_batch, filter: onlyTimeline(2) })).rooms.join[roomId].timeline;
      assert.deepEqual([texts(gap.events), gap.limited], [['3', '4'], true]);
      const page = await messages(scene.alice, roomId, { dir: 'b', from: gap.prev_batch, to: first.next_batch });
      assert.deepEqual(texts(page.chunk), ['2', '1']);
      assert.equal('end' in page, false);
    });

    test('tells state changes of a gap, and none that the timeline has', async () => {
      const roomId = await scene.newRoom();
      const { next_batch: since } = await sync(scene.alice);
      const { event_id: hidden } = await scene.world.ask(scene.alice, 'PUT', `/rooms/${roomId}/state/m.room.topic`, { topic: 'hidden' });
      await scene.world.ask(scene.alice, 'PUT', `/rooms/${roomId}/state/m.room.name`, { name: 'shown' });
      const room = (await sync(scene.alice, { since, filter: JSON.stringify({ room: { timeline: { limit: 1 } } }) })).rooms.join[roomId];
      assert.deepEqual(room.state.events.map((event: Event) => event.event_id), [hidden]);
      assert.deepEqual([room.timeline.events.map((event: Event) => event.type), room.timeline.limited], [['m.room.name'], true]);
    });

    for (const [parameter, field] of [['use_state_after', 'state_after'], ['org.matrix.msc4222.use_state_after', 'org.matrix.msc4222.state_after']] as const) {
      test(`gives the state at the end of the timeline to who asks by ${parameter}, under ${field}`, async () => {
        const roomId = await scene.newRoom();
        const first = await sync(scene.alice, { [parameter]: 'true' });
        assert.equal('state' in first.rooms.join[roomId], false);
        const types = (first.rooms.join[roomId][field].events as Event[]).map((event) => event.type);
        assert.deepEqual(['m.room.create', 'm.room.name', 'm.room.member'].filter((type) => !types.includes(type)), []);
        const { event_id: topic } = await scene.world.ask(scene.alice, 'PUT', `/rooms/${roomId}/state/m.room.topic`, { topic: 'Leaves' });
        const room = (await sync(scene.alice, { since: first.next_batch, [parameter]: 'true' })).rooms.join[roomId];
        assert.deepEqual(room[field].events.map((event: Event) => event.event_id), [topic]);
        assert.deepEqual(room.timeline.events.map((event: Event) => event.event_id), [topic]);
      });
    }

    test('gives the members of the timeline too to who loads members lazily and takes no state from the timeline', async () => {
      const roomId = await create({ invite: [scene.carol.userId], preset: 'public_chat' });
      await scene.world.ask(scene.bob, 'POST', `/join/${roomId}`, {});
      await say(scene.alice, roomId, 'tea?');
      const filter = (limit: number) => JSON.stringify({ room: { state: { lazy_load_members: true }, timeline: { limit } } });
      const membersAt = async (limit: number) => {
        const { events } = (await sync(scene.alice, { use_state_after: 'true', filter: filter(limit) })).rooms.join[roomId].state_after as { events: Event[] };
        return events.filter((event) => event.type === 'm.room.member').map((event) => event.state_key).sort();
      };
      const { alice, bob, carol } = scene;
      assert.deepEqual(await membersAt(3), [alice.userId, bob.userId, carol.userId]);
      // Unnamed: the others are its heroes.
      await scene.world.ask(alice, 'PUT', `/rooms/${roomId}/state/m.room.name`, { name: 'Tea' });
      assert.deepEqual(await membersAt(2), [alice.userId]);
      assert.deepEqual(await membersAt(4), [alice.userId, bob.userId, carol.userId]);
      await scene.world.ask(carol, 'POST', `/rooms/${roomId}/leave`, {});
    });

    test('shows a room that was left once, up to the leave', async () => {
      const roomId = await scene.newRoom();
      await scene.world.ask(scene.bob, 'POST', `/join/${roomId}`, {});
      const { next_batch: since } = await sync(scene.bob);
      await say(scene.alice, roomId, 'before');
      await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/kick`, { user_id: scene.bob.userId, reason: 'tea' });
      await say(scene.alice, roomId, 'after');
      const next = await sync(scene.bob, { since });
      const { events } = next.rooms.leave[roomId].timeline as { events: Event[] };
      assert.deepEqual(events.map((event) => event.content['body'] ?? event.content['membership']), ['before', 'leave']);
      assert.equal((await sync(scene.bob, { since: next.next_batch })).rooms?.leave?.[roomId], undefined);
      assert.equal((await sync(scene.bob)).rooms?.leave?.[roomId], undefined);
      const included = await sync(scene.bob, { filter: JSON.stringify({ room: { include_leave: true } }) });
      assert.ok(included.rooms.leave[roomId]);
    });

    test('tells who types and who has read what, of which thread', async () => {
      const roomId = await scene.newRoom();
      const eventId = await say(scene.alice, roomId, 'tea?');
      const { next_batch: since } = await sync(scene.alice);
      await scene.world.ask(scene.alice, 'PUT', `/rooms/${roomId}/typing/${scene.alice.userId}`, { typing: true, timeout: 30_000 });
      await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/receipt/m.read/${eventId}`, { thread_id: 'main' });
      const byType = new Map<string, Body>();
      // The typing notice is a signal of its own, which the answer to its request does not wait for.
      for (let token = since; byType.size < 2; ) {
        const { next_batch: next, rooms } = await sync(scene.alice, { since: token, timeout: '5000' });
        for (const { type, content, ...rest } of rooms.join[roomId].ephemeral.events) {
          assert.deepEqual(rest, {});
          byType.set(type, content);
        }
        token = next;
      }
      assert.deepEqual(byType.get('m.typing'), { user_ids: [scene.alice.userId] });
      const receipt = byType.get('m.receipt')[eventId]['m.read'][scene.alice.userId];
      assert.deepEqual([Object.keys(receipt).sort(), receipt.thread_id], [['thread_id', 'ts'], 'main']);
    });
  });

  test('receipts of one user on one event come for each thread', async () => {
    const roomId = await scene.newRoom();
    const eventId = await say(scene.alice, roomId, 'tea?');
    for (const body of [{}, { thread_id: 'main' }, { thread_id: eventId }]) await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/receipt/m.read/${eventId}`, body);
    const { events } = (await sync(scene.alice)).rooms.join[roomId].ephemeral as { events: Body[] };
    const threads = events.filter((event) => event.type === 'm.receipt').map(({ content }) => content[eventId]['m.read'][scene.alice.userId].thread_id);
    assert.deepEqual(threads, [undefined, 'main', eventId]);
  });

  test('a receipt of thread null is one of no thread, as clients mean it', async () => {
    const roomId = await scene.newRoom();
    const eventId = await say(scene.alice, roomId, 'tea?');
    for (const type of ['m.read', 'm.fully_read']) await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/receipt/${type}/${eventId}`, { thread_id: null });
    const { events } = (await sync(scene.alice)).rooms.join[roomId].ephemeral as { events: Body[] };
    const [receipt] = events.filter((event) => event.type === 'm.receipt');
    assert.deepEqual(Object.keys(receipt?.['content'][eventId]['m.read'][scene.alice.userId]), ['ts']);
  });

  test('/messages gives an end while there is more, and none at either edge', async () => {
    const roomId = await scene.newRoom();
    for (const text of ['1', '2', '3']) await say(scene.alice, roomId, text);
    for (const dir of ['b', 'f']) {
      const seen: string[] = [];
      let page = await messages(scene.alice, roomId, { dir, limit: '4' });
      for (; page.end !== undefined; page = await messages(scene.alice, roomId, { dir, limit: '4', from: page.end })) seen.push(...page.chunk.map((event: Event) => event.event_id));
      seen.push(...page.chunk.map((event: Event) => event.event_id));
      const all = (await history(roomId)).map((event) => event.event_id);
      assert.deepEqual(seen, dir === 'b' ? all.reverse() : all);
    }
  });

  for (const version of ['10', '12']) {
    test(`a redaction in version ${version} names its event in both places and strips it`, async () => {
      const roomId = await create({ room_version: version });
      const eventId = await say(scene.alice, roomId, 'no');
      const { event_id: redaction } = await scene.world.ask(scene.alice, 'PUT', `/rooms/${roomId}/redact/${eventId}/${scene.next()}`, { reason: 'tea' });
      const event = await get(scene.alice, 'getOneRoomEvent', `/rooms/${roomId}/event/${redaction}`);
      assert.deepEqual([event.redacts, event.content], [eventId, { reason: 'tea', redacts: eventId }]);
      const stripped = await get(scene.alice, 'getOneRoomEvent', `/rooms/${roomId}/event/${eventId}`);
      assert.deepEqual([stripped.content, stripped.unsigned.redacted_because.event_id], [{}, redaction]);
    });
  }

  test('a transaction ID makes one event, however often it is sent', async () => {
    const roomId = await scene.newRoom();
    const path = `/rooms/${roomId}/send/m.room.message/once`;
    const sent = await scene.world.ask(scene.alice, 'PUT', path, { body: '1' });
    assert.deepEqual(await scene.world.ask(scene.alice, 'PUT', path, { body: '2' }), sent);
    const event = await get(scene.alice, 'getOneRoomEvent', `/rooms/${roomId}/event/${sent.event_id}`);
    assert.equal(event.unsigned.transaction_id, 'once');
  });

  test('inviting again and banning somebody who was never there succeed', async () => {
    const roomId = await create({ invite: [scene.bob.userId] });
    await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/invite`, { user_id: scene.bob.userId });
    await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/ban`, { user_id: '@nobody:spec.example' });
    const { chunk } = await get(scene.alice, 'getMembersByRoom', `/rooms/${roomId}/members?membership=ban`);
    assert.deepEqual(chunk.map((event: Event) => event.state_key), ['@nobody:spec.example']);
  });

  test('state with format=event is the whole event', async () => {
    const event = await scene.world.ask(scene.alice, 'GET', `/rooms/${scene.roomId}/state/m.room.name?format=event`);
    assert.deepEqual([event.type, event.state_key, event.room_id, event.content], ['m.room.name', '', scene.roomId, { name: 'Tea' }]);
  });

  test('content that was replaced is told to who may see it, that something was replaced to everybody', async () => {
    const initial = [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }];
    const roomId = await create({ preset: 'public_chat', topic: 'secret', initial_state: initial });
    await scene.world.ask(scene.alice, 'PUT', `/rooms/${roomId}/state/m.room.history_visibility`, { history_visibility: 'shared' });
    const { event_id: eventId } = await scene.world.ask(scene.alice, 'PUT', `/rooms/${roomId}/state/m.room.topic`, { topic: 'open' });
    await scene.world.ask(scene.bob, 'POST', `/join/${roomId}`, {});
    const prevTopics = async (account: Account) => {
      const paged = (await messages(account, roomId, { dir: 'b', limit: '50' })).chunk as Body[];
      const events = [...paged, await get(account, 'getOneRoomEvent', `/rooms/${roomId}/event/${eventId}`)].filter((event) => event.event_id === eventId);
      return events.map(({ unsigned }) => [unsigned.prev_content?.topic, typeof unsigned.replaces_state]);
    };
    const synced = (await sync(scene.alice)).rooms.join[roomId].timeline.events as Body[];
    assert.equal(synced.find((event) => event.event_id === eventId).unsigned.prev_content.topic, 'secret');
    assert.deepEqual(await prevTopics(scene.alice), Array(2).fill(['secret', 'string']));
    assert.deepEqual(await prevTopics(scene.bob), Array(2).fill([undefined, 'string']));
  });
});
