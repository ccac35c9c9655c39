/**
 * What every command needs before it can do anything: a Node that is new enough, the packages of package-lock.json, and for
 * `start` a build that is newer than the sources. Each step is checked in a few milliseconds and done only when it is missing.
 * This file and its callers are plain JavaScript that any Node from 18 on runs, without packages.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';

export const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const MAIN = join(REPOSITORY, 'dist/bundle/main.js');
/** The Node that is fetched where the machine's own is too old. */
const NODE_VERSION = '24.21.0';
const CACHE = join(REPOSITORY, '.cache');

/** Does this Node run our sources (type stripping) and better-sqlite3? */
export function isGoodNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  return major >= 24 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

/** The path of a Node that is new enough: the running one, or else the one that npm carries, installed once into `.cache`. */
export function ensureNode() {
  if (isGoodNode()) return process.execPath;
  const folder = join(CACHE, 'node24');
  const found = carriedNode(folder);
  if (found) return found;
  return withLock(join(CACHE, 'node24.lock'), () => carriedNode(folder) ?? installNode(folder));
}

function carriedNode(folder) {
  const name = nodePackageNames().find((candidate) => existsSync(join(folder, 'node_modules', candidate, 'package.json')));
  if (!name) return undefined;
  const root = join(folder, 'node_modules', name);
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return manifest.version === NODE_VERSION ? join(root, manifest.bin.node) : undefined;
}

/** The npm package `node` is a shell whose install script fetches one of these: we take it directly, so that no script needs to run. */
function nodePackageNames() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  return [`node-${platform}-${process.arch}`, `node-bin-${platform}-${process.arch}`];
}

function installNode(folder) {
  say(`This is Node ${process.versions.node}; Myelin needs 22.18 or newer: installing Node ${NODE_VERSION} into .cache/node24 (once)`);
  const staging = `${folder}.${process.pid}`;
  for (const name of nodePackageNames()) {
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { recursive: true });
    writeFileSync(join(staging, 'package.json'), '{"private":true}\n');
    const args = ['install', '--prefix', staging, '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${NODE_VERSION}`];
    const { status, output } = runNpm(process.execPath, args, staging, 'pipe');
    if (status === 0) {
      rmSync(folder, { recursive: true, force: true });
      renameSync(staging, folder);
      return carriedNode(folder) ?? fail(`the npm package ${name} carries no Node ${NODE_VERSION}`);
    }
    if (!/E404|ETARGET/.test(output)) fail(`npm could not install Node ${NODE_VERSION}:\n${output}`);
  }
  rmSync(staging, { recursive: true, force: true });
  return fail(`npm has no Node ${NODE_VERSION} for ${process.platform} ${process.arch}; please install Node 24 yourself`);
}

/** node_modules holds what package-lock.json says; otherwise `npm ci`. */
export function ensurePackages(node) {
  const lockText = readFileSync(join(REPOSITORY, 'package-lock.json'));
  const stamp = join(REPOSITORY, 'node_modules/.myelin-stamp');
  const wanted = `${createHash('sha256').update(lockText).digest('hex')} ${process.platform} ${process.arch}\n`;
  if (readOr(stamp, '') === wanted) return;
  withLock(join(CACHE, 'packages.lock'), () => {
    if (readOr(stamp, '') === wanted) return;
    if (!packagesFit(JSON.parse(lockText.toString()))) installPackages(node);
    writeFileSync(stamp, wanted);
  });
}

/** Compares with the copy of the lock file that npm keeps of what it installed: somebody may have run npm by hand. */
function packagesFit(lock) {
  const hidden = readOr(join(REPOSITORY, 'node_modules/.package-lock.json'), '');
  if (hidden === '') return false;
  const installed = JSON.parse(hidden).packages;
  return Object.entries(lock.packages).every(([path, entry]) =>
    path === '' || entry.optional || entry.devOptional || installed[path]?.version === entry.version);
}

function installPackages(node) {
  say('Installing the packages of package-lock.json (npm ci)');
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = runNpm(node, args, REPOSITORY, 'inherit');
  if (status !== 0) fail('npm ci failed; its message is above');
  const probe = `new (require('better-sqlite3'))(':memory:').close()`;
  if (spawnSync(node, ['-e', probe], { cwd: REPOSITORY }).status === 0) return;
  say('The carried binary of better-sqlite3 does not load here: building it (this needs a C++ compiler and Python)');
  runNpm(node, ['rebuild', 'better-sqlite3', '--foreground-scripts'], REPOSITORY, 'inherit');
  const { status: loads, stderr } = spawnSync(node, ['-e', probe], { cwd: REPOSITORY });
  if (loads !== 0) fail(`better-sqlite3 does not load:\n${stderr}`);
}

/** dist/ is what tsc makes of the sources as they are now, and dist/bundle what is run of it. */
export function ensureBuild(node, { force = false } = {}) {
  const stampPath = join(CACHE, 'build-stamp.json');
  const isCurrent = () => readOr(stampPath, '') === sourceStamp() && existsSync(MAIN);
  if (!force && isCurrent()) return;
  withLock(join(CACHE, 'build.lock'), () => {
    if (!force && isCurrent()) return;
    say('Building (tsc, esbuild)');
    const stamp = sourceStamp();
    const previous = readOr(stampPath, '');
    // tsc removes nothing, and its incremental memory does not notice files missing from dist: begin anew when a source has gone.
    if (force || !existsSync(MAIN) || hasVanished(previous, stamp)) {
      rmSync(join(REPOSITORY, 'dist'), { recursive: true, force: true });
      rmSync(join(CACHE, 'tsbuildinfo.build'), { force: true });
    }
    rmSync(stampPath, { force: true });
    const tsc = join(REPOSITORY, 'node_modules/typescript/bin/tsc');
    const { status } = spawnSync(node, [tsc, '-p', 'tsconfig.build.json'], { cwd: REPOSITORY, stdio: ['ignore', 'inherit', 'inherit'] });
    if (status !== 0) fail('the build failed; the compiler says why above');
    for (const path of sourceFiles('.proto')) cpSync(join(REPOSITORY, path), join(REPOSITORY, 'dist', path));
    writeFileSync(join(REPOSITORY, 'dist/package.json'), '{"type":"module"}\n');
    const { status: bundled } = spawnSync(node, [join(REPOSITORY, 'bin/bundle.mjs')], { cwd: REPOSITORY, stdio: ['ignore', 'inherit', 'inherit'] });
    if (bundled !== 0) fail('the build failed; esbuild says why above');
    writeFileSync(stampPath, stamp);
  });
}

/** One text of every source file's path, size and time. */
function sourceStamp() {
  const files = [...sourceFiles('.ts').filter((path) => !path.endsWith('.test.ts')), ...sourceFiles('.proto'),
    'tsconfig.json', 'tsconfig.build.json', 'package-lock.json', 'bin/bundle.mjs'];
  return JSON.stringify(files.map((path) => {
    const { size, mtimeMs } = statSync(join(REPOSITORY, path));
    return [path, size, mtimeMs];
  }));
}

function hasVanished(previous, current) {
  if (previous === '') return true;
  const now = new Set(JSON.parse(current).map(([path]) => path));
  return JSON.parse(previous).some(([path]) => !now.has(path));
}

function sourceFiles(extension) {
  const found = [];
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.name.endsWith(extension)) found.push(relative(REPOSITORY, path));
    }
  };
  for (const top of ['components', 'pkg', 'schemas']) walk(join(REPOSITORY, top));
  return found.sort();
}

/** Runs npm: the one that runs us if there is one, else the one on PATH. Scripts and engines see `node` first on their PATH. */
function runNpm(node, args, cwd, stdio) {
  const cli = process.env['npm_execpath'];
  const usable = cli !== undefined && /npm-cli\.c?js$/.test(cli);
  const env = { ...process.env, PATH: `${dirname(node)}:${process.env['PATH'] ?? ''}` };
  const [command, commandArgs] = usable ? [node, [cli, ...args]] : ['npm', args];
  const { status, stdout, stderr, error } = spawnSync(command, commandArgs, { cwd, env, stdio: ['ignore', stdio, stdio], encoding: 'utf8' });
  if (error) fail(`npm could not be run: ${error.message}`);
  return { status, output: `${stdout ?? ''}${stderr ?? ''}` };
}

function readOr(path, otherwise) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

/** Loaded when something has to be run: a start that finds everything ready has no use for it. */
function spawnSync(...args) {
  return createRequire(import.meta.url)('node:child_process').spawnSync(...args);
}

/** One line for the human; on standard error, so that a command's own output stays clean. */
export function say(line) {
  process.stderr.write(`myelin: ${line}\n`);
}

/** Ends the command with one clear message. */
export function fail(message) {
  throw new PrepareError(message);
}

/** A failure that its message explains: no stack trace is shown. */
export class PrepareError extends Error {}

/** Runs a command's body and turns a failure to prepare into one message and exit code 1. */
export async function runCommand(body) {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof PrepareError)) throw error;
    say(error.message);
    process.exit(1);
  }
}
