/** What the spec says is refused, and how. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { answerTo, operationOf } from './answers.ts';
import { GOOD_REQUESTS } from './good-requests.ts';
import { NEVER_REFUSED, REFUSALS, WHERE_CLOSED } from './refusals.ts';
import { createScene, type Scene } from './scene.ts';
import { specMissing } from './spec.ts';
import { createWorld } from './world.ts';

describe('refusals of the Client-Server API', () => {
  let scene: Scene;
  before(async () => void (scene = await createScene()));
  after(() => scene.world.close());

  for (const { operationId, name, call, status, errcode } of REFUSALS) {
    test(`${operationId}: ${name}`, async () => {
      const answer = await answerTo(scene.world, operationId, await call(scene));
      assert.deepEqual([answer.status, answer.body.errcode], [status, errcode], JSON.stringify(answer.body));
    });
  }

  test('every refusal that the spec declares is made here, or cannot be', { skip: specMissing }, () => {
    const made = new Set([...[...REFUSALS, ...WHERE_CLOSED].map(({ operationId, status }) => `${operationId} ${status}`), ...Object.keys(NEVER_REFUSED)]);
    const declared = Object.keys(GOOD_REQUESTS).flatMap((operationId) => [...operationOf(operationId).responses.keys()].filter((status) => status >= 400 && status !== 429).map((status) => `${operationId} ${status}`));
    assert.deepEqual(declared.filter((one) => !made.has(one)), []);
  });

  test('a server that is closed and not announced says so', async () => {
    const world = await createWorld({ registration: 'closed', publicBaseUrl: '', discovery: undefined });
    for (const { operationId, call, status, errcode } of WHERE_CLOSED) {
      const answer = await answerTo(world, operationId, await call(scene));
      assert.deepEqual([operationId, answer.status, answer.body.errcode], [operationId, status, errcode]);
    }
    await world.close();
  });

  test('too many requests are told when to come again', async () => {
    const world = await createWorld({ rateLimits: true });
    const call = { method: 'GET', path: '/_matrix/client/v3/register/available?username=nobody' };
    let answer = await answerTo(world, 'checkUsernameAvailability', call);
    for (let i = 0; i < 100 && answer.status === 200; i += 1) answer = await answerTo(world, 'checkUsernameAvailability', call);
    assert.deepEqual([answer.status, answer.body.errcode], [429, 'M_LIMIT_EXCEEDED']);
    assert.ok(Number(answer.headers['retry-after']) * 1000 >= answer.body.retry_after_ms);
    await world.close();
  });
});
