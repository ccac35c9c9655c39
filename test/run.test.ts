/** The runner itself: what it counts, what it prints, and that a required server that is missing is a failure. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { selectFiles } from './run-files.ts';

const PLANTED = {
  'good.test.ts': "import { test } from 'node:test';\ntest('one', () => {});\ntest('two', async (t) => { await t.test('inner', () => {}); });\ntest('three', { skip: 'no' }, () => {});\n",
  'bad.test.ts': "import { test } from 'node:test';\nconsole.log('said on the way');\ntest('fails', () => { throw new Error('the reason'); });\ntest('outer', async (t) => { await t.test('inner', () => { throw new Error('inner reason'); }); });\n",
  'skipped-suite.test.ts': "import { suite, test } from 'node:test';\nsuite('whole', { skip: 'no server' }, () => { test('one', () => {}); });\n",
  'crash.test.ts': "import './not-there.ts';\n",
  'empty.test.ts': 'export {};\n',
  'hangs.test.ts': "import { test } from 'node:test';\ntest('hangs', () => new Promise(() => { setInterval(() => {}, 1000); }));\n",
};

/** Runs planted files as a child outside of this test, since node:test refuses to run within itself. */
function runPlanted(...names: (keyof typeof PLANTED)[]): { totals: unknown; printed: string } {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-runner-'));
  try {
    for (const name of names) writeFileSync(join(folder, name), PLANTED[name]);
    const program = `
      const { runSuites } = await import(${JSON.stringify(join(import.meta.dirname, 'run-suites.ts'))});
      let printed = '';
      const totals = await runSuites(${JSON.stringify(names.map((name) => join(folder, name)))}, {
        concurrency: 2, timeoutMs: 3000, remember: false, print: (text) => { printed += text + '\\n'; } });
      process.stdout.write(JSON.stringify({ totals, printed }));
      process.exit(0);`;
    const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
    // As a file: node:test hands this process's own options (also -e) on to its children.
    const runner = join(folder, 'runner.mjs');
    writeFileSync(runner, program);
    const { stdout, stderr } = spawnSync(process.execPath, [runner], { env, encoding: 'utf8' });
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout) as { totals: unknown; printed: string };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('passed and skipped tests are counted, one line a file', () => {
  const { totals, printed } = runPlanted('good.test.ts');
  assert.deepEqual(totals, { passed: 3, failed: 0, skipped: 1 });
  assert.match(printed, /^ok .* s {2}.*good\.test\.ts {2}\(3 passed, 1 skipped\)\n$/);
});

test('a suite that is skipped as a whole counts as skipped', () => {
  assert.deepEqual(runPlanted('skipped-suite.test.ts').totals, { passed: 0, failed: 0, skipped: 1 });
});

test('a failure is shown in full, with what the file printed', () => {
  const { totals, printed } = runPlanted('bad.test.ts');
  assert.deepEqual(totals, { passed: 0, failed: 3, skipped: 0 });
  for (const part of ['FAIL', '✖ fails', 'Error: the reason', 'bad.test.ts:3', '✖ inner', 'inner reason', 'said on the way']) assert.ok(printed.includes(part), `${part} is missing in\n${printed}`);
});

test('a file that cannot be loaded, holds no test or does not end is a failure', () => {
  const { totals, printed } = runPlanted('crash.test.ts', 'empty.test.ts', 'hangs.test.ts');
  assert.equal((totals as { passed: number }).passed, 0);
  assert.equal((totals as { failed: number }).failed >= 3, true);
  for (const part of ['not-there.ts', 'holds no test', 'timed out']) assert.ok(printed.includes(part), `${part} is missing in\n${printed}`);
});

test('a server that MYELIN_TEST_REQUIRE names and that is not there is a failure, and said so', () => {
  const { status, stdout } = runMain({ MYELIN_TEST_REQUIRE: 'kafka', MYELIN_KAFKA_LIBS: join(tmpdir(), 'no-such-folder') });
  assert.match(stdout, /NOT TESTED: Kafka: /);
  assert.match(stdout, /MYELIN_TEST_REQUIRE names it: Kafka/);
  assert.match(stdout, /\n\d+ passed, 1 failed\n$/);
  assert.equal(status, 1);
});

test('without that it is said, and is no failure', () => {
  const { status, stdout } = runMain({ MYELIN_TEST_REQUIRE: '', MYELIN_KAFKA_LIBS: join(tmpdir(), 'no-such-folder') });
  assert.match(stdout, /NOT TESTED: Kafka: /);
  assert.match(stdout, /\n\d+ passed, 0 failed\n$/);
  assert.equal(status, 0);
});

test('a misspelt requirement or pattern is refused', () => {
  const { status, stderr } = runMain({ MYELIN_TEST_REQUIRE: 'postgress' });
  assert.notEqual(status, 0);
  assert.match(stderr, /names "postgress"/);
  assert.deepEqual(selectFiles(['pkg/log/a.test.ts', 'test/sim/b.test.ts'], ['./pkg/log/**']), ['pkg/log/a.test.ts']);
  assert.deepEqual(selectFiles(['pkg/log/a.test.ts'], ['nothing']), []);
});

/** The real program on one small file. */
function runMain(env: Record<string, string>): { status: number | null; stdout: string; stderr: string } {
  const { NODE_TEST_CONTEXT: _context, ...inherited } = process.env;
  return spawnSync(process.execPath, [join(import.meta.dirname, 'run.ts'), 'pkg/assert/assert.test.ts'], { env: { ...inherited, ...env }, encoding: 'utf8' });
}
