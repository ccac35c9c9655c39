import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessTokenHash, requireRequester } from './requester.ts';

const alice = { userId: '@alice:test', deviceId: 'PHONE', isGuest: false, isAdmin: false };
const users = {
  requesterByToken: (hash: Uint8Array) => Promise.resolve(Buffer.compare(hash, accessTokenHash('secret')) === 0 ? alice : undefined),
};
const request = (authorization?: string, query = '') => ({ headers: { authorization }, query: new URLSearchParams(query) });

test('finds the requester by header, and by query parameter only where that is switched on', async () => {
  assert.equal(await requireRequester(request('Bearer secret'), users), alice);
  assert.equal(await requireRequester(request('bearer secret'), users), alice);
  assert.equal(await requireRequester({ ...request(undefined, 'access_token=secret'), takesQueryToken: true }, users), alice);
  await assert.rejects(requireRequester(request(undefined, 'access_token=secret'), users), { status: 401, errcode: 'M_MISSING_TOKEN' });
});

test('guests get to what is open to them, everybody else to everything', async () => {
  const guest = { ...alice, isGuest: true };
  const withGuest = { requesterByToken: () => Promise.resolve(guest) };
  assert.equal(await requireRequester({ ...request('Bearer secret'), isOpenToGuests: true }, withGuest), guest);
  for (const isOpenToGuests of [false, undefined]) {
    await assert.rejects(requireRequester({ ...request('Bearer secret'), isOpenToGuests }, withGuest), { status: 403, errcode: 'M_GUEST_ACCESS_FORBIDDEN' });
  }
});

test('a missing token is not an unknown one', async () => {
  for (const missing of [request(), request('Basic c2VjcmV0'), request('Bearer '), request(undefined, 'access_token=')]) {
    await assert.rejects(requireRequester(missing, users), { status: 401, errcode: 'M_MISSING_TOKEN' });
  }
  for (const unknown of [request('Bearer other'), { ...request(undefined, 'access_token=other'), takesQueryToken: true }]) {
    await assert.rejects(requireRequester(unknown, users), { status: 401, errcode: 'M_UNKNOWN_TOKEN', fields: { soft_logout: false } });
  }
});
