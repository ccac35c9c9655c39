/** The bundle that is run: each of its files knows the sources that it was made of, by which stack traces name them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ensureBuild, MAIN, REPOSITORY } from '../../bin/prepare.mjs';

/** Where each line of a file of the bundle comes from. */
function placesOf(path: string): { source: string; line: number }[] {
  const { sources, lines } = JSON.parse(readFileSync(`${path}.lines`, 'utf8')) as { sources: string[]; lines: number[] };
  return Array.from({ length: lines.length / 2 }, (_, at) => ({ source: sources[lines[2 * at] ?? -1] ?? '', line: lines[2 * at + 1] ?? 0 }));
}

test('errors that the bundle makes are found in the sources', () => {
  ensureBuild(process.execPath);
  const bundle = resolve(MAIN, '..');
  let found = 0;
  for (const name of readdirSync(bundle).filter((file) => file.endsWith('.js'))) {
    const places = placesOf(join(bundle, name));
    for (const [index, text] of readFileSync(join(bundle, name), 'utf8').split('\n').entries()) {
      const { source, line } = places[index] ?? { source: '', line: 0 };
      const said = /new [A-Z]\w+Error\((?:\d+, )?['"]([^'"$\\]+)['"]/.exec(text)?.[1];
      if (said === undefined || !/^\.\.\/\.\.\/(components|pkg)\//.test(source)) continue;
      const near = readFileSync(resolve(bundle, source), 'utf8').split('\n').slice(line - 1, line + 3).join('\n');
      assert.ok(near.includes(said), `${name}:${index + 1} is not at ${source}:${line}`);
      found += 1;
    }
  }
  assert.ok(found > 100, `${found} errors with a text in one line`);
});

test('a stack trace names the line of the source, and the file itself where it knows none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-lines-'));
  try {
    const body = 'const throwing = () => {\n  throw new Error("oh");\n};\n';
    writeFileSync(join(folder, 'known.mjs'), `${body}throwing();\n`);
    writeFileSync(join(folder, 'known.mjs.lines'), JSON.stringify({ sources: ['src/made-of.ts'], lines: [-1, 0, 0, 41, -1, 0, 0, 77] }));
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', `
      import { showSourceLines } from ${JSON.stringify(pathToFileURL(join(REPOSITORY, 'bin/stack-lines.mjs')).href)};
      showSourceLines();
      const known = ${JSON.stringify(pathToFileURL(join(folder, 'known.mjs')).href)};
      await import(known).catch((error) => console.error(error.stack));
      const unknown = () => { throw new Error('no lines'); };
      try { unknown(); } catch (error) { console.error(error.stack); }
    `], { encoding: 'utf8' });
    assert.match(stderr, /^Error: oh\n {4}at throwing \(.*src\/made-of\.ts:41\)\n {4}at .*src\/made-of\.ts:77\n/);
    assert.match(stderr, /Error: no lines\n {4}at unknown \(.*\[eval1\]:6:/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
