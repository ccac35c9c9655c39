#!/usr/bin/env node
/** The npm scripts other than `start`: `node bin/run.mjs test -- pattern`. Prepares, then runs the command on a Node that is new enough. */
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { become } from './launch.mjs';
import { ensureBuild, ensureNode, ensurePackages, fail, REPOSITORY, runCommand } from './prepare.mjs';

/** Script of each command. `built`: it runs the build too. A part of the tests (with arguments) builds only if it starts bin/start.mjs, which sees to it. */
const COMMANDS = {
  test: { script: 'test/run.ts', built: true },
  check: { script: 'test/run-check.ts' },
  sim: { script: 'test/sim/run.ts' },
  differential: { script: 'test/differential/run.ts' },
  partitions: { script: 'test/partitions/run.ts', built: true },
  bench: { script: 'bench/run.ts', built: true },
  docs: { script: 'bin/docs.mjs' },
};

await runCommand(async () => {
  const [name, ...rest] = process.argv.slice(2);
  const args = rest[0] === '--' ? rest.slice(1) : rest;
  const command = COMMANDS[name];
  if (!command && name !== 'build') fail(`unknown command ${JSON.stringify(name ?? '')}; there are build, ${Object.keys(COMMANDS).join(', ')}`);
  const node = ensureNode();
  ensurePackages(node);
  if (name === 'build') {
    ensureBuild(node, { force: true });
    return;
  }
  const script = join(REPOSITORY, command.script);
  if (!existsSync(script)) fail(`${command.script} does not exist`);
  if (command.built && (name !== 'test' || args.length === 0)) ensureBuild(node);
  become(node, [script, ...args], { PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}` });
});
