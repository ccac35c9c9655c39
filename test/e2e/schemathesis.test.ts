/** Schemathesis against the started program: no failure of the server's, no hang, and no status that neither the spec lists for the operation nor every operation may give. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { GOOD_REQUESTS } from '../conformance/client-server/good-requests.ts';
import { specMissing } from '../conformance/client-server/spec.ts';
import { available, schemathesisProgram } from '../kit/servers/schemathesis.ts';
import { logIn, newRoom, register, V3, type Answer, type ApiSession } from './api-client.ts';
import { fuzzDocument, type Known } from './fuzz-document.ts';
import { modes, type RunningMode } from './modes.ts';

const SEED = 6;
const EXAMPLES = 8;
/** Seconds that one request may take. */
const ANSWER_S_MAX = 10;
/** Seconds after which the whole has failed; it takes a minute where nothing else runs. */
const SECONDS_MAX = 240;

/** A wrong value for how long to wait may be a right one that is too long for this test. */
const CONFIG = '[[operations]]\ninclude-operation-id = ["sync", "getEvents", "peekEvents"]\ngeneration.mode = "positive"\n';

/** They end a session, or that its user is in a room: they are asked last, and in another session. */
const ENDING = ['logout', 'logout_all', 'leaveRoom', 'forgetRoom'];

let running: RunningMode;
let alice: ApiSession;
let known: Known;

const skip = available() ?? specMissing ?? false;

before(async () => {
  if (skip !== false) return;
  running = await modes()[0]!.start({ MYELIN_SUPPORT_PAGE: 'https://e2e.test/help' });
  alice = await register(running.baseUrl, 'alice');
  known = await furnish(alice, await register(running.baseUrl, 'bob'));
});
after(() => running?.stop());

test('a server gives a listed answer to whatever it is asked', { skip }, async () => {
  const operationIds = new Set(Object.keys(GOOD_REQUESTS).filter((operationId) => !ENDING.includes(operationId)));
  await fuzz(operationIds, alice.token);
  assert.equal((await alice.call('GET', `${V3}/account/whoami`)).status, 200, 'the session has lived through all of it');
});

test('so do the operations that end sessions and memberships', { skip }, async () => {
  await fuzz(new Set(ENDING), (await logIn(running.baseUrl, alice.userId)).token);
});

/** Rooms with messages, a thread, an alias and a tag; filters, account data, a second user. */
async function furnish(alice: ApiSession, bob: ApiSession): Promise<Known> {
  const rooms = [await newRoom(alice), await newRoom(alice)];
  const ok = async (asked: Promise<Answer>): Promise<Record<string, string>> => {
    const { status, body } = await asked;
    assert.equal(status, 200, JSON.stringify(body));
    return body as Record<string, string>;
  };
  await ok(bob.call('POST', `${V3}/join/${rooms[0]}`, {}));
  await ok(alice.call('PUT', `${V3}/directory/room/%23tea:e2e.test`, { room_id: decodeURIComponent(rooms[0]!) }));
  const events: string[] = [];
  for (const room of rooms) {
    const { event_id: root } = await ok(alice.call('PUT', `${V3}/rooms/${room}/send/m.room.message/root`, { msgtype: 'm.text', body: 'tea?' }));
    const { event_id: reply } = await ok(alice.call('PUT', `${V3}/rooms/${room}/send/m.room.message/reply`, { msgtype: 'm.text', body: 'tea!', 'm.relates_to': { rel_type: 'm.thread', event_id: root } }));
    events.push(root!, reply!);
  }
  const { filter_id: filterId } = await ok(alice.call('POST', `${V3}/user/${alice.userId}/filter`, { room: { timeline: { limit: 3 } } }));
  const roomIds = rooms.map((room) => decodeURIComponent(room));
  const users = [alice.userId, bob.userId];
  return {
    roomId: roomIds, room_id: roomIds, roomIdOrAlias: [...roomIds, '#tea:e2e.test'], roomAlias: ['#tea:e2e.test', '#coffee:e2e.test'], userId: users, user_id: [bob.userId], eventId: events,
    event_id: events, 'm.read': events, 'm.fully_read': events, 'm.read.private': events, filterId: [filterId!], filter: [filterId!, '{"room":{"timeline":{"limit":1}}}'],
    eventType: ['m.room.message', 'm.room.topic', 'm.room.member', 'm.room.redaction'], stateKey: [alice.userId, 'x'], receiptType: ['m.read', 'm.read.private'], relType: ['m.thread', 'm.reference'],
    keyName: ['displayname', 'avatar_url', 'org.example.tea'], kind: ['override', 'underride', 'room', 'sender', 'content'], ruleId: ['.m.rule.master', '.m.rule.suppress_notices', 'mine'],
    type: ['org.example.tea', 'm.direct'], tag: ['m.favourite', 'u.tea'], via: ['e2e.test'], dir: ['b', 'f'],
  };
}

/** Fails with what Schemathesis prints when it finds something. */
async function fuzz(operationIds: ReadonlySet<string>, token: string): Promise<void> {
  const file = join(running.folder, 'openapi.json');
  writeFileSync(file, JSON.stringify(fuzzDocument({ operationIds, known })));
  const config = join(running.folder, 'schemathesis.toml');
  writeFileSync(config, CONFIG);
  const args = [
    '--config-file', config, 'run', file, '--url', running.baseUrl, '--header', `Authorization: Bearer ${token}`, '--seed', String(SEED), '--max-examples', String(EXAMPLES), '--phases', 'coverage,fuzzing', '--workers', '1',
    '--checks', 'not_a_server_error,status_code_conformance', '--request-timeout', String(ANSWER_S_MAX), '--suppress-health-check', 'all',
    '--generation-database', 'none', '--continue-on-failure', '--no-shrink', '--warnings', 'off', '--no-color',
  ];
  const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
    execFile(schemathesisProgram(), args, { cwd: running.folder, maxBuffer: 64 * 1024 * 1024, timeout: SECONDS_MAX * 1000 }, (error, stdout, stderr) => resolve({ code: error === null ? 0 : 1, output: stdout + stderr }));
  });
  assert.equal(code, 0, output.slice(0, 20_000));
}
