/** What a reader would complain about, as tests: sizes, names, orphans, dead links, promises without an address. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { findFiles, REPOSITORY } from '../run-files.ts';

const FILE_LINES_MAX = 500;
const FRONT_DOOR_LINES_MAX = 100;
const SOURCES = findFiles('.ts').filter((path) => !path.endsWith('.d.mts'));
const PRODUCT = SOURCES.filter((path) => /^(components|pkg|schemas)\//.test(path) && !path.endsWith('.test.ts'));
const SCRIPTS = [...findFiles('.mjs', ['bin', 'test', 'docs']), 'eslint.config.mjs'];
const PROTOS = findFiles('.proto', ['schemas']);
const PAGES = [...findFiles('.md', ['docs']), ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'].filter((path) => existsSync(join(REPOSITORY, path)))];
const CODE = [...SOURCES, ...SCRIPTS, ...PROTOS];

/** Where the program and its commands begin: everything else must be reachable from one of them. */
const PRODUCT_ENTRIES = ['components/homeserver/main.ts', 'components/homeserver/config/reference.ts', 'pkg/runtime/real/check-worker.ts', 'pkg/storage/sqlite/checkpoint-worker.ts'];
const COMMAND_ENTRIES = /^(test\/(run[^/]*|(sim|differential|partitions)\/run)\.ts|bench\/run\.ts|bench\/micro\/[^/]+\.ts|test\/e2e\/program\.ts)$/;

/** Whole and tested, but not reached yet: each with what will reach it. */
const BUILT_AHEAD: Record<string, string> = {
  'pkg/runtime/durable-timers.ts': 'delayed events, retries, retention',
  'pkg/runtime/fire-timers.ts': 'delayed events, retries, retention',
};

const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');
const linesOf = (path: string): number => read(path).split('\n').length - 1;

test(`no file has more than ${FILE_LINES_MAX} lines`, () => {
  assert.deepEqual(CODE.filter((path) => linesOf(path) > FILE_LINES_MAX), []);
});

test(`an island's front door has at most ${FRONT_DOOR_LINES_MAX} lines`, () => {
  assert.deepEqual(SOURCES.filter((path) => basename(path) === 'index.ts' && linesOf(path) > FRONT_DOOR_LINES_MAX), []);
});

test('index.ts is the front door of a component and nothing else', () => {
  assert.deepEqual(SOURCES.filter((path) => basename(path) === 'index.ts' && !/^components\/[^/]+\/index\.ts$/.test(path)), []);
});

test('files are named in kebab-case, after what they do', () => {
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(property|test|config|d))*\.(ts|mjs|mts|proto)$/;
  const vague = /^(utils?|helpers?|common|misc|manager|service)s?\./;
  assert.deepEqual(CODE.filter((path) => !kebab.test(basename(path)) || vague.test(basename(path))), []);
});

test('what is to be done later has the number of its issue', () => {
  const later = new RegExp(`\\b(${['TO', 'DO'].join('')}|${['FIX', 'ME'].join('')}|${['XX', 'X'].join('')})\\b(?! ?\\(#\\d+\\))`);
  assert.deepEqual([...CODE, ...PAGES].filter((path) => later.test(read(path))), []);
});

test('no test is switched off or alone', () => {
  const switches = /\b(test|it|describe|suite)\.(only|skip|todo)\(|\b(only|todo): true\b/;
  const tests = SOURCES.filter((path) => path.endsWith('.test.ts') && path !== 'test/lint/tidy.test.ts');
  assert.deepEqual(tests.filter((path) => switches.test(read(path))), []);
});

test('the program reaches every file of the product', () => {
  const reached = reachableFrom(PRODUCT_ENTRIES.filter((path) => existsSync(join(REPOSITORY, path))));
  assert.deepEqual(PRODUCT.filter((path) => !reached.has(path) && !(path in BUILT_AHEAD)), []);
  assert.deepEqual(Object.keys(BUILT_AHEAD).filter((path) => reached.has(path) || !PRODUCT.includes(path)), [], 'no longer built ahead');
});

test('a test or a command reaches every file below test and bench', () => {
  const reached = reachableFrom(SOURCES.filter((path) => path.endsWith('.test.ts') || COMMAND_ENTRIES.test(path)));
  assert.deepEqual(SOURCES.filter((path) => /^(test|bench)\//.test(path) && !reached.has(path)), []);
});

test('every .proto file has its types beside it', () => {
  assert.deepEqual(PROTOS.filter((path) => !existsSync(join(REPOSITORY, path.replace(/\.proto$/, '.ts')))), []);
});

test('links between pages lead somewhere', () => {
  const dead = PAGES.flatMap((page) => [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)/g)]
    .map(([, target = '']) => join(dirname(page), target))
    .filter((target) => !existsSync(join(REPOSITORY, target)))
    .map((target) => `${page} -> ${target}`));
  assert.deepEqual(dead, []);
});

/** The files that the entries name, directly or by others: in imports of any kind, or to start them as processes; from their own folder or from the root. */
function reachableFrom(entries: readonly string[]): Set<string> {
  const known = new Set(SOURCES);
  const reached = new Set(entries);
  const waiting = [...entries];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    for (const target of importsOf(path)) {
      if (!known.has(target) || reached.has(target)) continue;
      reached.add(target);
      waiting.push(target);
    }
  }
  return reached;
}

function importsOf(path: string): string[] {
  const named = [...read(path).matchAll(/['"`]([\w./-]+\.ts)['"`]/g)].map(([, target = '']) => target);
  return named.flatMap((target) => [normalize(join(dirname(path), target)), target]);
}
