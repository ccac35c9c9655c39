import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from '../context.ts';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import { createManualRuntime, type ManualRuntime } from '../../../test/kit/manual-runtime.ts';
import type { AuthDict, Stage } from './stage.ts';
import { interact, type Question } from './uia.ts';
import { createUiaSessions, UIA_SESSION_MS } from './uia-session.ts';

const KEY = signingKeyFromSeed('1', new Uint8Array(32).fill(1));
const form = () => ({ title: '', text: '', fields: [], button: '' });
const FIRST: Stage = { check: () => undefined, form, params: { hint: 'go on' } };
const SECOND: Stage = { check: ({ auth }) => (auth['code'] === '42' ? undefined : 'wrong code'), form };
const TWO_STAGES: Question = { flows: [['first', 'second']], stages: { first: FIRST, second: SECOND } };

interface Challenge {
  readonly session: string;
  readonly completed: readonly string[];
  readonly flows: unknown;
  readonly params: Record<string, unknown>;
  readonly errcode?: string;
}

/** What instances share is the table of sessions. */
function server(runtime: ManualRuntime = createManualRuntime(), key = KEY) {
  const kept = new Map<string, { stages: string[]; isUsedUp: boolean }>();
  const context = {
    runtime,
    uiaSessions: createUiaSessions(runtime, key),
    userQuery: { uiaSession: async (name: string) => kept.get(name) },
    limits: { take() {} },
    appliedPositions: { waitFor: async () => true },
    commands: {
      async submitUserInput({ userId, uiaStep }: { userId: string; uiaStep: { stage: string } }) {
        const { stages } = kept.get(userId) ?? { stages: [] };
        kept.set(userId, { stages: uiaStep.stage === '' ? stages : [...stages, uiaStep.stage], isUsedUp: uiaStep.stage === '' });
        return { errcode: '', partition: 0, sequence: 0, result: new Uint8Array(0) };
      },
    },
  } as unknown as Context;
  return { runtime, kept, context, other: () => ({ ...context, uiaSessions: createUiaSessions(runtime, key) }) };
}

interface Asked {
  readonly auth?: AuthDict;
  readonly body?: object;
  readonly path?: string;
  readonly userId?: string;
  readonly question?: Question;
}

/** undefined: the request may be carried out. */
async function ask(context: Context, { auth, body = { name: 'x' }, path = '/_matrix/client/v3/thing', userId = '', question = TWO_STAGES }: Asked = {}): Promise<Challenge | undefined> {
  const request = { method: 'POST', path, body: { ...body, ...(auth && { auth }) }, traceId: '', logger: { warn() {} } } as unknown as ApiRequest;
  const response = await interact(context, request, userId).challenge(question);
  if (response !== undefined) assert.equal(response.status, 401);
  return response?.body as Challenge | undefined;
}

test('a request without auth learns the flows and gets a session, and is no failure', async () => {
  const challenge = await ask(server().context);
  assert.deepEqual(challenge?.flows, [{ stages: ['first', 'second'] }]);
  assert.deepEqual(challenge?.params, { first: { hint: 'go on' } });
  assert.deepEqual([challenge?.completed, challenge?.errcode], [[], undefined]);
  assert.ok(challenge?.session.length);
});

test('another instance finishes what the first one began, under the ID of the first answer', async () => {
  const { context, other } = server();
  const { session } = (await ask(context))!;
  const half = (await ask(other(), { auth: { type: 'first', session } }))!;
  assert.deepEqual([half.completed, half.errcode, half.session], [['first'], undefined, session]);
  assert.equal(await ask(context, { auth: { type: 'second', session, code: '42' } }), undefined);
});

test('stages are completed in their order, and once', async () => {
  const { context } = server();
  const { session } = (await ask(context))!;
  assert.deepEqual([(await ask(context, { auth: { type: 'second', session, code: '42' } }))?.completed, (await ask(context, { auth: { type: 'second', code: '42' } }))?.errcode], [[], 'M_FORBIDDEN']);
  const failing: Question = { ...TWO_STAGES, stages: { ...TWO_STAGES.stages, first: { ...FIRST, check: () => 'no' } } };
  await ask(context, { auth: { type: 'first', session } });
  const again = await ask(context, { auth: { type: 'first', session }, question: failing });
  assert.deepEqual([again?.completed, again?.errcode], [['first'], undefined]);
});

test('a failed stage keeps what was done and says so', async () => {
  const { context } = server();
  const half = (await ask(context, { auth: { type: 'first' } }))!;
  const failed = (await ask(context, { auth: { type: 'second', session: half.session, code: '41' } }))!;
  assert.deepEqual([failed.errcode, failed.completed], ['M_FORBIDDEN', ['first']]);
  assert.equal(await ask(context, { auth: { type: 'second', session: failed.session, code: '42' } }), undefined);
});

test('what a session was for is done once', async () => {
  const { context } = server();
  const { session } = (await ask(context, { auth: { type: 'first' } }))!;
  const finish = { auth: { type: 'second', session, code: '42' } };
  assert.equal(await ask(context, finish), undefined);
  const repeated = await ask(context, finish);
  assert.deepEqual([repeated?.errcode, repeated?.completed], ['M_FORBIDDEN', []]);
  assert.notEqual(repeated?.session, session);
});

test('a client may ask how far the session is, and go on when its stage was completed elsewhere', async () => {
  const { context, kept } = server();
  const { session } = (await ask(context, { auth: { type: 'first' } }))!;
  assert.deepEqual((await ask(context, { auth: { session } }))?.completed, ['first']);
  for (const entry of kept.values()) entry.stages.push('second');
  assert.equal(await ask(context, { auth: { session } }), undefined);
});

test('stages that are no part of the flows are refused', async () => {
  const { context } = server();
  for (const type of ['m.login.dummy', 'toString', '__proto__']) assert.equal((await ask(context, { auth: { type } }))?.errcode, 'M_FORBIDDEN');
});

test('parameters of the first request hold where the next one has none', async () => {
  const { context } = server();
  const parametersOf = (body: object) => interact(context, { method: 'POST', path: '/_matrix/client/v3/thing', body } as unknown as ApiRequest, '').parameters;
  const { session } = (await ask(context, { body: { new_password: 'sesame and more', devices: ['A'] } }))!;
  assert.ok(!Buffer.from(session, 'base64url').includes('sesame'));
  assert.deepEqual(parametersOf({ auth: { session } }), { new_password: 'sesame and more', devices: ['A'] });
  assert.deepEqual(parametersOf({ auth: { session }, devices: ['B'] }), { devices: ['B'] });
  assert.deepEqual(parametersOf({ auth: { session: 'x' } }), {});
  const { session: long } = (await ask(context, { body: { devices: 'x'.repeat(2000) } }))!;
  assert.deepEqual(parametersOf({ auth: { session: long } }), {});
  assert.ok(long.length < 500);
});

test('a session is of one request and one user', async () => {
  const { context } = server();
  const { session } = (await ask(context, { userId: '@alice:x', auth: { type: 'first' } }))!;
  const auth = { type: 'second', session, code: '42' };
  for (const elsewhere of [{ path: '/_matrix/client/v3/other' }, { userId: '@bob:x' }, { userId: '' }]) {
    await assert.rejects(ask(context, { userId: '@alice:x', auth, ...elsewhere }), { status: 403, errcode: 'M_FORBIDDEN' });
  }
  assert.equal(await ask(context, { userId: '@alice:x', auth, path: '/_matrix/client/r0/th%69ng' }), undefined);
});

test('a session that is forged, of another server or too old counts for nothing', async () => {
  const { context, runtime } = server();
  const { session } = (await ask(context, { auth: { type: 'first' } }))!;
  const bytes = Buffer.from(session, 'base64url');
  const flipped = Buffer.from(bytes);
  flipped[20]! ^= 1;
  const foreign = (await ask(server(runtime, signingKeyFromSeed('1', new Uint8Array(32).fill(2))).context, { auth: { type: 'first' } }))!.session;
  const finish = (given: string) => ask(context, { auth: { type: 'second', session: given, code: '42' } });
  for (const bad of [flipped.toString('base64url'), foreign, '', '.', 'x.y', 'A'.repeat(50), bytes.subarray(0, -1).toString('base64url')]) {
    const answer = await finish(bad);
    assert.deepEqual([answer?.errcode, answer?.completed], ['M_FORBIDDEN', []], bad);
  }
  await runtime.advance(UIA_SESSION_MS - 1);
  assert.deepEqual((await ask(context, { auth: { session } }))?.completed, ['first']);
  await runtime.advance(1);
  assert.equal((await finish(session))?.errcode, 'M_FORBIDDEN');
});

test('auth of a wrong form is no auth', async () => {
  const { context } = server();
  for (const auth of ['x', { type: 7 }, { session: {} }]) await assert.rejects(ask(context, { auth: auth as AuthDict }), { status: 400, errcode: 'M_BAD_JSON' });
});
