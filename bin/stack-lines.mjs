/**
 * Stack traces with the lines of the sources. Node does that too (`setSourceMapsEnabled`), but reads the map of every module as soon as that is loaded, and keeps it: 15 MB and a sixth of a second of the start,
 * for traces that are rarely written. Here a map is read when a trace first goes through its file.
 */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

const PLACE = /(file:\/\/[^\s()]+):(\d+):(\d+)/;

/** For the rest of this process; files without a map beside them are shown as they are. */
export function showSourceLines() {
  const maps = new Map();
  Error.prepareStackTrace = (error, frames) => [headingOf(error), ...frames.map((frame) => `    at ${inSource(String(frame), maps)}`)].join('\n');
}

function headingOf(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

/** A frame as V8 writes it, with the place in the source. */
function inSource(frame, maps) {
  return frame.replace(PLACE, (place, url, line, column) => {
    if (!maps.has(url)) maps.set(url, readMap(url));
    const entry = maps.get(url)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry?.originalSource === undefined) return place;
    return `${fileURLToPath(new URL(entry.originalSource, url))}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function readMap(url) {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')));
  } catch {
    return undefined;
  }
}
