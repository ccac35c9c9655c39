#!/usr/bin/env node
/** `npm start`: makes ready what is not there yet, then runs the homeserver. Arguments go to it: `npm start -- --roles roomserver`. */
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { become, endWithParent, joinTwinInterrupts } from './launch.mjs';
import { ensureBuild, ensureNode, ensurePackages, MAIN, REPOSITORY, runCommand } from './prepare.mjs';

await runCommand(async () => {
  const node = ensureNode();
  if (node !== process.execPath) {
    become(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
    return;
  }
  ensurePackages(node);
  ensureBuild(node);
  endWithParent();
  joinTwinInterrupts();
  module.enableCompileCache(join(REPOSITORY, '.cache/compiled'));
  process.setSourceMapsEnabled(true);
  process.argv[1] = MAIN;
  await import(pathToFileURL(MAIN).href);
});
