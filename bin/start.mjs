#!/usr/bin/env node
/** `npm start`: makes ready what is not there yet, then runs the homeserver. Arguments go to it: `npm start -- --roles roomserver`. */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { become, endWithParent, haveOneArena, joinTwinInterrupts, startSmall } from './launch.mjs';
import { ensureBuild, ensureNode, ensurePackages, MAIN, runCommand } from './prepare.mjs';
import { showSourceLines } from './stack-lines.mjs';

await runCommand(async () => {
  const node = ensureNode();
  if (node !== process.execPath) {
    become(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
    return;
  }
  haveOneArena();
  ensurePackages(node);
  ensureBuild(node);
  endWithParent();
  joinTwinInterrupts();
  showSourceLines();
  startSmall();
  process.argv[1] = MAIN;
  await import(pathToFileURL(MAIN).href);
});
