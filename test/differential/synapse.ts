/** Asks Synapse's own code, in a process of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { available, synapsePython } from '../kit/servers/synapse.ts';
import type { Answer, Question } from './question.ts';

export interface Oracle {
  /** What Synapse answers, once with each list of corrections of its deviations (see deviations.ts). */
  ask(question: Question, corrections: readonly (readonly string[])[]): Promise<Answer[]>;
  close(): Promise<void>;
}

const ORACLE = fileURLToPath(new URL('synapse-oracle.py', import.meta.url));

/** Why Synapse cannot be asked, false when it can: to be a test's `skip`. */
export function synapseMissing(): string | false {
  return available() ?? false;
}

/** Its version, as installed. */
export function synapseVersion(): string {
  const { stdout } = spawnSync(synapsePython(), ['-c', "import importlib.metadata; print(importlib.metadata.version('matrix-synapse'))"], { encoding: 'utf8' });
  return stdout.trim();
}

/** Starts the process (2 s). Questions are answered in their order. */
export function startOracle(): Oracle {
  const child = spawn(synapsePython(), [ORACLE], { stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting: { resolve: (answers: Answer[]) => void; reject: (error: Error) => void }[] = [];
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { complaint = `${complaint}${text}`.slice(-4000); });
  createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line) as Answer[]));
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => {
      for (const { reject } of waiting.splice(0)) reject(new Error(`Synapse gave no answer: ${complaint}`));
      resolve();
    });
  });
  // A process that has ended says so by `close`.
  child.stdin.on('error', () => undefined);
  return {
    ask: (question, corrections) => new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      child.stdin.write(`${JSON.stringify({ ...question, corrections })}\n`);
    }),
    close: () => {
      child.stdin.end();
      return closed;
    },
  };
}
