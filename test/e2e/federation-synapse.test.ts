/**
 * A Myelin and a real Synapse share everything that servers share, where either may be the one that has the room. At the end of each room's story both send a closing event, and their databases are
 * compared: the events that they have accepted, and the state at the closing events.
 */
import { suite, test, type TestContext } from 'node:test';
import { afterSecondThoughts, byAlias, byAnotherRoom, byKnock } from './federation-entries.ts';
import { askForTheBeginning, longTalk, readPast } from './federation-past.ts';
import { enter, shareBriefly, shareRoom, type Member, type SharedRoom } from './federation-rooms.ts';
import { publicRooms, sharedSpace, upgrade } from './federation-spaces.ts';
import { devices, ephemeral, profiles } from './federation-users.ts';
import { neighbourhood, peerMissing, type Peer } from './peers.ts';

const TIMEOUT_MS = 240_000;
/** In the newest version; the others differ in what their events are made of, not in how many there are. */
const MANY = 60;
const SOME = 20;
const FEW = 5;
/** Before the guest comes. */
const PAST = 2000;
const READING = { page: 500, pagesMax: 100 };
const OLDER_VERSIONS = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];

suite('Myelin and Synapse', { skip: peerMissing('Synapse'), concurrency: false }, () => {
  const place = neighbourhood();
  const members: Member[] = [];
  const pasts: Promise<SharedRoom>[] = [];
  const directions = [0, 1].map((hosting) => ({ hosting, name: ['Myelin', 'Synapse'][hosting]! }));
  const pair = (hosting: number): [Member, Member] => [members[hosting]!, members[1 - hosting]!];

  test('both start', { timeout: TIMEOUT_MS }, async () => {
    const peers = await Promise.all([place.start('Myelin'), place.start('Synapse', { presence: true })]);
    for (const peer of peers) members.push(await enter(peer, 'user'));
    // What is read last is said while all the rest goes on.
    for (const { hosting } of directions) {
      const past = longTalk(...pair(hosting), PAST);
      past.catch(() => undefined);
      pasts.push(past);
    }
  });

  /** One story in each direction, both at once. */
  const story = (name: string, tell: (host: Member, guest: Member, t: TestContext) => Promise<void>): void => {
    for (const { hosting, name: software } of directions) {
      test(`${name}; the host is the ${software}`, { timeout: TIMEOUT_MS, concurrency: true }, async (t) => {
        const startedAt = performance.now();
        try {
          await tell(...pair(hosting), t);
        } catch (error) {
          for (const { peer } of members) console.log(`The log of ${peer.software} ${peer.serverName}:\n${peer.recentLog()}`);
          throw error;
        }
        t.diagnostic(`${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
      });
    }
  };
  const between = (tell: (one: Peer, other: Peer) => Promise<void>) => (host: Member, guest: Member): Promise<void> => tell(host.peer, guest.peer);

  for (const roomVersion of ['12', '11', '10']) story(`a room of version ${roomVersion}`, (host, guest) => shareRoom(host, guest, { roomVersion, messages: roomVersion === '12' ? MANY : SOME }));
  story('rooms of older versions, all at once', async (host, guest, t) => {
    await Promise.all(OLDER_VERSIONS.map((roomVersion) => t.test(`version ${roomVersion}`, () => shareBriefly(host, guest, { roomVersion, messages: FEW }))));
  });
  story('a join by alias', (host, guest) => byAlias(host, guest, '12'));
  for (const roomVersion of ['7', '11', '12']) story(`knocks on a room of version ${roomVersion}`, (host, guest) => byKnock(host, guest, roomVersion));
  for (const [roomVersion, rule] of [['8', 'restricted'], ['12', 'restricted'], ['10', 'knock_restricted']] as const) {
    story(`a ${rule} join of a room of version ${roomVersion}`, (host, guest) => byAnotherRoom(host, guest, { roomVersion, rule }));
  }
  story('an invite that is withdrawn', afterSecondThoughts);
  story('a room that replaces another', upgrade);
  story('a space', sharedSpace);
  story('public rooms', publicRooms);
  story('typing, receipts and presence', between(ephemeral));
  story('profiles', between(profiles));
  story('devices', between(devices));
  story('the beginning of a room', askForTheBeginning);
  for (const { hosting, name } of directions) {
    test(`${PAST} messages in a room of ${name}, read by a user of the other who joins after them`, { timeout: 2 * TIMEOUT_MS }, async (t) => {
      const room = await pasts[hosting]!;
      const startedAt = performance.now();
      await readPast(room, READING);
      t.diagnostic(`${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    });
  }
  test('both stop', async () => {
    await Promise.all(members.map(({ follower }) => follower.stop()));
    await place.stop();
  });
});
