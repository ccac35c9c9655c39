import { readFileSync } from 'node:fs';

/** Text of a file below `schemas/`; beside the sources, and copied beside the build. */
export function readSchema(path: string): string {
  return readFileSync(new URL(`../../schemas/${path}`, import.meta.url), 'utf8');
}
