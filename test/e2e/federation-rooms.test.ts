/** Two Myelins share rooms; what a Myelin and a Synapse share is in `federation-synapse.test.ts`. */
import { suite, test, type TestContext } from 'node:test';
import { byKnock } from './federation-entries.ts';
import { enter, shareBriefly, shareRoom, type Member } from './federation-rooms.ts';
import { neighbourhood, type Peer } from './peers.ts';

/** In the newest version; the others differ in what their events are made of, not in how many there are. */
const MANY = 500;
const SOME = 60;
const TIMEOUT_MS = 240_000;
const OLDER_VERSIONS = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];
const FEW = 10;

suite('two Myelins', { concurrency: false }, () => {
  const place = neighbourhood();
  const peers: Peer[] = [];
  test('both start', { timeout: TIMEOUT_MS }, async () => {
    for (let count = 0; count < 2; count += 1) peers.push(await place.start('Myelin'));
  });
  for (const roomVersion of ['12', '11', '10']) {
    const messages = roomVersion === '12' ? MANY : SOME;
    test(`a room of version ${roomVersion}`, { timeout: TIMEOUT_MS }, (t) => among(t, peers, (host, guest) => shareRoom(host, guest, { roomVersion, messages })));
  }
  test('rooms of older versions, all at once', { timeout: TIMEOUT_MS, concurrency: true }, async (t) => {
    await among(t, peers, async (host, guest) => {
      await Promise.all(OLDER_VERSIONS.map((roomVersion) => t.test(`version ${roomVersion}`, () => shareBriefly(host, guest, { roomVersion, messages: FEW }))));
    });
  });
  test('a knock', { timeout: TIMEOUT_MS }, (t) => among(t, peers, (host, guest) => byKnock(host, guest, '12')));
  test('both stop', async () => place.stop());
});

/** With a new user of each. */
async function among(t: TestContext, peers: readonly Peer[], work: (host: Member, guest: Member) => Promise<void>): Promise<void> {
  const started = performance.now();
  const [host, guest] = [await enter(peers[0]!, 'host'), await enter(peers[1]!, 'guest')];
  try {
    await work(host, guest);
  } catch (error) {
    for (const { software, serverName, recentLog } of peers) console.log(`The log of ${software} ${serverName}:\n${recentLog()}`);
    throw error;
  } finally {
    await Promise.all([host, guest].map(({ follower }) => follower.stop()));
  }
  t.diagnostic(`${((performance.now() - started) / 1000).toFixed(1)} s`);
}
