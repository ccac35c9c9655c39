/** Two whole servers and an identity server: somebody is invited by e-mail address, and turns out to be a user here or elsewhere. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { FederationError, type WebRequest } from '../../../pkg/federation/transport.ts';
import { encodeBase64, encodeBase64Url } from '../../../pkg/matrix/canonical-json/base64.ts';
import { signJson } from '../../../pkg/matrix/signing/sign-json.ts';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import { createServerNetwork, type Body, type NetworkServer } from '../../kit/server-network.ts';

const CLIENT = '/_matrix/client/v3';
const FEDERATION = '/_matrix/federation/v1';
const ID_SERVER = 'id.test';
const KEYS = [1, 2].map((seed) => signingKeyFromSeed(`${seed}`, new Uint8Array(32).fill(40 + seed)));
const OTHER_KEY = signingKeyFromSeed('1', new Uint8Array(32).fill(50));
const network = createServerNetwork();
/** An identity server's memory: whom it knows, what it has stored, which keys it says are valid no more, and what it was asked. */
const identity = { bound: new Map<string, string>(), stored: [] as Body[], revoked: new Set<string>(), asked: [] as string[] };
let a: NetworkServer;
let b: NetworkServer;
let alice: string;
let bob: string;

function identityServer({ method, url, body, authorization }: WebRequest): Record<string, unknown> {
  identity.asked.push(`${method} ${url.pathname}`);
  if (url.pathname.endsWith('/isvalid')) return { valid: !identity.revoked.has(url.searchParams.get('public_key')!) };
  if (authorization !== 'Bearer secret') throw new FederationError('http', 'no', { status: 401, errcode: 'M_UNAUTHORIZED', body: {} });
  if (url.pathname.endsWith('/hash_details')) return { lookup_pepper: 'salt', algorithms: ['sha256'] };
  if (url.pathname.endsWith('/lookup')) {
    assert.deepEqual({ ...body, addresses: [] }, { addresses: [], algorithm: 'sha256', pepper: 'salt' });
    const hashes = new Map([...identity.bound].map(([address, userId]) => [encodeBase64Url(createHash('sha256').update(`${address} email salt`).digest()), userId]));
    return { mappings: Object.fromEntries((body!['addresses'] as string[]).flatMap((hash) => (hashes.has(hash) ? [[hash, hashes.get(hash)]] : []))) };
  }
  identity.stored.push(body);
  const kinds = ['pubkey/isvalid', 'pubkey/ephemeral/isvalid'];
  return { token: `token${identity.stored.length}`, display_name: 'z...@e...', public_keys: KEYS.map((key, index) => ({ public_key: encodeBase64(key.publicKey), key_validity_url: `https://${ID_SERVER}/_matrix/identity/v2/${kinds[index]}` })) };
}

before(async () => {
  network.web.set(ID_SERVER, identityServer);
  a = await network.add('a.test', { inviteIdentityServers: [ID_SERVER] });
  b = await network.add('b.test');
  alice = await a.register('alice');
  bob = await b.register('bob');
  await a.register('dora');
});
after(() => network.close());

const room = (roomId: string, rest: string): string => `${CLIENT}/rooms/${encodeURIComponent(roomId)}/${rest}`;
const createRoom = async (version = '12'): Promise<string> => (await a.call('POST', `${CLIENT}/createRoom`, { token: alice, body: { name: 'Tea', room_version: version } })).room_id as string;
const address = (name: string, more: object = {}) => ({ medium: 'email', address: name, id_server: ID_SERVER, id_access_token: 'secret', ...more });
const invite = (roomId: string, body: object, expected = 200): Promise<Body> => a.call('POST', room(roomId, 'invite'), { token: alice, body, expected });
const signedFor = (mxid: string, token: string, key = KEYS[1]!): Body => signJson({ mxid, token }, ID_SERVER, key);
const memberIn = async (roomId: string, userId: string): Promise<Body | undefined> => {
  const events = (await a.call('GET', room(roomId, 'state'), { token: alice })) as Body[];
  return events.find(({ type, state_key: stateKey }) => type === 'm.room.member' && stateKey === userId)?.content;
};
/** Once it is that: what other servers cause, nobody here waits for. */
async function memberOf(roomId: string, userId: string, membership = 'invite'): Promise<Body> {
  for (let tries = 0; tries < 100; tries += 1) {
    const content = await memberIn(roomId, userId);
    if (content?.membership === membership) return content;
    await sleep(50);
  }
  return assert.fail(`${userId} is not ${membership}`);
}
const isInvited = async (roomId: string): Promise<boolean> => Object.hasOwn((await b.call('GET', `${CLIENT}/sync`, { token: bob })).rooms?.invite ?? {}, roomId);
const bind = (to: NetworkServer, mxid: string, invites: object[], expected = 200): Promise<Body> =>
  to.call('PUT', `${FEDERATION}/3pid/onbind`, { body: { medium: 'email', address: 'z@example.org', mxid, invites }, expected });
const bound = (roomId: string, signed: Body, sender = '@alice:a.test') => ({ medium: 'email', address: 'z@example.org', mxid: signed.mxid as string, room_id: roomId, sender, signed });
let texts = 0;
/** A room with a pending invite by e-mail address, and its token. */
async function pending(version?: string): Promise<{ roomId: string; token: string }> {
  const roomId = await createRoom(version);
  await invite(roomId, address(`z${(texts += 1)}@example.org`));
  return { roomId, token: `token${identity.stored.length}` };
}

test('whom the identity server knows is invited, whatever the case of the address; whom it does not know waits in the room', async () => {
  const roomId = await createRoom();
  identity.bound.set('bob@example.org', '@bob:b.test');
  await invite(roomId, address('Bob@Example.org'));
  await memberOf(roomId, '@bob:b.test');
  assert.equal(identity.stored.length, 0);
  await invite(roomId, address('zoe@example.org'));
  const { sender, room_id: told, address: written, room_name: name } = identity.stored[0] as Record<string, string>;
  assert.deepEqual([sender, told, written, name], ['@alice:a.test', roomId, 'zoe@example.org', 'Tea']);
  const content = await a.call('GET', room(roomId, 'state/m.room.third_party_invite/token1'), { token: alice });
  const [first] = content.public_keys;
  assert.deepEqual([content.display_name, content.public_keys.length, content.public_key, content.key_validity_url], ['z...@e...', 2, first.public_key, first.key_validity_url]);
  assert.ok(!JSON.stringify(content).includes('example.org'), 'the room is not told the address');
});

test('nobody is written to by identity servers that the settings do not name, without a token, or for who may not invite', async () => {
  const roomId = await createRoom();
  const [stored, asked] = [identity.stored.length, identity.asked.length];
  assert.equal((await invite(roomId, address('z@example.org', { id_server: 'other.test' }), 403)).errcode, 'M_THREEPID_DENIED');
  assert.equal((await invite(roomId, address('z@example.org', { id_access_token: undefined }), 400)).errcode, 'M_MISSING_PARAM');
  const dora = (await a.call('POST', `${CLIENT}/login`, { body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'dora' }, password: 'correct horse battery' } })).access_token as string;
  await a.call('POST', room(roomId, 'invite'), { token: dora, body: address('z@example.org'), expected: 403 });
  assert.deepEqual([identity.stored.length, identity.asked.length], [stored, asked]);
  assert.equal((await invite(roomId, address('z@example.org', { id_access_token: 'wrong' }), 502)).errcode, 'M_UNKNOWN');
  const roomOfB = (await b.call('POST', `${CLIENT}/createRoom`, { token: bob, body: {} })).room_id as string;
  assert.equal((await b.call('POST', room(roomOfB, 'invite'), { token: bob, body: address('z@example.org'), expected: 403 })).errcode, 'M_THREEPID_DENIED');
});

for (const version of ['9', '12']) {
  test(`version ${version}: who binds the address on another server is invited by way of the inviting one, and can join`, async () => {
    const { roomId, token } = await pending(version);
    await bind(b, '@bob:b.test', [bound(roomId, signedFor('@bob:b.test', token))]);
    const { third_party_invite: third } = await memberOf(roomId, '@bob:b.test');
    assert.deepEqual([third.display_name, third.signed.token], ['z...@e...', token]);
    for (let tries = 0; tries < 100 && !(await isInvited(roomId)); tries += 1) await sleep(50);
    await b.call('POST', `${CLIENT}/join/${encodeURIComponent(roomId)}`, { token: bob, body: {} });
    await memberOf(roomId, '@bob:b.test', 'join');
    // Once more changes nothing.
    await bind(b, '@bob:b.test', [bound(roomId, signedFor('@bob:b.test', token))]);
    await sleep(100);
    assert.equal((await memberIn(roomId, '@bob:b.test')).membership, 'join');
  });
}

test('who binds it on the same server is invited at once', async () => {
  const { roomId, token } = await pending();
  await bind(a, '@dora:a.test', [bound(roomId, signedFor('@dora:a.test', token, KEYS[0]))]);
  await memberOf(roomId, '@dora:a.test');
});

test('what is not signed by a valid key of the invite, or is for another user, room or inviter, comes to nothing', async () => {
  const { roomId, token } = await pending();
  const other = await pending();
  const attempts: [invite: object, expected?: number][] = [
    [bound(roomId, signedFor('@bob:b.test', token, OTHER_KEY))],
    [bound(roomId, { ...signedFor('@bob:b.test', other.token), token })],
    [bound(roomId, signedFor('@bob:b.test', other.token))],
    [bound(roomId, signedFor('@bob:b.test', token), '@dora:a.test')],
    [bound(roomId, signedFor('@carl:b.test', token)), 400],
    [{ ...bound(roomId, signedFor('@bob:b.test', token)), signed: {} }, 400],
  ];
  for (const [one, expected] of attempts) await bind(b, '@bob:b.test', [one], expected);
  await bind(b, '@nobody:b.test', [], 404);
  await bind(b, '@alice:a.test', [], 404);
  identity.revoked.add(encodeBase64(KEYS[1]!.publicKey));
  await bind(b, '@bob:b.test', [bound(roomId, signedFor('@bob:b.test', token))]);
  network.web.delete(ID_SERVER);
  await bind(b, '@bob:b.test', [bound(roomId, signedFor('@bob:b.test', token, KEYS[0]))]);
  network.web.set(ID_SERVER, identityServer);
  await sleep(100);
  assert.equal(await memberIn(roomId, '@bob:b.test'), undefined);
  identity.revoked.clear();
  await bind(b, '@bob:b.test', [bound(roomId, signedFor('@bob:b.test', token, OTHER_KEY)), bound(roomId, signedFor('@bob:b.test', token))]);
  await memberOf(roomId, '@bob:b.test');
});
