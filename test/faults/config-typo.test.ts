/** A typo in a setting, wherever it stands: the program says in one sentence what and where, and ends with 2 before it touches anything. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));

interface Given {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Content of the config file. */
  readonly file?: string;
}

const CASES: readonly (readonly [name: string, given: Given, sentence: RegExp])[] = [
  ['name in the environment', { env: { MYELIN_LISTN: '127.0.0.1:0' } }, /MYELIN_LISTN.*MYELIN_LISTEN/],
  ['name of an argument', { args: ['--server-nam', 'x.test'] }, /--server-nam.*--server-name/],
  ['name in the file', { file: 'server_name: x.test\nregistratoin: open\n' }, /registratoin .*myelin\.yaml line 2.*registration\?/],
  ['value in the environment', { env: { MYELIN_REGISTRATION: 'opne' } }, /MYELIN_REGISTRATION.*opne/],
  ['value of an argument', { args: ['--listen', 'localhost:eighty'] }, /--listen.*localhost:eighty/],
  ['value in the file', { file: 'server_name: x.test\npartitions: many\n' }, /myelin\.yaml line 2.*many/],
  ['argument without its value', { args: ['--roles'] }, /--roles needs a value/],
  ['role that does not exist', { args: ['--roles', 'roomserver,synapi'] }, /--roles.*synapi/],
  ['settings that do not go together', { args: ['--roles', 'roomserver'], env: { MYELIN_LOG: 'nats://127.0.0.1:4222' } }, /database.*sqlite.*--roles/],
  ['file that is no YAML', { file: 'server_name: [x\n' }, /myelin\.yaml line \d/],
  ['file that is not there', { args: ['--config', 'absent.yaml'] }, /absent\.yaml/],
];

for (const [name, given, sentence] of CASES) {
  test(`typo: ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'myelin-typo-'));
    try {
      if (given.file !== undefined) writeFileSync(join(folder, 'myelin.yaml'), given.file);
      const before = readdirSync(folder);
      const inherited = Object.fromEntries(Object.entries(process.env).filter(([variable]) => !variable.startsWith('MYELIN_')));
      const env = { ...inherited, MYELIN_DATA_DIR: folder, MYELIN_SERVER_NAME: 'x.test', ...given.env };
      const { status, stdout, stderr } = spawnSync(process.execPath, [START, ...(given.args ?? [])], { env, encoding: 'utf8', timeout: 60_000 });
      const said = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('myelin: Building'));
      assert.equal(status, 2, stderr);
      assert.equal(said.length, 1, `one sentence, not: ${stderr}`);
      assert.match(said[0]!, sentence);
      assert.match(said[0]!, /^myelin: /);
      assert.equal(stdout, '');
      assert.deepEqual(readdirSync(folder), before, 'nothing was made');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
