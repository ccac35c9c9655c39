/** The disk fills up under a running server: sends are refused with a clear sentence, reads go on, and all is well again when there is room. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, newRoom, readMessages, register, V3, type Answer } from '../e2e/api-client.ts';
import { freePort, startProgram, type Program } from '../e2e/program.ts';

const DISK_MB = 24;

/** Mounts a small file system on a new folder; undefined where this may not be done. */
function smallDisk(): { path: string; remove: () => void } | undefined {
  const path = mkdtempSync(join(tmpdir(), 'myelin-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', path]);
  if (mounted.status !== 0) {
    rmSync(path, { recursive: true });
    return undefined;
  }
  return {
    path,
    remove: () => {
      spawnSync('umount', ['-l', path]);
      rmSync(path, { recursive: true });
    },
  };
}

/** How many bytes are left at first: with some left, one component may still write when another cannot. */
for (const left of [0, 300_000, 500_000]) {
  test(`a full disk (${left} bytes left at first): sends get 503 with one sentence, reads work, nothing acknowledged is lost, and it mends itself`, { timeout: 120_000 }, async (t) => {
    const disk = smallDisk();
    if (disk === undefined) {
      t.skip('NOT TESTED: mounting a file system needs root');
      return;
    }
    t.after(disk.remove);
    await fillUnder(t, disk.path, left);
  });
}

async function fillUnder(t: TestContext, path: string, left: number): Promise<void> {
  const env = { MYELIN_DATA_DIR: path, MYELIN_SERVER_NAME: 'e2e.test', MYELIN_REGISTRATION: 'open', MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on', MYELIN_RATE_LIMITS: 'off' };
  const program = await startProgram({ port: await freePort(), env });
  t.after(() => program.stop());
  const alice = await register(program.baseUrl);
  const room = await newRoom(alice);
  const send = (number: number): Promise<Answer> => alice.call('PUT', `${V3}/rooms/${room}/send/m.room.message/${number}`, { msgtype: 'm.text', body: `${number}`, padding: 'x'.repeat(2000) });
  const acknowledged = new Map<string, string>();
  const keep = (number: number, answer: Answer): void => void acknowledged.set(`${number}`, answer.body.event_id as string);
  const stored = async (): Promise<Map<string, string>> => new Map((await readMessages(alice, room)).map(({ body, eventId }) => [body, eventId]));

  let number = 0;
  for (; number < 20; number += 1) keep(number, await send(number));
  const early = new Map(acknowledged);
  fill(join(path, 'ballast'), left);
  let refusal: Answer | undefined;
  for (; refusal === undefined; number += 1) {
    assert.ok(number < 1000, 'the disk never filled up');
    const askedAt = Date.now();
    const answer = await send(number);
    if (answer.status === 200) keep(number, answer);
    else refusal = answer;
    // Stored, but the read model had no room for it: now nobody has.
    if (Date.now() - askedAt > 1000) fill(join(path, 'more-ballast'), 0);
  }
  const refused = number - 1;
  assert.deepEqual([refusal.status, refusal.body.errcode], [503, 'M_UNKNOWN'], JSON.stringify(refusal.body));
  assert.match(refusal.body.error, /disk.*full/i);
  for (let more = 0; more < 3; more += 1) assert.equal((await send(refused)).status, 503);
  await checkReads(program, alice.token, room);
  const whileFull = await stored();
  for (const [body, eventId] of early) assert.equal(whileFull.get(body), eventId);
  for (const [body, eventId] of whileFull) assert.equal(acknowledged.get(body), eventId, `${body} was refused, so it is not there`);
  assert.equal((await call(program.baseUrl, 'GET', '/health')).status, 503, 'whoever watches the server is told');

  for (const name of ['ballast', 'more-ballast']) rmSync(join(path, name), { force: true });
  keep(refused, await until200(() => send(refused)));
  for (const path of ['/health', '/ready']) await until200(() => call(program.baseUrl, 'GET', path));
  keep(number, await send(number));
  assert.deepEqual(await stored(), acknowledged, 'the refused send is there once, and so are all others');
  await program.killAndRestart();
  assert.deepEqual(await stored(), acknowledged, 'and so after kill -9');
}

/** Leaves this many bytes. */
function fill(path: string, left: number): void {
  const { bavail, bsize } = statfsSync(dirname(path));
  writeFileSync(path, Buffer.alloc(Math.max(0, bavail * bsize - left)));
}

async function checkReads(program: Program, token: string, room: string): Promise<void> {
  for (const path of ['sync', `rooms/${room}/state`, 'joined_rooms', 'account/whoami']) assert.equal((await call(program.baseUrl, 'GET', `${V3}/${path}`, { token })).status, 200, path);
}

async function until200(ask: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 0; ; tries += 1) {
    const answer = await ask();
    if (answer.status === 200) return answer;
    assert.ok(tries < 100, `still ${answer.status} ${JSON.stringify(answer.body)}`);
    await sleep(100);
  }
}
