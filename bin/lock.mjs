import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const POLL_MS = 100;
/** A lock without an owner's name is one whose owner died between two calls; it counts as abandoned after this time. */
const NAMELESS_MS = 5_000;

/** Runs `body` while no other process runs a body under the same path. A lock whose owner is dead is taken over. */
export function withLock(path, body) {
  acquire(path);
  try {
    return body();
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

function acquire(path) {
  mkdirSync(dirname(path), { recursive: true });
  for (;;) {
    try {
      mkdirSync(path);
      writeFileSync(join(path, 'pid'), String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned(path)) rmSync(path, { recursive: true, force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

function isAbandoned(path) {
  try {
    const pid = Number(readFileSync(join(path, 'pid'), 'utf8'));
    if (pid > 0) return !isAlive(pid);
    return Date.now() - statSync(path).mtimeMs > NAMELESS_MS;
  } catch {
    try {
      return Date.now() - statSync(path).mtimeMs > NAMELESS_MS;
    } catch {
      return false; // it has just been released
    }
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
