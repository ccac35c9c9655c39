/** What the spec says in prose of accounts, and of all requests. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { answerTo } from './answers.ts';
import { createScene, type Scene } from './scene.ts';
import { CLIENT, PASSWORD } from './world.ts';

describe('accounts and requests', () => {
  let scene: Scene;
  before(async () => void (scene = await createScene()));
  after(() => scene.world.close());

  describe('accounts', () => {
    for (const [form, fields] of Object.entries({
      'an identifier with a name': { identifier: { type: 'm.id.user', user: 'alice' } },
      'an identifier with a user ID': { identifier: { type: 'm.id.user', user: '@alice:spec.example' } },
      'a name in capitals': { identifier: { type: 'm.id.user', user: 'ALICE' } },
      'the old field user': { user: 'alice' },
    })) {
      test(`log in by ${form}`, async () => {
        const answer = await answerTo(scene.world, 'login', { method: 'POST', path: `${CLIENT}/login`, body: { type: 'm.login.password', password: PASSWORD, ...fields } });
        assert.deepEqual([answer.status, answer.body.user_id], [200, scene.alice.userId]);
        assert.deepEqual(answer.body.well_known['m.homeserver'], { base_url: 'https://matrix.spec.example' });
      });
    }

    test('register without logging in, when that is wanted', async () => {
      const body = { auth: { type: 'm.login.dummy' }, username: 'quiet', password: PASSWORD, inhibit_login: true };
      const answer = await answerTo(scene.world, 'register', { method: 'POST', path: `${CLIENT}/register`, body });
      assert.deepEqual([answer.status, 'access_token' in answer.body, 'device_id' in answer.body], [200, false, false]);
    });

    test('are told who they are', async () => {
      const { userId, deviceId } = scene.alice;
      assert.deepEqual(await scene.world.ask(scene.alice, 'GET', '/account/whoami'), { user_id: userId, device_id: deviceId, is_guest: false });
    });

    test('are told the room versions', async () => {
      const { capabilities } = await scene.world.ask(scene.alice, 'GET', '/capabilities');
      assert.deepEqual(capabilities['m.room_versions'], { default: '12', available: Object.fromEntries(Array.from({ length: 12 }, (_, index) => [index + 1, 'stable'])) });
    });
  });

  test('the old name r0 of v3 works', async () => {
    const { status, body } = await scene.world.call({ method: 'GET', path: '/_matrix/client/r0/account/whoami', token: scene.alice.token });
    assert.deepEqual([status, body.user_id], [200, scene.alice.userId]);
  });

  test('browsers may ask from anywhere; what is not there is M_UNRECOGNIZED', async () => {
    const preflight = await scene.world.call({ method: 'OPTIONS', path: `${CLIENT}/sync` });
    assert.equal(preflight.status, 200);
    assert.equal(preflight.headers['access-control-allow-origin'], '*');
    assert.equal(preflight.headers['access-control-allow-methods'], 'GET, POST, PUT, DELETE, OPTIONS');
    assert.equal(preflight.headers['access-control-allow-headers'], 'X-Requested-With, Content-Type, Authorization');
    const unknown = await scene.world.call({ method: 'GET', path: `${CLIENT}/nothing` });
    assert.deepEqual([unknown.status, unknown.body.errcode], [404, 'M_UNRECOGNIZED']);
    const otherMethod = await scene.world.call({ method: 'DELETE', path: `${CLIENT}/sync` });
    assert.deepEqual([otherMethod.status, otherMethod.body.errcode], [405, 'M_UNRECOGNIZED']);
  });
});
