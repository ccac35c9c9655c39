/** Two servers talk in a room while each of them is killed and started again, twice: what a sender was told is sent arrives at the other server, once, in its order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMessages, type Answer } from '../e2e/api-client.ts';
import { enter, meet, type Member, type SharedRoom } from '../e2e/federation-rooms.ts';
import { neighbourhood, type Peer } from '../e2e/peers.ts';

const WORKERS = 4;
const KILLS = 2;
const SEND_PAUSE_MS = 15;
const WAIT_MS_MAX = 60_000;

/** One message, again and again until the server says that it is sent; the transaction ID keeps it one message. */
async function insist({ session }: Member, { path }: SharedRoom, body: string): Promise<void> {
  for (const endsAt = performance.now() + WAIT_MS_MAX; ; await sleep(50)) {
    const answer = await session.call('PUT', `${path}/send/m.room.message/${encodeURIComponent(body)}`, { msgtype: 'm.text', body }).catch((): Answer | undefined => undefined);
    if (answer?.status === 200) return;
    assert.ok(performance.now() < endsAt && (answer === undefined || answer.status >= 500), `${body}: ${answer?.status} ${JSON.stringify(answer?.body)}`);
  }
}

async function killInTurn(peers: readonly Peer[]): Promise<void> {
  for (let round = 0; round < KILLS; round += 1) {
    for (const peer of peers) {
      await sleep(400);
      await peer.kill();
      await peer.restart();
    }
  }
}

test('two Myelins talk while each is killed and started again', { timeout: 240_000 }, async (t) => {
  const place = neighbourhood();
  t.after(() => place.stop());
  const peers = await Promise.all([place.start('Myelin'), place.start('Myelin')]);
  const [host, guest] = [await enter(peers[0]!, 'host'), await enter(peers[1]!, 'guest')];
  const room = await meet(host, guest, '12');
  await Promise.all([host, guest].map(({ follower }) => follower.stop()));
  let killing = true;
  const killed = killInTurn(peers).finally(() => (killing = false));
  const lanes = new Map<string, string[]>();
  await Promise.all([host, guest].flatMap((member, side) => Array.from({ length: WORKERS }, async (_, worker) => {
    const sent: string[] = [];
    lanes.set(`${side}.${worker} `, sent);
    while (killing) {
      const body = `${side}.${worker} ${sent.length}`;
      await insist(member, room, body);
      sent.push(body);
      await sleep(SEND_PAUSE_MS);
    }
  })));
  await killed;
  const total = [...lanes.values()].flat().length;
  for (const { session } of [host, guest]) {
    let read: string[] = [];
    for (const endsAt = performance.now() + WAIT_MS_MAX; read.length < total && performance.now() < endsAt; await sleep(250)) read = (await readMessages(session, encodeURIComponent(room.roomId))).map(({ body }) => body);
    for (const [lane, sent] of lanes) assert.deepEqual(read.filter((body) => body.startsWith(lane)), sent, `what ${session.userId} reads`);
    assert.equal(read.length, total);
  }
  t.diagnostic(`${total} messages over ${2 * KILLS} kills`);
});
