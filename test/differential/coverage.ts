/** How often each piece of the rules' source was run, as V8 counts it. Types are blanked out, not removed, so that V8's places are those of the file. */
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import type { Profiler } from 'node:inspector';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Counts at every character of a file; -1 for what is in no function, which runs but once, when the file is loaded. */
export interface FileCounts {
  /** Path in the repository. */
  readonly file: string;
  readonly text: string;
  readonly counts: Float64Array;
}

export interface Counter {
  /** The counts since the last time, of the files in the folders. */
  take(): Promise<FileCounts[]>;
  stop(): Promise<void>;
}

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));

/** Begins to count what is run in `folders` (paths in the repository, with a slash at the end). What was loaded before may be missed: load it after. */
export async function startCounter(folders: readonly string[]): Promise<Counter> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const texts = new Map<string, string>();
  const countsOf = ({ url, functions }: Profiler.ScriptCoverage): FileCounts[] => {
    if (!url.startsWith('file:') || url.endsWith('.test.ts')) return [];
    const path = fileURLToPath(url);
    const file = relative(REPOSITORY, path);
    if (!folders.some((folder) => file.startsWith(folder))) return [];
    const text = texts.get(file) ?? readFileSync(path, 'utf8');
    texts.set(file, text);
    const counts = new Float64Array(text.length).fill(-1);
    const ranges = functions.filter((counted) => counted.ranges[0]?.startOffset !== 0).flatMap((counted) => counted.ranges);
    // Outer ranges come before the inner ones that say more.
    ranges.sort((x, y) => x.startOffset - y.startOffset || y.endOffset - x.endOffset);
    for (const { startOffset, endOffset, count } of ranges) counts.fill(count, startOffset, endOffset);
    return [{ file, text, counts }];
  };
  return {
    take: async () => (await session.post('Profiler.takePreciseCoverage')).result.flatMap(countsOf),
    stop: async () => {
      await session.post('Profiler.stopPreciseCoverage');
      session.disconnect();
    },
  };
}

/** Pieces that were never run, as their text on one line. */
export function unreached({ text, counts }: FileCounts): string[] {
  const pieces: string[] = [];
  for (let start = counts.indexOf(0); start !== -1; ) {
    const end = counts.findIndex((count, index) => index > start && count !== 0);
    const piece = text.slice(start, end === -1 ? undefined : end).replace(/\s+/g, ' ').trim();
    if (/\w/.test(piece)) pieces.push(piece);
    start = end === -1 ? -1 : counts.indexOf(0, end);
  }
  return pieces;
}

/** The sum of the counts of several takes. */
export function addCounts(sum: Map<string, FileCounts>, taken: readonly FileCounts[]): void {
  for (const { file, text, counts } of taken) {
    const known = sum.get(file);
    if (known === undefined) sum.set(file, { file, text, counts: counts.slice() });
    else for (let index = 0; index < counts.length; index++) known.counts[index] = Math.max(known.counts[index]!, counts[index]!, known.counts[index]! + counts[index]!);
  }
}
