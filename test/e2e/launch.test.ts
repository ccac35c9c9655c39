/** bin/: a launched program gets the signals, gives its exit code back, and never outlives who launched it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { withLock } from '../../bin/lock.mjs';
import { isGoodNode } from '../../bin/prepare.mjs';
import { REPOSITORY } from '../run-files.ts';

const LAUNCH = pathToFileURL(join(REPOSITORY, 'bin/launch.mjs')).href;

/** A launcher that becomes a Node that runs `program`, which has `endWithParent` and prints its PID first. */
function launch(program: string): ChildProcess {
  const inner = `import { endWithParent } from ${JSON.stringify(LAUNCH)}; endWithParent(); setInterval(() => {}, 1000); ${program}; console.log(process.pid);`;
  const outer = `import { become } from ${JSON.stringify(LAUNCH)}; become(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(inner)}]);`;
  return spawn(process.execPath, ['--input-type=module', '-e', outer], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function firstLine(child: ChildProcess): Promise<string> {
  assert.ok(child.stdout);
  const [data] = (await once(child.stdout, 'data')) as [Buffer];
  return data.toString().trim();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('SIGTERM reaches the program, and its exit code comes back', async () => {
  const launcher = launch("process.on('SIGTERM', () => process.exit(7))");
  await firstLine(launcher);
  launcher.kill('SIGTERM');
  assert.deepEqual(await once(launcher, 'exit'), [7, null]);
});

test('a program that a signal ended is told apart by its exit code', async () => {
  const launcher = launch('');
  process.kill(Number(await firstLine(launcher)), 'SIGKILL');
  assert.deepEqual(await once(launcher, 'exit'), [137, null]);
});

test('kill -9 of the launcher leaves no orphan', async () => {
  const launcher = launch('');
  const pid = Number(await firstLine(launcher));
  launcher.kill('SIGKILL');
  for (const endsAt = Date.now() + 5_000; isAlive(pid); await sleep(20)) assert.ok(Date.now() < endsAt, 'the program outlived its launcher');
});

test('the two interrupts of one Ctrl-C under npm are one; a later one is another', async () => {
  const program = `import { joinTwinInterrupts } from ${JSON.stringify(LAUNCH)}; joinTwinInterrupts();
    let seen = 0; process.on('SIGINT', () => { seen += 1; console.log('seen ' + seen); if (seen === 2) process.exit(0); }); setInterval(() => {}, 1000); console.log('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, npm_lifecycle_event: 'start' } });
  assert.equal(await firstLine(child), 'ready');
  let output = '';
  child.stdout.on('data', (data: Buffer) => { output += data.toString(); });
  for (const gapMs of [20, 400, 0]) {
    child.kill('SIGINT');
    await sleep(gapMs);
  }
  await once(child, 'exit');
  assert.equal(output, 'seen 1\nseen 2\n');
});

test('a program begins anew with one arena of malloc, as the same process with the same arguments, and only once', { skip: process.platform !== 'linux' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-arena-'));
  const script = join(folder, 'program.mjs');
  writeFileSync(script, `import { haveOneArena } from ${JSON.stringify(LAUNCH)}; console.error('begun'); haveOneArena();
    console.log(JSON.stringify([process.pid, process.argv.slice(2), process.execArgv, process.env.MALLOC_ARENA_MAX]));`);
  const run = async (environment: Record<string, string>): Promise<{ pid: number | undefined; told: unknown; begun: number }> => {
    const { MALLOC_ARENA_MAX: _, ...inherited } = process.env;
    const child = spawn(process.execPath, ['--no-warnings', script, 'a b', '--c'], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...inherited, ...environment } });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (data: Buffer) => { output += data.toString(); });
    child.stderr.on('data', (data: Buffer) => { errors += data.toString(); });
    await once(child, 'close');
    return { pid: child.pid, told: JSON.parse(output), begun: errors.split('begun').length - 1 };
  };
  try {
    const anew = await run({});
    assert.deepEqual(anew, { pid: anew.pid, told: [anew.pid, ['a b', '--c'], ['--no-warnings'], '1'], begun: 2 });
    const asSet = await run({ MALLOC_ARENA_MAX: '3' });
    assert.deepEqual(asSet, { pid: asSet.pid, told: [asSet.pid, ['a b', '--c'], ['--no-warnings'], '3'], begun: 1 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('only a Node that strips types counts as new enough', () => {
  const versions = ['18.20.0', '20.20.2', '22.17.1', '22.18.0', '23.5.0', '23.6.0', '24.0.0', '26.1.0'];
  assert.deepEqual(versions.filter((version) => isGoodNode(version)), ['22.18.0', '23.6.0', '24.0.0', '26.1.0']);
});

test('a lock whose owner died is taken over, and is gone afterwards', () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-lock-'));
  try {
    const path = join(folder, 'the.lock');
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    mkdirSync(path);
    writeFileSync(join(path, 'pid'), String(dead));
    assert.equal(withLock(path, () => existsSync(path)), true);
    assert.equal(existsSync(path), false);
    assert.throws(() => withLock(path, () => { throw new Error('in the body'); }), /in the body/);
    assert.equal(existsSync(path), false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
