import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeServerKeys } from '../../../pkg/federation/server-keys.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { addSignature } from '../../../pkg/matrix/signing/sign-event.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { buildEvent, type BuiltEvent } from '../../../pkg/matrix/events/build-event.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import { createKeyServers } from '../../../test/kit/key-servers.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createKeyRing } from '../fetch/key-ring.ts';
import { federationapiMigrations } from '../storage/migrations.ts';
import { verifyPdus } from './verify-pdus.ts';

const version = roomVersion('11')!;
const roomId = '!room:a.test';
const ownKey = signingKeyFromSeed('own', new Uint8Array(32).fill(7));

async function scene() {
  const runtime = createManualRuntime();
  const { clock } = runtime;
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'federationapi', federationapiMigrations, clock.now());
  const servers = createKeyServers(clock);
  const keyRing = createKeyRing({ runtime, database, transport: servers.transport, trustedKeyServers: [], own: { serverName: 'own.test', signingKey: ownKey } });
  let yields = 0;
  const counting = { now: () => clock.now(), yield: async () => { yields += 1; } };
  return {
    clock, servers,
    yields: () => yields,
    /** On the event loop and off it, which is the same. */
    async verify(values: readonly unknown[], room?: string) {
      const asked = { values, version, ...(room !== undefined && { roomId: room }) };
      const verified = await verifyPdus({ keyRing, clock: counting }, asked);
      assert.deepEqual(await verifyPdus({ keyRing, clock, offload: runtime.offload }, asked), verified);
      return verified;
    },
    close: () => database.close(),
  };
}

function message(serverName: string, key: SigningKey, originServerTs: number, body = 'hello'): BuiltEvent {
  return buildEvent({
    version, draft: { type: 'm.room.message', sender: `@user:${serverName}`, content: { body } }, roomId, prevEvents: [], authEvents: [], depth: 3, originServerTs, serverName, signingKey: key,
  });
}

test('events of many servers are verified with one question to each of them', async () => {
  const world = await scene();
  const [a, b] = [world.servers.add('a.test', 1), world.servers.add('b.test', 2)];
  const nowMs = world.clock.now();
  const built = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? message('a.test', a.key, nowMs - i, `${i}`) : message('b.test', b.key, nowMs - i, `${i}`)));
  const verified = await world.verify(built.map(({ pdu }) => ({ ...pdu, unsigned: { age: 1 } })), roomId);
  assert.deepEqual(verified.map((one) => ('outcome' in one ? one.reason : one.eventId)), built.map(({ eventId }) => eventId));
  assert.deepEqual(verified.map((one) => ('bytes' in one ? Buffer.from(one.bytes).toString() : '')), built.map(({ json }) => json), 'unsigned is gone');
  assert.equal(world.servers.asked.length, 2);
  assert.equal(world.yields(), 2);
  await world.close();
});

test('what is changed, of another room, signed by others or no event at all is dropped, and nothing else', async () => {
  const world = await scene();
  const a = world.servers.add('a.test', 1);
  const { pdu } = message('a.test', a.key, world.clock.now());
  const forged = message('a.test', signingKeyFromSeed('k1', new Uint8Array(32).fill(9)), world.clock.now());
  const other = message('a.test', a.key, world.clock.now(), 'there');
  const [good, changed, elsewhere, wrong, text, unsigned] = await world.verify(
    [pdu, { ...pdu, depth: 4 }, { ...pdu, room_id: '!other:a.test' }, forged.pdu, 'no event', { ...other.pdu, signatures: {} }], roomId);
  assert.ok(good !== undefined && !('outcome' in good) && !good.redacted);
  for (const one of [changed, elsewhere, wrong, text, unsigned]) assert.ok(one !== undefined && 'outcome' in one && one.lacksKeysOf === undefined, JSON.stringify(one));
  const [inOther] = await world.verify([pdu], '!other:a.test');
  assert.deepEqual(inOther, { outcome: 'dropped', reason: 'The event is of another room' });
  const [redacted] = await world.verify([{ ...pdu, content: { body: 'forged' } }], roomId);
  assert.ok(redacted !== undefined && 'redacted' in redacted && redacted.redacted && JSON.stringify(redacted.pdu.content) === '{}');
  await world.close();
});

test('of a server that is away it is told that its keys are lacking', async () => {
  const world = await scene();
  const a = world.servers.add('a.test', 1);
  a.away = true;
  const { pdu } = message('a.test', a.key, world.clock.now());
  const [first] = await world.verify([pdu]);
  assert.ok(first !== undefined && 'outcome' in first && first.lacksKeysOf === 'a.test');
  await world.close();
});

test('an old key counts for events of its time; every signature by a key that counts must be right, and others do not matter', async () => {
  const world = await scene();
  const a = world.servers.add('a.test', 1);
  const nowMs = world.clock.now();
  const [old, unknown] = [signingKeyFromSeed('old', new Uint8Array(32).fill(7)), signingKeyFromSeed('unknown', new Uint8Array(32).fill(8))];
  a.document = () => makeServerKeys({ serverName: 'a.test', signingKeys: [a.key], retiredKeys: [{ ...old, expiredAtMs: nowMs - 1000 }], nowMs, validityMs: 1e9 });
  const by = (ts: number, key: SigningKey) => message('a.test', key, ts).pdu;
  const wrong = (pdu: Pdu, key: SigningKey): Pdu => ({ ...pdu, signatures: { 'a.test': { ...pdu.signatures['a.test'], [key.keyId]: by(5, key).signatures['a.test']![key.keyId]! } } });
  const [now, before] = [by(nowMs, a.key), by(nowMs - 2000, old)];
  const verdicts = async (...pdus: Pdu[]) => (await world.verify(pdus, roomId)).map((one) => ('outcome' in one ? (one.lacksKeysOf === undefined ? 'dropped' : 'lacks keys') : 'intact'));
  assert.deepEqual(await verdicts(before, by(nowMs, old), now), ['intact', 'dropped', 'intact']);
  assert.deepEqual(await verdicts(addSignature(now, version, 'a.test', unknown), wrong(now, unknown), addSignature(before, version, 'a.test', a.key)), ['intact', 'intact', 'intact']);
  assert.deepEqual(await verdicts(wrong(before, a.key), wrong(now, old), by(nowMs, unknown)), ['dropped', 'intact', 'lacks keys']);
  await world.close();
});

test('a key that does not count at the time of the event any more is of no use; one of this server always is, without a question', async () => {
  const world = await scene();
  const a = world.servers.add('a.test', 1);
  const [late] = await world.verify([message('a.test', a.key, world.clock.now() + 9 * 24 * 3_600_000).pdu]);
  assert.ok(late !== undefined && 'outcome' in late && late.lacksKeysOf === 'a.test');
  const asked = world.servers.asked.length;
  const [own, forged] = await world.verify([message('own.test', ownKey, world.clock.now()).pdu, message('own.test', a.key, world.clock.now()).pdu]);
  assert.ok(own !== undefined && !('outcome' in own));
  assert.ok(forged !== undefined && 'outcome' in forged);
  assert.equal(world.servers.asked.length, asked);
  await world.close();
});
