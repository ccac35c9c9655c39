/** The pages for clients that do not know a stage, or cannot log in. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { inClientWorld as inWorld, PASSWORD, type ClientWorld } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';

interface Page {
  readonly status: number;
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** As a browser asks: with `form` its fields are sent. */
async function open(world: ClientWorld, path: string, form?: Record<string, string>): Promise<Page> {
  const [pathOnly = '', queryString = ''] = path.split('?');
  const response = await world.router.dispatch({
    method: form === undefined ? 'GET' : 'POST', path: pathOnly, queryString, remoteAddress: '127.0.0.1', departure: new Departure(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' }, ...(form && { body: Buffer.from(new URLSearchParams(form).toString()) }),
  });
  const html = String(response.json);
  assert.match(response.headers!['content-type']!, /^text\/html; charset=utf-8$/);
  const policy = response.headers!['content-security-policy']!;
  const hashOf = (tag: string) => [...html.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))].map(([, text]) => `'sha256-${createHash('sha256').update(text!).digest('base64')}'`);
  for (const hash of [...hashOf('script'), ...hashOf('style')]) assert.ok(policy.includes(hash), 'the policy lets the page do its own work');
  assert.ok(policy.startsWith("default-src 'none'") && !policy.includes('unsafe'));
  assert.ok(!/<(?:script|img|link|iframe)[^>]*\b(?:src|href)=/.test(html), 'nothing comes from elsewhere');
  return { status: response.status, html, headers: response.headers! };
}

const stagePath = (type: string, session: string) => `${V3}/auth/${type}/fallback/web?session=${encodeURIComponent(session)}`;

test('a stage is completed on its page, and the client goes on with the session alone', () => inWorld({}, async (world) => {
  const wish = { username: 'alice', password: PASSWORD };
  const { body: begun } = await world.call('POST', `${V3}/register`, { body: wish });
  const path = stagePath('m.login.dummy', begun.session);
  const page = await open(world, path);
  assert.deepEqual([page.status, page.html.includes('<form method="post">'), page.html.includes('onAuthDone')], [200, true, false]);
  const before = await world.call('POST', `${V3}/register`, { body: { auth: { session: begun.session } } });
  assert.deepEqual([before.status, before.body.completed], [401, []]);
  const done = await open(world, path, { session: begun.session });
  assert.match(done.html, /window\.onAuthDone\(\);[\s\S]*window\.opener\.postMessage\('authDone', '\*'\)/);
  assert.ok((await open(world, path)).html.includes('onAuthDone'), 'who comes back is told that it is done');
  const { status, body } = await world.call('POST', `${V3}/register`, { body: { auth: { session: begun.session } } });
  assert.deepEqual([status, body.user_id], [200, '@alice:test.example']);
  const again = await world.call('POST', `${V3}/register`, { body: { username: 'alice2', password: PASSWORD, auth: { session: begun.session } } });
  assert.deepEqual([again.status, again.body.errcode], [401, 'M_FORBIDDEN'], 'a session is used once');
}));

test('the page for the password takes that of the user whose session it is', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  await world.register('bob');
  const { body: begun } = await world.call('POST', `${V3}/delete_devices`, { token: alice.token, body: { devices: [alice.deviceId] } });
  const path = stagePath('m.login.password', begun.session);
  assert.ok((await open(world, path)).html.includes('@alice:test.example'));
  for (const [form, problem] of [[{ password: 'wrong password' }, 'not right'], [{ password: '' }, 'missing'], [{}, 'missing']] as const) {
    const { status, html } = await open(world, path, { session: begun.session, ...form });
    assert.ok(status === 200 && html.includes('role="alert"') && html.includes(problem), problem);
  }
  assert.equal((await open(world, path, { session: begun.session, password: PASSWORD, user: 'bob' })).status, 403);
  assert.ok((await open(world, path, { session: begun.session, password: PASSWORD })).html.includes('onAuthDone'));
  assert.equal((await world.call('POST', `${V3}/delete_devices`, { token: alice.token, body: { auth: { session: begun.session } } })).status, 200);
  assert.equal((await world.call('GET', `${V3}/account/whoami`, { token: alice.token })).status, 401);
}));

test('a session that has ended, is none, or needs another stage has no page', () => inWorld({}, async (world) => {
  const { body: begun } = await world.call('POST', `${V3}/register`, { body: {} });
  for (const path of [
    `${V3}/auth/m.login.dummy/fallback/web`, stagePath('m.login.dummy', 'x"><b>'), stagePath('m.login.password', begun.session), stagePath('toString', begun.session), stagePath('m.login.sso', begun.session),
  ]) {
    const { status, html } = await open(world, path);
    assert.equal(status, 400, path);
    assert.ok(!html.includes('<form') && !html.includes('<b>'));
  }
  assert.equal((await open(world, stagePath('m.login.dummy', ''), {})).status, 400);
  await world.runtime.advance(15 * 60_000);
  assert.equal((await open(world, stagePath('m.login.dummy', begun.session))).status, 400);
}));

test('who sends pages too often is told so on a page', () => inWorld({ rateLimits: true }, async (world) => {
  const { body: begun } = await world.call('POST', `${V3}/register`, { body: {} });
  let last: Page | undefined;
  for (let i = 0; i < 50 && last?.status !== 429; i += 1) last = await open(world, stagePath('m.login.dummy', begun.session), { session: begun.session });
  assert.deepEqual([last?.status, Number(last?.headers['retry-after']) > 0], [429, true]);
}));

test('the log-in page is there, with and without a slash', () => inWorld({}, async (world) => {
  for (const path of ['/_matrix/static/client/login/', '/_matrix/static/client/login?device_id=PHONE']) {
    const { status, html } = await open(world, path);
    assert.equal(status, 200);
    assert.match(html, /window\.matrixLogin\.onLogin\(response\)/);
  }
}));
