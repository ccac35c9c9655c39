/**
 * A one-time key is given out at most once: 64 claims at a time, of users here and of another server, while an instance is killed (-9). Every answer is recorded; one that is lost burns its key.
 * MYELIN_KEYS=full: in every mode, with more kills. The servers are those of MYELIN_TEST_POSTGRES_URL, MYELIN_TEST_NATS_URL and MYELIN_TEST_KAFKA_BROKERS, which `npm test` starts.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, register, V3, type ApiSession } from '../e2e/api-client.ts';
import { instanceModes, modes, type Mode, type RunningMode } from '../e2e/modes.ts';
import { createAuthority } from '../kit/certificates.ts';
import { testDevice } from '../kit/e2ee-keys.ts';
import { startHandServer, type RealHandServer } from '../kit/hand-server.ts';

const IS_FULL = process.env['MYELIN_KEYS'] === 'full';
const SERVER = 'e2e.test';
const KEYS = 1000;
const LANES = 64;
/** Of them: by the other server. */
const LANES_ELSEWHERE = 16;
/** Uploads, each with a part of the keys: claims have to go by their order. */
const UPLOADS = 20;
const KILLS = IS_FULL ? 5 : 1;

interface Given {
  readonly keyId: string;
  readonly askedAt: number;
  readonly answeredAt: number;
}

interface Claims {
  readonly given: Given[];
  /** Requests without an answer, or with one that says that it failed. */
  lost: number;
}

function wantedModes(): Mode[] {
  const [embedded, onPostgres] = modes() as [Mode, Mode];
  const two = instanceModes().filter(({ log, of }) => IS_FULL || (log === 'NATS' && of === 'all roles a process')).map((pair) => pair.two);
  return [embedded, ...(IS_FULL ? [onPostgres] : []), ...two];
}

for (const mode of wantedModes()) {
  test(`${mode.name}: ${LANES} claims at a time of ${KEYS} keys, and kill -9: no key is given out twice, and the oldest go first`, { skip: mode.missing ?? false, timeout: IS_FULL ? 900_000 : 240_000 }, (t) => check(t, mode));
}

async function check(t: TestContext, mode: Mode): Promise<void> {
  const authority = createAuthority();
  const folder = mkdtempSync(join(tmpdir(), 'myelin-keys-'));
  t.after(() => { rmSync(folder, { recursive: true, force: true }); });
  writeFileSync(join(folder, 'authority.pem'), authority.cert);
  const hand = await startHandServer(authority);
  t.after(() => hand.close());
  const running = await mode.start({ MYELIN_FEDERATION_CA_FILES: join(folder, 'authority.pem'), MYELIN_FEDERATION_IP_ALLOWED: '127.0.0.1,::1' });
  t.after(() => running.stop());
  const [alice, bob] = [await register(running.baseUrl), await register(running.baseUrl)];
  const uploadOf = await upload(alice);
  const claims: Claims = { given: [], lost: 0 };
  const deviceId = await deviceOf(alice);
  const lanes = Array.from({ length: LANES }, (_, lane) => claimAll(claims, lane < LANES_ELSEWHERE ? claimElsewhere(running, hand, [alice.userId, deviceId]) : claimHere(running, bob, [alice.userId, deviceId])));
  await Promise.all([killInBetween(running, claims), ...lanes]);
  const ids = claims.given.map(({ keyId }) => keyId);
  t.diagnostic(`${ids.length} keys were given out, ${KEYS - ids.length} burnt, ${claims.lost} requests failed`);
  assert.equal(new Set(ids).size, ids.length, 'no key is given out twice');
  assert.ok(claims.lost > 0, 'no claim was under way when an instance was killed');
  assert.ok(ids.length > KEYS / 2 && KEYS - ids.length <= claims.lost, 'only a lost answer burns a key');
  checkOrder(claims.given, uploadOf);
  const left = await alice.call('POST', `${V3}/keys/upload`, {});
  assert.deepEqual(left.body, { one_time_key_counts: {} });
}

/** The result: which upload a key was in. What was uploaded later has the smaller ID. */
async function upload(of: ApiSession): Promise<ReadonlyMap<string, number>> {
  const uploadOf = new Map<string, number>();
  const size = KEYS / UPLOADS;
  const device = testDevice(of.userId, await deviceOf(of));
  for (let number = 0; number < UPLOADS; number += 1) {
    const keys = device.oneTimeKeys(KEYS - (number + 1) * size, size);
    const { status, body } = await of.call('POST', `${V3}/keys/upload`, { ...(number === 0 && { device_keys: device.deviceKeys }), one_time_keys: keys });
    assert.deepEqual([status, body], [200, { one_time_key_counts: { signed_curve25519: (number + 1) * size } }]);
    for (const keyId of Object.keys(keys)) uploadOf.set(keyId, number);
  }
  return uploadOf;
}

async function deviceOf(session: ApiSession): Promise<string> {
  return (await session.call('GET', `${V3}/account/whoami`)).body.device_id as string;
}

/** Rejects, or says undefined, when nothing is known of what became of the claim. */
type Claim = () => Promise<Record<string, unknown> | undefined>;
type Target = readonly [userId: string, deviceId: string];

function claimHere(running: RunningMode, bob: ApiSession, [userId, deviceId]: Target): Claim {
  return async () => {
    const { baseUrl } = running.programs.length > 2 ? running : running.programs[randomInt(running.programs.length)]!;
    const { status, body } = await call(baseUrl, 'POST', `${V3}/keys/claim`, { token: bob.token, body: { timeout: 2000, one_time_keys: { [userId]: { [deviceId]: 'signed_curve25519' } } } });
    return status === 200 && Object.keys(body.failures as object).length === 0 ? keysIn(body, [userId, deviceId]) : undefined;
  };
}

function claimElsewhere(running: RunningMode, hand: RealHandServer, [userId, deviceId]: Target): Claim {
  return async () => {
    const { status, body } = await hand.ask({ baseUrl: running.baseUrl, serverName: SERVER }, 'POST', '/_matrix/federation/v1/user/keys/claim', { one_time_keys: { [userId]: { [deviceId]: 'signed_curve25519' } } });
    return status === 200 ? keysIn(body, [userId, deviceId]) : undefined;
  };
}

function keysIn(body: Record<string, unknown>, [userId, deviceId]: Target): Record<string, unknown> {
  return (body as { one_time_keys: Record<string, Record<string, Record<string, unknown>>> }).one_time_keys[userId]?.[deviceId] ?? {};
}

/** Until there are none. */
async function claimAll(claims: Claims, claim: Claim): Promise<void> {
  for (;;) {
    const askedAt = performance.now();
    const keys = await claim().catch(() => undefined);
    if (keys === undefined) {
      claims.lost += 1;
      assert.ok(claims.lost < 50_000, 'nobody answers');
      await sleep(100);
      continue;
    }
    const [keyId, ...more] = Object.keys(keys);
    assert.equal(more.length, 0, 'one key at a time');
    if (keyId === undefined) return;
    claims.given.push({ keyId, askedAt, answeredAt: performance.now() });
  }
}

/** After each part of the keys one instance, in turn. */
async function killInBetween(running: RunningMode, { given }: Claims): Promise<void> {
  for (let kills = 0; kills < KILLS; kills += 1) {
    while (given.length < (KEYS * (kills + 1)) / (KILLS + 4)) await sleep(2);
    await running.programs[(kills + running.programs.length - 1) % running.programs.length]!.killAndRestart();
  }
}

/** Who asked after another had an answer gets a key of no earlier upload. */
function checkOrder(given: readonly Given[], uploadOf: ReadonlyMap<string, number>): void {
  const byAnswer = given.toSorted((a, b) => a.answeredAt - b.answeredAt);
  let newest = -1;
  let seen = 0;
  for (const { keyId, askedAt } of given.toSorted((a, b) => a.askedAt - b.askedAt)) {
    for (; seen < byAnswer.length && byAnswer[seen]!.answeredAt < askedAt; seen += 1) newest = Math.max(newest, uploadOf.get(byAnswer[seen]!.keyId)!);
    assert.ok(uploadOf.get(keyId)! >= newest, `${keyId} is of upload ${uploadOf.get(keyId)}, after one of upload ${newest} was given out`);
  }
}
