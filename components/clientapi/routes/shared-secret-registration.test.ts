/** Accounts made by the operator's secret, through the router, over the real userapi. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { accessTokenHash } from '../../../pkg/http/requester.ts';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import { userQuery } from '../../userapi/index.ts';
import { inClientWorld, PASSWORD, type Answer, type ClientWorld } from '../../../test/kit/client-world.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createNonces, NONCE_MS, USED_NONCES_MAX } from '../auth/nonces.ts';

const PATH = '/_synapse/admin/v1/register';
const SECRET = 'open^sesame!';

const inWorld = (registrationSharedSecret: string, work: Parameters<typeof inClientWorld>[1]) => inClientWorld({ registration: 'closed', registrationSharedSecret }, work);

const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;
const nonceOf = async (world: ClientWorld): Promise<string> => (await world.call('GET', PATH)).body.nonce;

/** As Synapse's documentation has it. */
function mac(nonce: string, { username = 'root', password = PASSWORD, admin = false, type = '' } = {}, secret = SECRET): string {
  const hmac = createHmac('sha1', secret).update(nonce).update('\x00').update(username).update('\x00').update(password).update('\x00').update(admin ? 'admin' : 'notadmin');
  return (type === '' ? hmac : hmac.update('\x00').update(type)).digest('hex');
}

test('who knows the secret makes accounts and administrators while registration is closed', () => inWorld(SECRET, async (world) => {
  const nonce = await nonceOf(world);
  const made = await world.call('POST', PATH, { body: { nonce, username: 'Root', password: PASSWORD, admin: true, displayname: 'The root', mac: mac(nonce, { username: 'Root', admin: true }) } });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  assert.equal(made.body.user_id, '@root:test.example');
  assert.equal((await world.call('GET', '/_matrix/client/v3/account/whoami', { token: made.body.access_token })).body.user_id, '@root:test.example');
  assert.equal((await world.call('GET', '/_matrix/client/v3/profile/@root:test.example')).body.displayname, 'The root');
  const query = userQuery(world.userDatabase, world.runtime.clock);
  assert.equal((await query.requesterByToken(accessTokenHash(made.body.access_token)))?.isAdmin, true);
  const second = await nonceOf(world);
  const user = await world.call('POST', PATH, { body: { nonce: second, username: 'bot', password: PASSWORD, user_type: 'bot', mac: mac(second, { username: 'bot', type: 'bot' }).toUpperCase(), device_id: 'X' } });
  assert.equal(user.body.device_id, 'X');
  assert.equal((await query.requesterByToken(accessTokenHash(user.body.access_token)))?.isAdmin, false);
  const login = await world.call('POST', '/_matrix/client/v3/login', { body: { type: 'm.login.password', user: 'bot', password: PASSWORD } });
  assert.equal(login.status, 200);
}));

test('what the MAC does not cover is refused, and makes no account', () => inWorld(SECRET, async (world) => {
  const nonce = await nonceOf(world);
  const wish = { nonce, username: 'root', password: PASSWORD };
  const cases: [body: object, expected: string][] = [
    [{ ...wish, mac: mac(nonce, {}, 'another secret') }, '403 M_UNKNOWN'],
    [{ ...wish, admin: true, mac: mac(nonce) }, '403 M_UNKNOWN'],
    [{ ...wish, mac: mac(nonce, { admin: true }) }, '403 M_UNKNOWN'],
    [{ ...wish, user_type: 'bot', mac: mac(nonce) }, '403 M_UNKNOWN'],
    [{ ...wish, username: 'other', mac: mac(nonce) }, '403 M_UNKNOWN'],
    [{ ...wish, mac: '' }, '403 M_UNKNOWN'],
    [{ ...wish, mac: 'not hexadecimal' }, '403 M_UNKNOWN'],
    [{ ...wish, nonce: 'made up', mac: mac('made up') }, '400 M_UNKNOWN'],
    [{ ...wish, nonce: nonce.replace(/^\d/, '9'), mac: mac(nonce.replace(/^\d/, '9')) }, '400 M_UNKNOWN'],
    [{ ...wish, user_type: 'king', mac: mac(nonce, { type: 'king' }) }, '400 M_INVALID_PARAM'],
    [{ ...wish, username: 'a\0b', mac: mac(nonce, { username: 'a\0b' }) }, '400 M_INVALID_PARAM'],
    [{ ...wish }, '400 M_MISSING_PARAM'],
    [{ username: 'root', password: PASSWORD, mac: mac(nonce) }, '400 M_MISSING_PARAM'],
  ];
  for (const [body, expected] of cases) assert.equal(failure(await world.call('POST', PATH, { body })), expected, JSON.stringify(body));
  assert.equal(world.users.inputs.length, 0);
  assert.equal((await world.call('POST', PATH, { body: { ...wish, mac: mac(nonce) } })).status, 200, 'a wrong MAC does not use the nonce up');
  assert.equal(failure(await world.call('POST', PATH, { body: { ...wish, mac: mac(nonce) } })), '400 M_UNKNOWN', 'a right one does');
  const again = await nonceOf(world);
  assert.equal(failure(await world.call('POST', PATH, { body: { ...wish, nonce: again, mac: mac(again) } })), '400 M_USER_IN_USE');
  const weak = await nonceOf(world);
  assert.equal(failure(await world.call('POST', PATH, { body: { nonce: weak, username: 'weak', password: 'short', mac: mac(weak, { username: 'weak', password: 'short' }) } })), '400 M_WEAK_PASSWORD');
}));

test('without the setting there is no such door', () => inWorld('', async (world) => {
  for (const answer of [await world.call('GET', PATH), await world.call('POST', PATH, { body: { nonce: 'x', username: 'root', password: PASSWORD, mac: mac('x', {}, '') } })]) {
    assert.deepEqual([failure(answer), answer.body.error], ['400 M_UNKNOWN', 'Shared secret registration is not enabled']);
  }
}));

test('a nonce is good for a minute, once, on every instance with the same key and no other; the memory of used ones is bounded', async () => {
  const runtime = createManualRuntime();
  const nonces = createNonces(runtime, signingKeyFromSeed('1', new Uint8Array(32).fill(1)));
  const twin = createNonces(runtime, signingKeyFromSeed('1', new Uint8Array(32).fill(1)));
  const stranger = createNonces(runtime, signingKeyFromSeed('1', new Uint8Array(32).fill(2)));
  const nonce = nonces.fresh();
  assert.deepEqual([nonces.isGood(nonce), twin.isGood(nonce), stranger.isGood(nonce)], [true, true, false]);
  nonces.use(nonce);
  assert.equal(nonces.isGood(nonce), false);
  const late = nonces.fresh();
  await runtime.advance(NONCE_MS - 1);
  assert.equal(nonces.isGood(late), true);
  await runtime.advance(1);
  assert.equal(nonces.isGood(late), false);
  const [first = '', ...others] = Array.from({ length: USED_NONCES_MAX + 1 }, () => nonces.fresh());
  nonces.use(first);
  assert.equal(nonces.isGood(first), false);
  for (const other of others) nonces.use(other);
  assert.deepEqual([nonces.isGood(first), nonces.isGood(others[0] ?? '')], [true, false], 'the oldest is forgotten');
});
