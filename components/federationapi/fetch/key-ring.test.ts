/** Keys of other servers: whom it asks, how often, and what it keeps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { createKeyServers } from '../../../test/kit/key-servers.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { federationapiMigrations } from '../storage/migrations.ts';
import { createKeyRing, type KeyRing } from './key-ring.ts';

const HOUR_MS = 3_600_000;
const OWN = '/_matrix/key/v2/server';
const NOTARY = '/_matrix/key/v2/query';

async function world(trustedKeyServers: readonly string[] = [], trustedKeyServersFirst = false) {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'federationapi', federationapiMigrations, 0);
  const servers = createKeyServers(runtime.clock);
  const newRing = (): KeyRing => createKeyRing({ runtime, database, transport: servers.transport, trustedKeyServers, trustedKeyServersFirst });
  const want = (serverName: string, ...keyIds: string[]) => ({ serverName, keyIds, validUntilMs: runtime.clock.now() });
  return { runtime, database, servers, newRing, ring: newRing(), want };
}

test('keys come from the server itself, once for all who ask at the same time, then from memory, then from the tables', async () => {
  const { servers, ring, newRing, want, runtime } = await world();
  const a = servers.add('a.test', 1);
  const answers = await Promise.all([1, 2, 3].map(() => ring.keys([want('a.test', a.key.keyId)])));
  for (const known of answers) assert.deepEqual(known.get('a.test')?.keys.get(a.key.keyId)?.publicKey, a.key.publicKey);
  await ring.keys([want('a.test', a.key.keyId)]);
  const again = await newRing().keys([want('a.test', a.key.keyId)]);
  assert.deepEqual(Buffer.from(again.get('a.test')!.keys.get(a.key.keyId)!.publicKey), Buffer.from(a.key.publicKey));
  assert.equal(again.get('a.test')!.validUntilMs, runtime.clock.now() + 24 * HOUR_MS);
  assert.deepEqual(servers.asked, [`GET a.test ${OWN}`]);
});

test('a server that is away is left alone for longer and longer, and believed soon after it is back', async () => {
  const { servers, ring, want, runtime } = await world();
  const a = servers.add('a.test', 1);
  a.away = true;
  assert.equal((await ring.keys([want('a.test')])).size, 0);
  assert.equal((await ring.keys([want('a.test')])).size, 0);
  assert.equal(servers.asked.length, 1);
  await runtime.advance(1000);
  await ring.keys([want('a.test')]);
  await runtime.advance(1000);
  await ring.keys([want('a.test')]);
  assert.equal(servers.asked.length, 2);
  assert.ok(ring.mayRecover('a.test'));
  await runtime.advance(3 * 60_000);
  assert.ok(!ring.mayRecover('a.test') && ring.mayRecover('b.test'));
  a.away = false;
  assert.equal((await ring.keys([want('a.test')])).size, 1);
  assert.ok(ring.mayRecover('a.test'));
});

test('this server is known to itself, with the keys that it has signed with before', async () => {
  const { runtime, database, servers } = await world();
  const [now, before] = [servers.add('x.test', 7).key, servers.add('y.test', 8).key];
  const ring = createKeyRing({ runtime, database, transport: servers.transport, trustedKeyServers: [], own: { serverName: 'own.test', signingKey: now, oldSigningKeys: [{ ...before, expiredAtMs: 5 }] } });
  const keys = (await ring.keys([{ serverName: 'own.test', keyIds: [before.keyId], validUntilMs: 9 }])).get('own.test')!.keys;
  assert.deepEqual([keys.get(before.keyId)!.validUntilMs, keys.get(before.keyId)!.old, keys.get(now.keyId)!.old], [5, true, false]);
  assert.deepEqual(servers.asked, []);
});

test('a key that nobody has does not make it ask again and again, and known keys go on', async () => {
  const { servers, ring, want } = await world();
  const a = servers.add('a.test', 1);
  for (let i = 0; i < 10; i += 1) await ring.keys([want('a.test', `ed25519:made_up${i}`)]);
  assert.equal(servers.asked.length, 1);
  assert.ok((await ring.keys([want('a.test', a.key.keyId)])).get('a.test')!.keys.has(a.key.keyId));
});

test('a new key is fetched, and the one before stays known for what it has signed', async () => {
  const { servers, ring, newRing, want, runtime } = await world();
  const a = servers.add('a.test', 1);
  const before = a.key.keyId;
  await ring.keys([want('a.test', before)]);
  a.key = servers.add('elsewhere.test', 2).key;
  await runtime.advance(HOUR_MS);
  for (const one of [ring, newRing()]) {
    const known = (await one.keys([want('a.test', a.key.keyId)])).get('a.test')!;
    assert.deepEqual([...known.keys.keys()].sort(), [before, a.key.keyId].sort());
  }
  assert.equal(servers.asked.length, 2);
});

test('keys that have run out are fetched again; while their server is away the last document is still told', async () => {
  const { servers, ring, want, runtime } = await world();
  const a = servers.add('a.test', 1);
  await ring.keys([want('a.test', a.key.keyId)]);
  await runtime.advance(25 * HOUR_MS);
  a.away = true;
  const old = (await ring.keys([want('a.test', a.key.keyId)])).get('a.test')!;
  assert.ok(old.validUntilMs < runtime.clock.now());
  assert.equal((await ring.documents(['a.test'])).length, 1);
  a.away = false;
  await runtime.advance(60_000);
  assert.ok((await ring.keys([want('a.test', a.key.keyId)])).get('a.test')!.validUntilMs > runtime.clock.now());
});

test('who asks for fresh documents gets one past half of its life fetched again', async () => {
  const { servers, ring, want, runtime } = await world();
  servers.add('a.test', 1);
  await ring.keys([want('a.test')], { fresh: true });
  await runtime.advance(11 * HOUR_MS);
  await ring.keys([want('a.test')], { fresh: true });
  assert.equal(servers.asked.length, 1);
  await runtime.advance(2 * HOUR_MS);
  await ring.keys([want('a.test')]);
  assert.equal(servers.asked.length, 1);
  await ring.keys([want('a.test')], { fresh: true });
  assert.equal(servers.asked.length, 2);
});

test('trusted key servers are asked about all servers that did not answer, in one question', async () => {
  const { servers, ring, want } = await world(['away.test', 'notary.test']);
  const [a, b, c, notary] = [servers.add('a.test', 1), servers.add('b.test', 2), servers.add('c.test', 3), servers.add('notary.test', 4)];
  for (const server of [a, b]) {
    server.away = true;
    notary.known.set(server.name, server.document());
  }
  const known = await ring.keys([want('a.test', a.key.keyId), want('b.test', b.key.keyId), want('c.test', c.key.keyId)]);
  assert.deepEqual([...known.keys()].sort(), ['a.test', 'b.test', 'c.test']);
  assert.deepEqual(known.get('b.test')!.keys.get(b.key.keyId)!.publicKey, b.key.publicKey);
  assert.deepEqual(servers.asked.slice(3), [`GET away.test ${OWN}`, `GET notary.test ${OWN}`, `POST notary.test ${NOTARY}`]);
});

test('they are asked first where the settings say so, and when many servers are wanted; then the servers of which they know nothing', async () => {
  for (const [first, count] of [[true, 2], [false, 20]] as const) {
    const { servers, ring, want } = await world(['notary.test'], first);
    const notary = servers.add('notary.test', 100);
    const all = Array.from({ length: count }, (_, index) => servers.add(`s${index}.test`, index + 1));
    for (const server of all.slice(1)) notary.known.set(server.name, server.document());
    const known = await ring.keys(all.map(({ name, key }) => want(name, key.keyId)));
    assert.equal(known.size, count);
    assert.deepEqual(servers.asked, [`GET notary.test ${OWN}`, `POST notary.test ${NOTARY}`, `GET s0.test ${OWN}`]);
  }
});

test('a notary is asked about so many servers at a time', async () => {
  const { servers, ring, want } = await world(['notary.test']);
  const notary = servers.add('notary.test', 200);
  const a = servers.add('a.test', 1);
  const names = Array.from({ length: 600 }, (_, index) => `s${index}.test`);
  for (const name of names) notary.known.set(name, { ...a.document(), server_name: name });
  await ring.keys(names.map((name) => want(name)));
  assert.equal(servers.asked.filter((asked) => asked.startsWith('POST')).length, 3);
});

test('what a trusted key server says must be signed by it and hold by itself', async () => {
  const { servers, ring, want } = await world(['notary.test']);
  const [a, notary, liar] = [servers.add('a.test', 1), servers.add('notary.test', 4), servers.add('liar.test', 5)];
  a.away = true;
  notary.known.set('a.test', { ...liar.document(), server_name: 'a.test' });
  assert.equal((await ring.keys([want('a.test', a.key.keyId)])).size, 0);
});
