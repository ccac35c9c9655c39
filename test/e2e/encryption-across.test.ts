/**
 * End-to-end encryption as its users have it: alice at matrix-js-sdk with its Rust crypto and nina at matrix-nio on a Myelin, bob at matrix-js-sdk on a Synapse. Devices verify each other by emoji,
 * talk while devices log in and out and users leave and come back, and a process of Myelin is killed with -9 meanwhile; keys come back from the backup; cross-signing keys are replaced.
 * No device may fail to decrypt what it is entitled to (encryption-talk.ts says what that is).
 *
 * A short form runs by default, on SQLite. All of it, with 2,000 messages, and with two instances of every role on NATS and on Kafka with PostgreSQL:
 *
 *     MYELIN_E2EE=full npm test -- e2e/encryption-across
 *
 * What the long form needs beside a Synapse and nio has its address in MYELIN_TEST_POSTGRES_URL, MYELIN_TEST_NATS_URL and MYELIN_TEST_KAFKA_BROKERS, where `npm test` puts it.
 *
 * matrix-nio has its end-to-end encryption by its extra [e2e], which has been on vodozemac and without libolm since 0.26. Its comparison of emoji is not tried: the commitment that it sends and
 * expects is in hexadecimal, where the spec has base64, so that it can compare emoji only with itself.
 */
// Before the SDK itself, some parts of which take hold of the logger as they are loaded.
import './js-sdk.ts';
import { suite, test, type TestContext } from 'node:test';
import { available as nioMissing, canEncrypt } from '../kit/servers/nio.ts';
import { everybodySpeaks, gather, resetIdentity, restoreBackup, verifyAll } from './encryption-across-steps.ts';
import { talkThrough } from './encryption-crowd.ts';
import { checkRotation } from './encryption-talk.ts';
import type { Place } from './js-sdk-user.ts';
import { instanceModes, type Mode } from './modes.ts';
import { startNioDevices } from './nio-devices.ts';
import { neighbourhood, peerMissing, type Peer } from './peers.ts';

const FULL = process.env['MYELIN_E2EE'] === 'full';
const { messages, rounds } = FULL ? { messages: 2000, rounds: 3 } : { messages: 100, rounds: 1 };

const two = instanceModes().filter(({ of }) => FULL && of === 'all roles a process').map((one) => one.two);

suite('encryption across servers', () => {
  for (const mode of [undefined, ...two]) {
    const missing = peerMissing('Synapse') || (nioMissing() ?? canEncrypt()) || (mode?.missing === undefined ? false : `${mode.missing} is not here`);
    test(mode?.name ?? 'one process on SQLite', { skip: missing, timeout: FULL ? 1_200_000 : 240_000 }, (t) => scenes(t, mode));
  }
});

async function scenes(t: TestContext, mode: Mode | undefined): Promise<void> {
  const place = neighbourhood();
  const nio = startNioDevices();
  const clients: Place['clients'] = [];
  t.after(async () => {
    for (const client of clients) client.stopClient();
    await nio.stop();
    await place.stop();
  });
  const [here, there] = await Promise.all([place.start('Myelin', mode === undefined ? {} : { mode }), place.start('Synapse')]);
  const placeOf = ({ baseUrl, instances = [] }: Peer): Place => ({ baseUrl, instances, stage: { type: 'm.login.dummy' }, clients });
  const since = performance.now();
  const tell = (what: string): void => t.diagnostic(`${((performance.now() - since) / 1000).toFixed(1)} s: ${what}`);
  try {
    const scene = await gather(placeOf(here), placeOf(there), nio);
    const { alice, bob, nina, talk } = scene;
    await everybodySpeaks(scene, 'at the beginning');
    await verifyAll(scene);
    tell('verified by emoji within Myelin and with Synapse');
    await talkThrough({ talk, host: alice, guests: [nina, bob], messages, rounds, kill: () => here.killOne!(), tell });
    const { keys, messages: read } = await restoreBackup(scene);
    tell(`a fresh device has read ${read} messages with ${keys} keys from the backup`);
    await resetIdentity(scene);
    const sessions = await checkRotation(talk);
    tell(`${talk.said.length} messages in ${sessions} sessions, decrypted ${talk.decrypted} times, 0 times not`);
  } catch (error) {
    for (const { software, recentLog } of [here, there]) console.log(`The log of ${software}:\n${recentLog()}`);
    throw error;
  }
}
