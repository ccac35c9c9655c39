/** Two servers share rooms: two Myelins, and a Myelin and a real Synapse, where either may be the one that made the room. */
import { suite, test, type TestContext } from 'node:test';
import { enter, shareRoom } from './federation-rooms.ts';
import { neighbourhood, peerMissing, type Peer, type Software } from './peers.ts';

const PAIRS: readonly (readonly [Software, Software])[] = [['Myelin', 'Myelin'], ['Myelin', 'Synapse']];
/** In the newest version; the others differ in what their events are made of, not in how many there are. */
const MANY = 500;
const SOME = 60;
const TIMEOUT_MS = 240_000;

for (const [one, other] of PAIRS) {
  suite(`${one} and ${other}`, { skip: peerMissing(one, other), concurrency: false }, () => {
    const place = neighbourhood();
    const peers: Peer[] = [];
    test('both start', { timeout: TIMEOUT_MS }, async () => {
      for (const software of [one, other]) peers.push(await place.start(software));
    });
    for (const roomVersion of ['12', '11', '10']) {
      for (const hosting of one === other ? [0] : [0, 1]) {
        test(`a room of version ${roomVersion} of ${[one, other][hosting]}`, { timeout: TIMEOUT_MS }, async (t) => {
          await share(t, { host: peers[hosting]!, guest: peers[1 - hosting]! }, { roomVersion, messages: roomVersion === '12' ? MANY : SOME });
        });
      }
    }
    test('both stop', async () => place.stop());
  });
}

async function share(t: TestContext, between: { host: Peer; guest: Peer }, options: { roomVersion: string; messages: number }): Promise<void> {
  const started = performance.now();
  const [host, guest] = [await enter(between.host, 'host'), await enter(between.guest, 'guest')];
  try {
    await shareRoom(host, guest, options);
  } catch (error) {
    for (const { software, serverName, recentLog } of [between.host, between.guest]) console.log(`The log of ${software} ${serverName}:\n${recentLog()}`);
    throw error;
  } finally {
    await Promise.all([host, guest].map(({ follower }) => follower.stop()));
  }
  t.diagnostic(`${options.messages} messages each way; ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
