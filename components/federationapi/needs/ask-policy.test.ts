/** Policy servers that sign, refuse, are silent, lie, or are not there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FederationError } from '../../../pkg/federation/transport.ts';
import { encodeBase64 } from '../../../pkg/matrix/canonical-json/base64.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { addSignature } from '../../../pkg/matrix/signing/sign-event.ts';
import { signingKeyFromSeed, type SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import { needWorld, refusal, type NewNeed, type Peer } from '../../../test/kit/need-world.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { bytesOf } from '../../../test/kit/received-room.ts';
import { CREATOR, TEST_KEY } from '../../../test/kit/room-state.ts';

const KEY = signingKeyFromSeed('policy_server', new Uint8Array(32).fill(9));
const OTHER_KEY = signingKeyFromSeed('policy_server', new Uint8Array(32).fill(8));
const dag = startRoom('11');
const eventId = dag.send({ type: 'm.room.message', sender: CREATOR, content: { body: 'hello' } });
const event = dag.pdu(eventId)!;
const policy = (serverName: string) => ({ serverName, publicKey: encodeBase64(KEY.publicKey) });
const wish = (serverName: string, { isOurs = true, needId = 'p1', lifetimeMs = 4500 } = {}): NewNeed =>
  ({ needId, roomId: dag.roomId, roomVersion: '11', lifetimeMs, askPolicy: { policy: policy(serverName), eventId, pdu: bytesOf(event), isOurs } });

/** Gives nothing but its own signature, as the spec has it. */
const signer = (name: string, key: SigningKey = KEY): Peer => ({ path, json }) => {
  assert.equal(path, '/_matrix/policy/v1/sign');
  const { signatures } = addSignature(JSON.parse(json!) as Pdu, dag.version, name, key);
  return { [name]: { 'ed25519:policy_server': signatures[name]!['ed25519:policy_server']! } };
};

test('the signature is added to those that the event has, also where the policy server is its sender, and checked', async () => {
  const world = await needWorld();
  world.peers.set('policy.test', signer('policy.test')).set('one.test', signer('one.test')).set('liar.test', signer('liar.test', OTHER_KEY)).set('empty.test', () => ({}));
  for (const name of ['policy.test', 'one.test']) {
    const answer = await world.answerTo(wish(name, { needId: name }));
    assert.deepEqual([answer?.status, answer?.origin, answer?.eventId], [200, name, eventId]);
    const signed = JSON.parse(Buffer.from(answer!.pdu).toString()) as Pdu;
    assert.equal(signed.signatures['one.test']![TEST_KEY.keyId], event.signatures['one.test']![TEST_KEY.keyId]);
    assert.deepEqual(signed, addSignature(event, dag.version, name, KEY));
  }
  for (const name of ['liar.test', 'empty.test']) assert.equal((await world.answerTo(wish(name, { needId: name })))?.status, 502);
  await world.close();
});

test('a refusal comes in its own words, with all that it says; who is silent or gone is told of within 5 s', async () => {
  const world = await needWorld();
  const refuses = (error: unknown): Peer => () => Promise.reject(error as Error);
  world.peers.set('refuses.test', refuses(refusal(400, 'M_FORBIDDEN', { error: 'Spam.', 'org.example.rule': 'caps' }))).set('slow.test', refuses(refusal(429, 'M_LIMIT_EXCEEDED', { retry_after_ms: 1500 })));
  world.peers.set('distrusts.test', refuses(refusal(401, 'M_UNAUTHORIZED'))).set('broken.test', refuses(refusal(500, 'M_UNKNOWN'))).set('silent.test', () => new Promise(() => undefined));
  world.peers.set('late.test', refuses(new FederationError('timeout', 'late')));
  const answers = new Map<string, unknown>();
  for (const name of ['refuses.test', 'slow.test', 'distrusts.test', 'broken.test', 'late.test', 'silent.test', 'away.test']) {
    const answer = await world.answerTo(wish(name, { needId: name }), 4500);
    answers.set(name, [answer?.status, answer?.errcode, name === 'refuses.test' ? [answer?.error, Buffer.from(answer!.errorFields!).toString()] : undefined]);
  }
  assert.deepEqual(Object.fromEntries(answers), {
    'refuses.test': [400, 'M_FORBIDDEN', ['Spam.', '{"org.example.rule":"caps"}']], 'slow.test': [429, 'M_LIMIT_EXCEEDED', undefined], 'distrusts.test': [502, 'M_UNKNOWN', undefined],
    'broken.test': [502, 'M_UNKNOWN', undefined], 'late.test': [504, 'M_UNKNOWN', undefined], 'silent.test': [504, 'M_UNKNOWN', undefined], 'away.test': [502, 'M_UNKNOWN', undefined],
  });
  await world.close();
});

test('for an event of another server it is asked again while there is time, and left alone after that; a homeserver of the same name is asked all the same', async () => {
  const world = await needWorld();
  let asked = 0;
  world.peers.set('policy.test', (request) => {
    asked += 1;
    return asked < 3 ? Promise.reject(refusal(503, 'M_UNKNOWN')) : signer('policy.test')(request);
  });
  assert.equal((await world.answerTo(wish('policy.test', { isOurs: false, lifetimeMs: 10_000 })))?.status, 200);
  assert.equal(asked, 3);
  world.peers.set('gone.test', () => Promise.reject(new FederationError('unreachable', 'away')));
  assert.equal((await world.answerTo(wish('gone.test', { isOurs: false, needId: 'g', lifetimeMs: 10_000 })))?.status, 502);
  world.peers.set('gone.test', () => ({ pdus: [] }));
  await world.answerTo({ needId: 'm', roomId: dag.roomId, roomVersion: '11', missingEvents: { origin: 'gone.test', eventId, earliest: [], minDepth: 0 } }, 500);
  assert.ok(world.asked.some((line) => line.includes('gone.test') && line.includes('get_missing_events')));
  await world.close();
});

test('twenty silent policy servers keep nothing else waiting', async () => {
  const world = await needWorld();
  for (let n = 0; n < 20; n += 1) {
    world.peers.set(`silent${n}.test`, () => new Promise(() => undefined));
    for (let each = 0; each < 15; each += 1) await world.take(wish(`silent${n}.test`, { needId: `s${n}.${each}`, lifetimeMs: 60_000 }));
  }
  await world.until(() => world.asked.length >= 64, 1000);
  world.peers.set('two.test', () => ({ events: [] }));
  assert.ok(await world.answerTo({ needId: 'm', roomId: dag.roomId, roomVersion: '11', missingEvents: { origin: 'two.test', eventId, earliest: [], minDepth: 0 } }, 1000));
  await world.close();
});
