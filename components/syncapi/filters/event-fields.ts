/** `event_fields` of a filter (Client-Server API, "Filtering"; appendices, "Dot-separated property paths"): which properties of events are sent. */

/** The names along one property path. */
export type FieldPath = readonly string[];

/** What no event is without, asked for or not. */
const ALWAYS = ['event_id', 'type', 'state_key', 'sender', 'origin_server_ts'];

/** The names of a path: separated by dots; `\.` is a dot within a name, `\\` a backslash, and a backslash before anything else stands for itself. */
export function parseFieldPath(text: string): FieldPath {
  const names: string[] = [];
  let name = '';
  for (let at = 0; at < text.length; at++) {
    const next = text[at + 1];
    if (text[at] === '\\' && (next === '.' || next === '\\')) {
      name += next;
      at += 1;
    } else if (text[at] === '.') {
      names.push(name);
      name = '';
    } else {
      name += text[at];
    }
  }
  return [...names, name];
}

/** The event (JSON text) with only these fields, and those that every event has. */
export function pickFields(text: string, paths: readonly FieldPath[]): string {
  const event = JSON.parse(text) as Record<string, unknown>;
  // Without a prototype, so that no name means more than a name.
  const picked = Object.create(null) as Record<string, unknown>;
  for (const name of ALWAYS) if (Object.hasOwn(event, name)) picked[name] = event[name];
  picked['content'] = Object.create(null);
  for (const path of paths) copy(event, picked, path);
  return JSON.stringify(picked);
}

function copy(from: Record<string, unknown>, into: Record<string, unknown>, [name, ...rest]: FieldPath): void {
  if (name === undefined || !Object.hasOwn(from, name)) return;
  const value = from[name];
  if (rest.length === 0) {
    into[name] = value;
    return;
  }
  if (!isObject(value) || into[name] === value) return;
  const inner = into[name] ?? (Object.create(null) as Record<string, unknown>);
  if (!isObject(inner)) return;
  copy(value, inner, rest);
  if (Object.keys(inner).length > 0) into[name] = inner;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
