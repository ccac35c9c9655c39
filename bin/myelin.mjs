#!/usr/bin/env node
/** The command `myelin` of an installed package, which carries its build. `myelin --roles roomserver,userapi` */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { haveOneArena, startSmall } from './launch.mjs';
import { isGoodNode, MAIN, say } from './prepare.mjs';
import { showSourceLines } from './stack-lines.mjs';

if (!isGoodNode()) {
  say(`this is Node ${process.versions.node}; Myelin needs 22.18 or newer (24 is best)`);
  process.exit(1);
}
if (!existsSync(MAIN)) {
  say('there is no build: run `npm run build` first, or `npm start`, which does it by itself');
  process.exit(1);
}
haveOneArena();
showSourceLines();
startSmall();
process.argv[1] = MAIN;
await import(pathToFileURL(MAIN).href);
