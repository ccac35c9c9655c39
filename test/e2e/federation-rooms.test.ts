/** Two servers share rooms: two Myelins, and a Myelin and a real Synapse, where either may be the one that made the room. */
import { suite, test, type TestContext } from 'node:test';
import { enter, shareBriefly, shareRoom, type Member } from './federation-rooms.ts';
import { neighbourhood, peerMissing, type Peer, type Software } from './peers.ts';

const PAIRS: readonly (readonly [Software, Software])[] = [['Myelin', 'Myelin'], ['Myelin', 'Synapse']];
/** In the newest version; the others differ in what their events are made of, not in how many there are. */
const MANY = 500;
const SOME = 60;
const TIMEOUT_MS = 240_000;
const OLDER_VERSIONS = ['1', '2', '3', '5', '6', '7', '8', '9'];
const FEW = 10;

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
    for (const hosting of one === other ? [0] : [0, 1]) {
      test(`rooms of older versions of ${[one, other][hosting]}, all at once`, { timeout: TIMEOUT_MS, concurrency: true }, async (t) => {
        await among(t, { host: peers[hosting]!, guest: peers[1 - hosting]! }, async (host, guest) => {
          await Promise.all(OLDER_VERSIONS.map((roomVersion) => t.test(`version ${roomVersion}`, () => shareBriefly(host, guest, { roomVersion, messages: FEW }))));
        });
      });
    }
    test('both stop', async () => place.stop());
  });
}

async function share(t: TestContext, between: Between, options: { roomVersion: string; messages: number }): Promise<void> {
  await among(t, between, (host, guest) => shareRoom(host, guest, options));
  t.diagnostic(`${options.messages} messages each way`);
}

interface Between {
  readonly host: Peer;
  readonly guest: Peer;
}

/** With a new user of each. */
async function among(t: TestContext, between: Between, work: (host: Member, guest: Member) => Promise<void>): Promise<void> {
  const started = performance.now();
  const [host, guest] = [await enter(between.host, 'host'), await enter(between.guest, 'guest')];
  try {
    await work(host, guest);
  } catch (error) {
    for (const { software, serverName, recentLog } of [between.host, between.guest]) console.log(`The log of ${software} ${serverName}:\n${recentLog()}`);
    throw error;
  } finally {
    await Promise.all([host, guest].map(({ follower }) => follower.stop()));
  }
  t.diagnostic(`${((performance.now() - started) / 1000).toFixed(1)} s`);
}
