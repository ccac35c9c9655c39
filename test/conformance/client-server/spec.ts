/** The spec's OpenAPI description of its APIs, where it lies beside the repository: operations by their ID, with `$ref`s followed over files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { REPOSITORY } from '../../run-files.ts';

const SPEC_FOLDER = join(REPOSITORY, '../shared/spec/api');

/** Why there is nothing to compare with; undefined when there is. */
export const specMissing: string | undefined = existsSync(SPEC_FOLDER) ? undefined : "the spec's OpenAPI files are not beside this repository";

export type Json = Readonly<Record<string, unknown>>;

export interface QueryParameter {
  readonly name: string;
  readonly required: boolean;
  readonly schema: Json;
}

export interface Operation {
  readonly operationId: string;
  readonly method: string;
  /** With its base path. */
  readonly path: string;
  readonly needsToken: boolean;
  readonly query: readonly QueryParameter[];
  /** Schema of the JSON body. */
  readonly body: Json | undefined;
  /** Schemas of JSON answers by status; undefined: an answer without a schema. */
  readonly responses: ReadonlyMap<number, Json | undefined>;
}

const METHODS = ['get', 'put', 'post', 'delete'];
const documents = new Map<string, unknown>();

/** All operations of all files of one API; throws for a `$ref` that leads nowhere. */
export function loadOperations(api: 'client-server' | 'server-server' = 'client-server'): ReadonlyMap<string, Operation> {
  const folder = join(SPEC_FOLDER, api);
  const operations = new Map<string, Operation>();
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.yaml'))) {
    const file = join(folder, name);
    const { paths = {}, servers } = documentAt(file) as { paths?: Record<string, Json>; servers?: { variables?: { basePath?: { default?: string } } }[] };
    const basePath = servers?.[0]?.variables?.basePath?.default ?? '';
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of METHODS.filter((one) => methods[one] !== undefined)) {
        const operation = operationOf(follow(methods[method], file) as Json, { method: method.toUpperCase(), path: (basePath + path).trim() });
        operations.set(operation.operationId, operation);
      }
    }
  }
  return operations;
}

function operationOf(source: Json, place: { method: string; path: string }): Operation {
  const parameters = (source['parameters'] ?? []) as { in: string; name: string; required?: boolean; schema?: Json }[];
  return {
    ...place,
    operationId: String(source['operationId']),
    needsToken: Array.isArray(source['security']) && (source['security'] as object[]).every((way) => Object.keys(way).length > 0),
    query: parameters.filter((one) => one.in === 'query').map(({ name, required = false, schema = {} }) => ({ name, required, schema })),
    body: schemaOf(source['requestBody']),
    responses: new Map(Object.entries(source['responses'] as Json).map(([status, response]) => [Number(status), schemaOf(response)])),
  };
}

function schemaOf(holder: unknown): Json | undefined {
  return (holder as { content?: Record<string, { schema?: Json }> } | undefined)?.content?.['application/json']?.schema;
}

function documentAt(file: string): unknown {
  if (!documents.has(file)) documents.set(file, parse(readFileSync(file, 'utf8')));
  return documents.get(file);
}

/** A copy in which what `$ref`s point to stands in their place, beside their siblings. Examples are left out. */
function follow(node: unknown, file: string): unknown {
  if (Array.isArray(node)) return node.map((item) => follow(item, file));
  if (typeof node !== 'object' || node === null) return node;
  const { $ref: ref, ...siblings } = node as Json;
  const here = Object.fromEntries(Object.entries(siblings).filter(([key, value]) => !isExample(key, value)).map(([key, value]) => [key, follow(value, file)]));
  if (typeof ref !== 'string') return here;
  const [path = '', pointer = ''] = ref.split('#');
  const target = path === '' ? file : resolve(dirname(file), path);
  const found = follow(atPointer(documentAt(target), pointer, ref), target) as Json;
  return Object.keys(here).length === 0 ? found : { ...found, ...here };
}

/** `example` as a keyword, not as the name of a property. */
function isExample(key: string, value: unknown): boolean {
  return key === 'examples' || (key === 'example' && !(typeof value === 'object' && value !== null && 'type' in value && 'description' in value));
}

function atPointer(document: unknown, pointer: string, ref: string): unknown {
  let value = document;
  for (const part of pointer.split('/').slice(1)) value = (value as Json | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')];
  if (value === undefined) throw new Error(`${ref} leads nowhere`);
  return value;
}

const FORMATS = { 'mx-user-id': /^@/, 'mx-event-id': /^\$/, 'mx-room-id': /^!/, 'mx-room-alias': /^#/, 'mx-mxc-uri': /^mxc:\/\// };
const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false, formats: FORMATS, logger: false });
const validators = new WeakMap<Json, ValidateFunction>();

/** What is wrong with `value`, as one sentence; empty when it is as `schema` says. */
export function schemaProblem(schema: Json, value: unknown): string {
  const validate = validators.get(schema) ?? ajv.compile(schema);
  validators.set(schema, validate);
  return validate(value) ? '' : ajv.errorsText(validate.errors);
}
