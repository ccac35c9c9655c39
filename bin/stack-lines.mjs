/**
 * Stack traces with the lines of the sources. Node does that too (`setSourceMapsEnabled`), but reads the map of every module as soon as that is loaded, and keeps it: 15 MB and a sixth of a second of the start,
 * for traces that are rarely written. Here the lines of a file (bin/bundle.mjs writes them) are read when a trace first goes through it.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PLACE = /(file:\/\/[^\s()]+):(\d+):(\d+)/;

/** For the rest of this process; files without lines beside them are shown as they are. */
export function showSourceLines() {
  const files = new Map();
  Error.prepareStackTrace = (error, frames) => [headingOf(error), ...frames.map((frame) => `    at ${inSource(String(frame), files)}`)].join('\n');
}

function headingOf(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

/** A frame as V8 writes it, with the place in the source. */
function inSource(frame, files) {
  return frame.replace(PLACE, (place, url, line) => {
    if (!files.has(url)) files.set(url, readLines(url));
    const { sources, lines } = files.get(url);
    const at = 2 * (Number(line) - 1);
    const source = sources[lines[at]];
    return source === undefined ? place : `${fileURLToPath(new URL(source, url))}:${lines[at + 1]}`;
  });
}

function readLines(url) {
  try {
    const { sources, lines } = JSON.parse(readFileSync(`${fileURLToPath(url)}.lines`, 'utf8'));
    return { sources, lines: Int32Array.from(lines) };
  } catch {
    return { sources: [], lines: [] };
  }
}
