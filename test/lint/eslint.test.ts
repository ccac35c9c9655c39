/** Each style rule fires on a fault planted for it, and a sound file passes. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { ESLint, type Linter } from 'eslint';
import { REPOSITORY } from '../run-files.ts';
import { config } from './eslint.mjs';

interface Planted {
  /** Path in the planted tree. */
  readonly path: string;
  readonly text: string;
  /** The rule that must fire; undefined: none may. */
  readonly rule?: string;
}

const lines = (count: number, line: string): string => `${line}\n`.repeat(count);
const island = (name: string): string => `components/one/${name}.ts`;

const PLANTED: readonly Planted[] = [
  { path: island('sound'), text: "import { createHash } from 'node:crypto';\nexport const at = (ms: number) => [new Date(ms), createHash('sha256')];\n" },
  { path: 'pkg/runtime/clock.ts', text: 'export const now = () => [Date.now(), Math.random(), setTimeout(() => 1, 1)];\n' },
  { path: 'pkg/log/nats/wait.ts', text: 'export const wait = () => setTimeout(() => 1, 1);\n' },
  { path: island('clock.test'), text: 'export const now = () => Date.now();\n' },
  { path: island('date-now'), text: 'export const now = () => Date.now();\n', rule: 'no-restricted-properties' },
  { path: island('random'), text: 'export const chance = () => Math.random();\n', rule: 'no-restricted-properties' },
  { path: island('race'), text: 'export const first = (a: Promise<number>) => Promise.race([a]);\n', rule: 'no-restricted-properties' },
  { path: 'pkg/runtime/race.ts', text: 'export const first = (a: Promise<number>) => Promise.race([a]);\n', rule: 'no-restricted-properties' },
  { path: island('new-date'), text: 'export const now = () => new Date();\n', rule: 'no-restricted-syntax' },
  { path: island('abort'), text: 'export const limit = () => AbortSignal.timeout(5);\n', rule: 'no-restricted-syntax' },
  { path: island('global-this'), text: 'export const clock = globalThis.performance;\n', rule: 'no-restricted-syntax' },
  { path: island('default'), text: 'export default 1;\n', rule: 'no-restricted-syntax' },
  { path: 'test/kit/enum.ts', text: 'export enum Colour { Red }\n', rule: 'no-restricted-syntax' },
  { path: island('namespace'), text: 'export namespace Inner { export const a = 1; }\n', rule: 'no-restricted-syntax' },
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch', 'performance', 'crypto', 'process', 'WebSocket']
    .map((name) => ({ path: island(`global-${name.toLowerCase()}`), text: `export const used = ${name};\n`, rule: 'no-restricted-globals' })),
  { path: island('random-bytes'), text: "import { randomBytes } from 'node:crypto';\nexport const secret = randomBytes;\n", rule: 'no-restricted-imports' },
  { path: island('whole-crypto'), text: "import crypto from 'node:crypto';\nexport const secret = crypto;\n", rule: 'no-restricted-imports' },
  { path: 'test/kit/floating.ts', text: 'const later = async () => 1;\nexport const go = () => { later(); };\n', rule: '@typescript-eslint/no-floating-promises' },
  { path: island('floating'), text: 'const later = async () => 1;\nexport const go = () => { later(); };\n', rule: '@typescript-eslint/no-floating-promises' },
  { path: island('misused'), text: 'const later = async () => true;\nexport const go = () => { if (later()) return 1; return 2; };\n', rule: '@typescript-eslint/no-misused-promises' },
  { path: island('thenable'), text: 'export const go = async () => { await 1; };\n', rule: '@typescript-eslint/await-thenable' },
  { path: island('type-import'), text: "import { Stats } from 'node:fs';\nexport type Size = Stats;\n", rule: '@typescript-eslint/consistent-type-imports' },
  { path: island('any'), text: 'export const a: any = 1;\n', rule: '@typescript-eslint/no-explicit-any' },
  { path: island('unused'), text: 'const a = 1;\nexport const b = 2;\n', rule: '@typescript-eslint/no-unused-vars' },
  { path: island('equal'), text: 'export const same = (a: string, b: string) => a == b;\n', rule: 'eqeqeq' },
  { path: island('var'), text: 'export var a = 1;\n', rule: 'no-var' },
  { path: island('let'), text: 'export function one() { let a = 1; return a; }\n', rule: 'prefer-const' },
  { path: island('debugger'), text: 'export function one() { debugger; }\n', rule: 'no-debugger' },
  { path: island('console'), text: 'export const say = () => console.log(1);\n', rule: 'no-console' },
  { path: island('long-file'), text: `export const a = [\n${lines(500, '  1,')}];\n`, rule: 'max-lines' },
  { path: island('long-function'), text: `export function long() {\n  const a: number[] = [];\n${lines(70, '  a.push(1);')}  return a;\n}\n`, rule: 'max-lines-per-function' },
  { path: island('params'), text: 'export const sum = (a: number, b: number, c: number, d: number, e: number) => a + b + c + d + e;\n', rule: 'max-params' },
  { path: island('complexity'), text: `export function pick(a: number) {\n${lines(15, '  if (a > 1) return 1;')}  return 2;\n}\n`, rule: 'complexity' },
  { path: island('depth'), text: 'export function deep(a: number) { if (a > 1) { if (a > 2) { if (a > 3) { if (a > 4) { return 1; } } } } return 2; }\n', rule: 'max-depth' },
];

let root: string;
const fired = new Map<string, string[]>();

before(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'myelin-style-')));
  for (const { path, text } of PLANTED) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  for (const path of ['package.json', 'tsconfig.json']) cpSync(join(REPOSITORY, path), join(root, path));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(root, 'node_modules'));
  const eslint = new ESLint({ cwd: root, overrideConfigFile: true, baseConfig: config });
  for (const result of await eslint.lintFiles(['.'])) {
    fired.set(relative(root, result.filePath), result.messages.map((message: Linter.LintMessage) => message.ruleId ?? message.message));
  }
});

after(() => { rmSync(root, { recursive: true, force: true }); });

for (const { path, rule } of PLANTED) {
  test(`${path}: ${rule ?? 'nothing'} fires`, () => {
    assert.deepEqual([...new Set(fired.get(path))], rule === undefined ? [] : [rule]);
  });
}

test('there is a planted fault for every style rule', () => {
  const planted = new Set(PLANTED.map(({ rule }) => rule));
  const configured = config.flatMap((part) => Object.keys(part.rules ?? {}));
  assert.deepEqual([...new Set(configured)].filter((rule) => !planted.has(rule)), []);
});
