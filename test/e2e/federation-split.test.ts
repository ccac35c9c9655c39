/** Two servers lose each other, and their users change the same state of a room meanwhile; when they meet again, both arrive at one state and one history. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFederationProxy } from '../kit/federation-proxy.ts';
import { readMessages, V3 } from './api-client.ts';
import { enter, meet, ok, say, type Member, type SharedRoom } from './federation-rooms.ts';
import { neighbourhood, peerMissing, type Software } from './peers.ts';

const WAIT_MS_MAX = 60_000;
const ROUNDS = 8;
const PAIRS: readonly (readonly [Software, Software])[] = [['Myelin', 'Myelin'], ['Myelin', 'Synapse'], ['Synapse', 'Myelin']];
const RETRY_SOON = { MYELIN_FEDERATION_RETRY_FIRST_MS: '500', MYELIN_FEDERATION_RETRY_MAX_MS: '2000' };

async function stateOf({ session }: Member, { path }: SharedRoom): Promise<Map<string, string>> {
  const events = await ok(session.call('GET', `${path}/state`)) as { type: string; state_key: string; event_id: string }[];
  return new Map(events.map((event): [string, string] => [`${event.type} ${event.state_key}`, event.event_id]).sort());
}

/** What each side does alone: topics against topics, a ban of the guest's friend against what that friend says and sets, levels against levels. */
async function quarrel(room: SharedRoom, friend: Member): Promise<string[]> {
  const set = async ({ session }: Member, type: string, content: object, key = ''): Promise<void> => void (await ok(session.call('PUT', `${room.path}/state/${type}/${encodeURIComponent(key)}`, content)));
  const levels = await ok(room.host.session.call('GET', `${room.path}/state/m.room.power_levels/`)) as { users?: Record<string, number> };
  const said: string[] = [];
  const speak = async (member: Member, body: string): Promise<void> => {
    await say(member, room, body);
    said.push(body);
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all([set(room.host, 'm.room.topic', { topic: `host ${round}` }), set(room.guest, 'm.room.topic', { topic: `guest ${round}` })]);
    await Promise.all([speak(room.host, `host ${round}`), speak(room.guest, `guest ${round}`), speak(friend, `friend ${round}`)]);
    if (round === 2) await ok(room.host.session.call('POST', `${room.path}/ban`, { user_id: friend.session.userId }));
    if (round === 3) await set(friend, 'org.example.note', { by: 'the friend' }, 'friend');
    if (round === 4) await set(room.host, 'm.room.power_levels', { ...levels, users: { ...levels.users, [friend.session.userId]: 0 } });
    if (round === 5) await set(room.guest, 'm.room.name', { name: 'Guests' });
  }
  return said;
}

for (const roomVersion of ['12', '11']) {
  for (const [one, other] of PAIRS) {
    test(`a ${one} and a ${other} quarrel in a room of version ${roomVersion}`, { skip: peerMissing(one, other), timeout: 180_000 }, async (t) => {
      const place = neighbourhood();
      const proxies = [await startFederationProxy(place.authority), await startFederationProxy(place.authority)];
      t.after(async () => {
        await place.stop();
        await Promise.all(proxies.map((proxy) => proxy.close()));
      });
      const peers = await Promise.all([one, other].map((software, index) => place.start(software, { publicPort: proxies[index]!.port, env: RETRY_SOON })));
      peers.forEach(({ baseUrl }, index) => proxies[index]!.standBefore(baseUrl));
      const [host, guest, friend] = [await enter(peers[0]!, 'host'), await enter(peers[1]!, 'guest'), await enter(peers[1]!, 'friend')];
      const room = await meet(host, guest, roomVersion);
      await ok(host.session.call('POST', `${room.path}/invite`, { user_id: friend.session.userId }));
      await friend.follower.until('the invite', () => friend.follower.room(room.roomId).membership === 'invite');
      await ok(friend.session.call('POST', `${V3}/join/${encodeURIComponent(room.roomId)}`, {}));
      const levels = await ok(host.session.call('GET', `${room.path}/state/m.room.power_levels/`)) as { users?: Record<string, number> };
      await ok(host.session.call('PUT', `${room.path}/state/m.room.power_levels/`, { ...levels, users: { ...levels.users, [guest.session.userId]: 50, [friend.session.userId]: 50 } }));
      await guest.follower.until('the levels', () => guest.follower.room(room.roomId).state.get('m.room.power_levels ')?.content.users?.[friend.session.userId] === 50);
      for (const proxy of proxies) proxy.mode = 'cut';
      const said = await quarrel(room, friend);
      for (const proxy of proxies) proxy.mode = 'pass';
      await Promise.all([say(host, room, 'host again'), say(guest, room, 'guest again')]);
      let states: Map<string, string>[] = [];
      const differ = (): boolean => JSON.stringify([...states[0]!]) !== JSON.stringify([...states[1]!]);
      const isHeard = (member: Member, body: string): boolean => member.follower.room(room.roomId).timeline.some(({ content }) => content.body === body);
      await Promise.all([host.follower.until('the guest again', () => isHeard(host, 'guest again')), guest.follower.until('the host again', () => isHeard(guest, 'host again'))]);
      for (const endsAt = performance.now() + WAIT_MS_MAX; ; await sleep(300)) {
        states = await Promise.all([host, guest].map((member) => stateOf(member, room)));
        if (!differ() || performance.now() > endsAt) break;
      }
      assert.deepEqual([...states[0]!], [...states[1]!]);
      const banned = await ok(host.session.call('GET', `${room.path}/state/m.room.member/${encodeURIComponent(friend.session.userId)}`)) as { membership: string };
      assert.equal(banned.membership, 'ban');
      for (const member of [host, guest]) {
        const read = (await readMessages(member.session, encodeURIComponent(room.roomId))).map(({ body }) => body);
        for (const body of said.filter((text) => !text.startsWith('friend'))) assert.equal(read.filter((text) => text === body).length, 1, `${body} for ${member.session.userId}`);
      }
      await Promise.all([host, guest, friend].map(({ follower }) => follower.stop()));
    });
  }
}
