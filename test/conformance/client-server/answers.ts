/** Answers, checked for what must hold of every answer of an operation. */
import assert from 'node:assert/strict';
import { loadOperations, schemaProblem, specMissing, type Json, type Operation } from './spec.ts';
import type { Answer, Call, World } from './world.ts';

const ERROR: Json = { type: 'object', required: ['errcode', 'error'], properties: { errcode: { type: 'string', pattern: '^M_' }, error: { type: 'string', minLength: 1 } } };

/** Answers that cannot be as the schema says, and why. */
const BEYOND_THE_SCHEMA: Readonly<Record<string, string>> = {
  getTurnServer: 'the spec has no answer for a server without TURN; an empty object is what others give, and an empty list of `uris` would break calls in browsers',
};

/** What a good request of these gets, and why: nothing that they could give is there. */
export const GOOD_STATUS: Readonly<Record<string, number>> = {
  getProtocolMetadata: 404, queryLocationByProtocol: 404, queryUserByProtocol: 404, queryLocationByAlias: 404, queryUserByID: 404,
};

/** Empty where the spec is not at hand. */
export const OPERATIONS: ReadonlyMap<string, Operation> = specMissing === undefined ? loadOperations() : new Map();

export function operationOf(operationId: string): Operation {
  const operation = OPERATIONS.get(operationId);
  assert.ok(operation, `${operationId} is no operation of the spec`);
  return operation;
}

/** The answer to `call`: with CORS headers, a standard error unless it is 200 or asks for authentication, and of the schema that the spec, where it is at hand, declares for its status. */
export async function answerTo(world: World, operationId: string, call: Call): Promise<Answer> {
  const answer = await world.call(call);
  const shown = `${call.method} ${call.path}: ${answer.status} ${JSON.stringify(answer.body)}`;
  assert.equal(answer.headers['access-control-allow-origin'], '*', shown);
  assert.equal(answer.headers['content-type'], 'application/json', shown);
  assert.ok(answer.status < 500, shown);
  const isBeyond = answer.status === 200 && operationId in BEYOND_THE_SCHEMA;
  // Where a 401 is described that asks for authentication, one that asks for a token is a standard error all the same.
  const asksForToken = answer.status === 401 && !('flows' in answer.body);
  const declared = isBeyond || asksForToken || specMissing !== undefined ? undefined : operationOf(operationId).responses.get(answer.status);
  if (declared !== undefined) assert.equal(schemaProblem(declared, answer.body), '', shown);
  const isChallenge = answer.status === 401 && 'flows' in answer.body;
  if (answer.status !== 200 && !isChallenge) assert.equal(schemaProblem(ERROR, answer.body), '', shown);
  return answer;
}
