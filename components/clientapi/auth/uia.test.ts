import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createUia, UIA_SESSION_MS, type AuthDict, type UiaQuestion } from './uia.ts';

const KEY = signingKeyFromSeed('1', new Uint8Array(32).fill(1));
const TWO_STAGES: Omit<UiaQuestion, 'auth'> = {
  operation: 'register',
  flows: [['first', 'second']],
  stages: { first: () => undefined, second: (auth) => (auth['code'] === '42' ? undefined : 'wrong code') },
};

interface Challenge {
  readonly session: string;
  readonly completed: readonly string[];
  readonly flows: unknown;
  readonly errcode?: string;
}

function ask(uia: ReturnType<typeof createUia>, auth?: AuthDict, question = TWO_STAGES): Challenge | undefined {
  const response = uia.challenge({ ...question, auth });
  if (response !== undefined) assert.equal(response.status, 401);
  return response?.body as Challenge | undefined;
}

test('a request without auth learns the flows and gets a session, and is no failure', () => {
  const challenge = ask(createUia(createManualRuntime(), KEY));
  assert.deepEqual(challenge?.flows, [{ stages: ['first', 'second'] }]);
  assert.deepEqual(challenge?.completed, []);
  assert.equal(challenge?.errcode, undefined);
  assert.ok(challenge?.session.length);
});

test('another instance of the server finishes what the first one began', () => {
  const runtime = createManualRuntime();
  const [one, other] = [createUia(runtime, KEY), createUia(runtime, KEY)];
  const begun = ask(one)!;
  const half = ask(other, { type: 'first', session: begun.session })!;
  assert.deepEqual(half.completed, ['first']);
  assert.equal(half.errcode, undefined);
  assert.equal(ask(one, { type: 'second', session: half.session, code: '42' }), undefined);
});

test('a stage alone does not complete a flow of two, in either order', () => {
  const uia = createUia(createManualRuntime(), KEY);
  assert.deepEqual(ask(uia, { type: 'second', code: '42' })?.completed, ['second']);
  assert.deepEqual(ask(uia, { type: 'first' })?.completed, ['first']);
});

test('a failed stage keeps what was done and says so', () => {
  const uia = createUia(createManualRuntime(), KEY);
  const half = ask(uia, { type: 'first' })!;
  const failed = ask(uia, { type: 'second', session: half.session, code: '41' })!;
  assert.equal(failed.errcode, 'M_FORBIDDEN');
  assert.deepEqual(failed.completed, ['first']);
  assert.equal(ask(uia, { type: 'second', session: failed.session, code: '42' }), undefined);
});

test('stages that are no part of the flows are refused', () => {
  const uia = createUia(createManualRuntime(), KEY);
  for (const type of ['m.login.dummy', 'toString', '__proto__']) assert.equal(ask(uia, { type })?.errcode, 'M_FORBIDDEN');
});

test('a session that is forged, of another server, too old or for something else counts for nothing', async () => {
  const runtime = createManualRuntime();
  const uia = createUia(runtime, KEY);
  const { session } = ask(uia, { type: 'first' })!;
  const [payload = '', signature = ''] = session.split('.');
  const forged = Buffer.from(JSON.stringify({ ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as object), completed: ['first', 'second'] })).toString('base64url');
  const foreign = ask(createUia(runtime, signingKeyFromSeed('1', new Uint8Array(32).fill(2))), { type: 'first' })!.session;
  const finish = (given: string, question = TWO_STAGES) => ask(uia, { type: 'second', session: given, code: '42' }, question);
  for (const bad of [`${forged}.${signature}`, foreign, '', '.', 'x.y', payload]) {
    const answer = finish(bad);
    assert.equal(answer?.errcode, 'M_FORBIDDEN', bad);
    assert.deepEqual(answer?.completed, []);
  }
  assert.equal(finish(session, { ...TWO_STAGES, operation: 'delete-device' })?.errcode, 'M_FORBIDDEN');
  await runtime.advance(UIA_SESSION_MS - 1);
  assert.equal(finish(session), undefined);
  await runtime.advance(1);
  assert.equal(finish(session)?.errcode, 'M_FORBIDDEN');
});
