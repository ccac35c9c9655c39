/** Dot-separated property paths (spec: appendices). */

/** The names along the path: `\.` and `\\` stand for a dot and a backslash, any other backslash for itself. */
export function parsePropertyPath(path: string): string[] {
  const names = [''];
  for (let at = 0; at < path.length; at += 1) {
    const character = path[at]!;
    const next = path[at + 1];
    if (character === '.') names.push('');
    else if (character === '\\' && (next === '.' || next === '\\')) {
      names[names.length - 1] += next;
      at += 1;
    } else names[names.length - 1] += character;
  }
  return names;
}

/** What stands there; undefined: nothing. */
export function propertyAt(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
