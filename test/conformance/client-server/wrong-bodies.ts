/** Bodies that are wrong in one place, made from a good one and its schema: each property with each type that it must not have, each required one left out. */
import type { Json } from './spec.ts';

export interface WrongBody {
  /** What is wrong, for example `identifier.type = 1`. */
  readonly name: string;
  readonly body: unknown;
}

interface Place {
  readonly path: string;
  /** The whole body with `value` at this place; undefined: without it. */
  readonly put: (value: unknown) => unknown;
}

const SAMPLES: readonly unknown[] = ['text', 1, 1.5, true, {}, [], null];

export function wrongBodies(schema: Json, good: unknown): WrongBody[] {
  return [...SAMPLES.filter((sample) => !isA(sample, 'object')).map((body) => ({ name: `the body = ${JSON.stringify(body)}`, body })), ...inside(schema, good, { path: '', put: (value) => value })];
}

/** Values that `schema` does not allow: of other types, and outside its enumeration. */
export function wrongValues(schema: Json): unknown[] {
  const types = typesOf(schema);
  const others = types.length === 0 ? [] : SAMPLES.filter((sample) => !types.some((type) => isA(sample, type)));
  return 'enum' in schema ? [...others, 'no-such-value'] : others;
}

function inside(schema: Json, good: unknown, at: Place): WrongBody[] {
  const { properties, required } = flatten(schema);
  const object = good as Json;
  return Object.entries(properties).flatMap(([name, property]) => {
    const place: Place = { path: at.path === '' ? name : `${at.path}.${name}`, put: (value) => at.put(withMember(object, name, value)) };
    return [
      ...(required.has(name) ? [{ name: `no ${place.path}`, body: place.put(undefined) }] : []),
      ...wrongAt(property, object[name], place),
    ];
  });
}

function wrongAt(schema: Json, good: unknown, place: Place): WrongBody[] {
  const here = wrongValues(schema).map((value) => ({ name: `${place.path} = ${JSON.stringify(value)}`, body: place.put(value) }));
  if (Array.isArray(good) && 'items' in schema) {
    const item: Place = { path: `${place.path}[0]`, put: (value) => place.put([value]) };
    return [...here, ...wrongAt(schema['items'] as Json, good[0], item)];
  }
  return isA(good, 'object') ? [...here, ...inside(schema, good, place)] : here;
}

/** Properties of an object's schema, with those that it takes over by `allOf`. */
function flatten(schema: Json): { properties: Readonly<Record<string, Json>>; required: ReadonlySet<string> } {
  const parts = ((schema['allOf'] ?? []) as Json[]).map(flatten);
  const own = (schema['properties'] ?? {}) as Record<string, Json>;
  return {
    properties: Object.assign({}, ...parts.map((part) => part.properties), own) as Record<string, Json>,
    required: new Set([...parts.flatMap((part) => [...part.required]), ...((schema['required'] ?? []) as string[])]),
  };
}

function typesOf(schema: Json): string[] {
  if (schema['type'] !== undefined) return [schema['type']].flat() as string[];
  return ((schema['allOf'] ?? []) as Json[]).flatMap(typesOf);
}

function isA(value: unknown, type: string): boolean {
  switch (type) {
    case 'null': return value === null;
    case 'array': return Array.isArray(value);
    case 'object': return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer': return Number.isInteger(value);
    default: return typeof value === type;
  }
}

function withMember(object: Json, name: string, value: unknown): Json {
  const { [name]: _before, ...others } = object;
  return value === undefined ? others : { ...others, [name]: value };
}
