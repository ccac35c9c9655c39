/** Every operation that is routed, against the spec's OpenAPI description: answers, refusals, bodies and queries that are wrong. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { answerTo, GOOD_STATUS, operationOf, OPERATIONS } from './answers.ts';
import { GOOD_REQUESTS } from './good-requests.ts';
import { createScene, type Scene } from './scene.ts';
import { specMissing } from './spec.ts';
import { wrongBodies, wrongValues } from './wrong-bodies.ts';

const WRONG_BODY_ERRCODES = new Set(['M_BAD_JSON', 'M_INVALID_PARAM', 'M_MISSING_PARAM']);
/** Clients ask for it with a token or without. */
const TOKEN_OPTIONAL = new Set(['getRoomSummary', 'getVersions']);
/** Wrong bodies that are taken all the same, and why. */
const TAKEN_ALL_THE_SAME: Readonly<Record<string, string>> = {
  'postReceipt: thread_id = null': 'matrix-nio sends it with every receipt that is of no thread, and would have none of them stored',
};
/** What makes an operation out of another one of the same path. */
const WITHOUT_IT_ANOTHER: Readonly<Record<string, string>> = { peekEvents: 'room_id' };
/** Operators' doors and what is not of the spec yet have no description, and pages for people have none that could be compared. */
const isOfSpec = ({ path, role }: { path: string; role?: string }): boolean => !/^\/_(?:synapse|myelin)\/|^\/_matrix\/(?:static|client\/unstable)\/|\/fallback\/web$/.test(path) && role !== 'federationapi';
/** A route that serves two operations of the spec has a request for each. */
const ROUTED = Object.keys(GOOD_REQUESTS);

describe('the Client-Server API as the spec describes it', { skip: specMissing }, () => {
  let scene: Scene;
  before(async () => void (scene = await createScene()));
  after(() => scene.world.close());

  test('every route has its operation and a request that succeeds here', () => {
    const routes = scene.world.routes.filter(isOfSpec);
    const served = new Set(routes.map(({ method, path }) => `${method} ${path}`));
    assert.deepEqual(routes.map((route) => route.operationId).filter((id) => !(id in GOOD_REQUESTS)), []);
    for (const route of routes) {
      const { method, path } = operationOf(route.operationId);
      assert.deepEqual([route.method, route.path], [method, path]);
    }
    for (const { operationId, method, path } of ROUTED.map(operationOf)) assert.ok(served.has(`${method} ${path}`), operationId);
  });

  for (const operationId of OPERATIONS.size === 0 ? [] : ROUTED) {
    const operation = operationOf(operationId);
    describe(operationId, () => {
      test('answers a good request with what the schema says', async () => {
        const answer = await answerTo(scene.world, operationId, await GOOD_REQUESTS[operationId]!(scene));
        assert.equal(answer.status, GOOD_STATUS[operationId] ?? 200, JSON.stringify(answer.body));
      });

      if (operation.needsToken && !TOKEN_OPTIONAL.has(operationId)) test('refuses a missing and an unknown token', async () => {
        const call = await GOOD_REQUESTS[operationId]!(scene);
        const missing = await answerTo(scene.world, operationId, { ...call, token: undefined });
        assert.deepEqual([missing.status, missing.body.errcode], [401, 'M_MISSING_TOKEN']);
        const unknown = await answerTo(scene.world, operationId, { ...call, token: 'unknown' });
        assert.deepEqual([unknown.status, unknown.body.errcode], [401, 'M_UNKNOWN_TOKEN']);
      });

      const { body: schema } = operation;
      if (schema !== undefined) test('refuses every property of a wrong type and every body without a required one', async () => {
        const call = await GOOD_REQUESTS[operationId]!(scene);
        const accepted: string[] = [];
        for (const { name, body } of wrongBodies(schema, call.body)) {
          const answer = await answerTo(scene.world, operationId, { ...call, body });
          if (`${operationId}: ${name}` in TAKEN_ALL_THE_SAME) assert.equal(answer.status, 200, name);
          else if (answer.status !== 400 || !WRONG_BODY_ERRCODES.has(answer.body.errcode)) accepted.push(`${name}: ${answer.status} ${answer.body.errcode ?? ''}`);
        }
        assert.deepEqual(accepted, []);
        const broken = await answerTo(scene.world, operationId, { ...call, body: Buffer.from('{"a":') });
        assert.deepEqual([broken.status, broken.body.errcode], [400, 'M_NOT_JSON']);
      });

      if (operation.query.length > 0) test('refuses a query with a value that the schema does not allow, or without a required one', async () => {
        const call = await GOOD_REQUESTS[operationId]!(scene);
        const [path = '', query = ''] = call.path.split('?');
        for (const { name, required, schema } of operation.query) {
          const values = ['integer', 'boolean'].includes(String(schema['type'])) || 'enum' in schema ? wrongValues(schema).filter((value) => typeof value === 'string') : [];
          for (const value of [...values, ...(required && WITHOUT_IT_ANOTHER[operationId] !== name ? [undefined] : [])]) {
            const changed = new URLSearchParams(query);
            if (value === undefined) changed.delete(name);
            else changed.set(name, String(value));
            const answer = await answerTo(scene.world, operationId, { ...call, path: `${path}?${changed}` });
            assert.equal(answer.status, 400, `${name}=${String(value)}`);
            assert.ok(['M_INVALID_PARAM', 'M_MISSING_PARAM'].includes(answer.body.errcode), `${name}=${String(value)}: ${answer.body.errcode}`);
          }
        }
      });
    });
  }
});
