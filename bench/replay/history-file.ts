/** Histories as files: a PDU in JSON a line, and beside them `<file>.keys.json` with the keys of the servers that signed them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { History } from './make-history.ts';

export interface HistoryKeys {
  readonly roomVersion: string;
  /** By server, then by key ID: the public key in base64. */
  readonly keys: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export function writeHistory(file: string, histories: readonly History[]): void {
  const longest = Math.max(...histories.map(({ lines }) => lines.length));
  const lines: string[] = [];
  // Rooms live side by side.
  for (let index = 0; index < longest; index += 1) for (const history of histories) if (index < history.lines.length) lines.push(history.lines[index]!);
  writeFileSync(file, `${lines.join('\n')}\n`);
  const [first] = histories as [History];
  const keys = Object.fromEntries([...first.keys].map(([name, key]) => [name, { 'ed25519:1': Buffer.from(key).toString('base64') }]));
  writeFileSync(keysFileOf(file), JSON.stringify({ roomVersion: first.version.id, keys } satisfies HistoryKeys));
}

export function readLines(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '');
}

/** undefined: nobody knows the keys of those who signed the file's events, and signatures are not checked. */
export function readKeys(file: string): HistoryKeys | undefined {
  return existsSync(keysFileOf(file)) ? JSON.parse(readFileSync(keysFileOf(file), 'utf8')) as HistoryKeys : undefined;
}

function keysFileOf(file: string): string {
  return `${file}.keys.json`;
}
