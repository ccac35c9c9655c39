/** One OpenAPI document of the operations that a server serves, in which what the spec leaves open is filled with what there is: rooms, users, events. */
import { loadOperations, type Json, type Operation } from '../conformance/client-server/spec.ts';

/** What is there, by the names that parameters and members of bodies have. */
export type Known = Readonly<Record<string, readonly string[]>>;

/** Any operation may give these, whatever else its description lists. */
const ALWAYS_ALLOWED = [400, 401, 403, 404, 405, 413, 415, 429];

/** How long a client may ask to wait, in ms: the test has no time for more. */
const WAIT_MS_MAX = 50;

export interface Wanted {
  readonly operationIds: ReadonlySet<string>;
  readonly known: Known;
}

export function fuzzDocument({ operationIds, known }: Wanted): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of loadOperations().values()) {
    if (!operationIds.has(operation.operationId)) continue;
    (paths[operation.path] ??= {})[operation.method.toLowerCase()] = describe(operation, known);
  }
  return { openapi: '3.1.0', info: { title: 'Client-Server API', version: '1' }, paths };
}

function describe({ operationId, path, query, body, responses }: Operation, known: Known): Json {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const statuses = new Set([...responses.keys(), ...ALWAYS_ALLOWED]);
  return {
    operationId,
    parameters: [
      ...names.map((name) => ({ in: 'path', name, required: true, schema: withKnown({ type: 'string', minLength: 1 }, known[name]) })),
      ...query.map(({ name, required, schema }) => ({ in: 'query', name, ...queryOf({ name, required, schema }, known) })),
    ],
    ...(body !== undefined && { requestBody: { required: true, content: { 'application/json': { schema: filled(body, known) } } } }),
    responses: Object.fromEntries([...statuses].map((status) => [String(status), { description: 'An answer' }])),
  };
}

function queryOf({ name, required, schema }: Operation['query'][number], known: Known): Json {
  // Without it the server waits as long as it likes.
  if (name === 'timeout') return { required: true, schema: { type: 'integer', minimum: 0, maximum: WAIT_MS_MAX } };
  return { required, schema: withKnown(schema, known[name]) };
}

/** A schema of a body, with the known values at members of their names. */
function filled(schema: Json, known: Known): Json {
  const inner = (value: unknown): unknown => (Array.isArray(value) ? value.map(inner) : typeof value === 'object' && value !== null ? filled(value as Json, known) : value);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => {
    if (key !== 'properties') return [key, key === 'enum' || key === 'default' || key === 'const' ? value : inner(value)];
    return [key, Object.fromEntries(Object.entries(value as Record<string, Json>).map(([name, member]) => [name, withKnown(filled(member, known), known[name])]))];
  }));
}

function withKnown(schema: Json, values: readonly string[] | undefined): Json {
  return values === undefined || ('type' in schema && schema['type'] !== 'string') ? schema : { anyOf: [{ enum: values }, schema] };
}
