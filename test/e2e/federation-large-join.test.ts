/** A server joins a room with a thousand members of another, and speaks in its own rooms meanwhile. How fast is measured by the benchmark `join-large`. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { call, newRoom, register, V3 } from './api-client.ts';
import { CROWD_SERVICE, CROWD_TOKEN, gatherCrowd } from './crowd.ts';
import { follow } from './follow.ts';
import { ok, say } from './federation-rooms.ts';
import { neighbourhood, peerMissing, type Software } from './peers.ts';

const PAIRS: readonly (readonly [resident: Software, joining: Software, members: number])[] = [['Myelin', 'Myelin', 1000], ['Synapse', 'Myelin', 300], ['Myelin', 'Synapse', 1000]];

for (const [resident, joining, members] of PAIRS) {
  test(`a ${joining} joins a room of a ${resident} with ${members} members`, { skip: peerMissing(resident, joining), timeout: 180_000 }, async (t) => {
    const place = neighbourhood();
    t.after(() => place.stop());
    const [one, other] = await Promise.all([place.start(resident, { appservices: [CROWD_SERVICE] }), place.start(joining)]);
    const gathering = performance.now();
    const roomId = await gatherCrowd(one, members);
    const gathered = performance.now();
    const user = await register(other.baseUrl);
    const follower = await follow(user);
    const local = { path: `${V3}/rooms/${await newRoom(user)}` };
    let joined = false;
    const arriving = ok(user.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?server_name=${one.serverName}&via=${one.serverName}`, {})).finally(() => (joined = true));
    let said = 0;
    for (; !joined; said += 1) await say({ session: user }, local, `meanwhile ${said}`);
    await arriving;
    const took = performance.now() - gathered;
    await follower.until('the room', () => follower.room(roomId).membership === 'join');
    await follower.stop();
    if (resident === joining) {
      // The members are on their way.
      await other.kill();
      await other.restart();
    }
    const path = `${V3}/rooms/${encodeURIComponent(roomId)}`;
    const { joined: there } = await ok(user.call('GET', `${path}/joined_members`)) as { joined: Record<string, unknown> };
    const expected = [user.userId, ...Array.from({ length: members }, (_, index) => `@crowd_${index}:${one.serverName}`)];
    assert.deepEqual(Object.keys(there).sort(), expected.sort());
    await say({ session: user }, { path }, 'hello all');
    // Both hear each other, also where the members came after the join.
    await ok(call(one.baseUrl, 'PUT', `${path}/send/m.room.message/answer?user_id=${encodeURIComponent(`@crowd_1:${one.serverName}`)}`, { token: CROWD_TOKEN, body: { msgtype: 'm.text', body: 'hello you' } }));
    const bodies = async (): Promise<string> => JSON.stringify((await user.call('GET', `${path}/messages?dir=b&limit=10`)).body);
    for (const endsAt = performance.now() + 60_000; !(await bodies()).includes('hello you');) {
      assert.ok(performance.now() < endsAt, 'the answer is not heard');
      await sleep(200);
    }
    t.diagnostic(`gathered in ${((gathered - gathering) / 1000).toFixed(1)} s, joined in ${(took / 1000).toFixed(1)} s, ${said} messages in another room meanwhile`);
  });
}
