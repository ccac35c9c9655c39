import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

function differential(...options: string[]): { code: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL('../differential/run.ts', import.meta.url)), ...options], { encoding: 'utf8' });
  return { code: status, text: stdout + stderr };
}

test('what a program cannot do is refused with a sentence and its usage, before it begins', () => {
  const { text: usage } = differential('--help');
  assert.match(usage, /^npm run differential -- \[--rooms 10000\]/);
  assert.deepEqual(differential('--rooms', '0'), { code: 2, text: `--rooms has to be a whole number, 1 at least, and is "0"\n${usage}` });
  assert.deepEqual(differential('--from', '1.5'), { code: 2, text: `--from has to be a whole number, 0 at least, and is "1.5"\n${usage}` });
});
