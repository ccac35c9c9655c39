/** The routes of the clientapi against the table of the spec's endpoints, which lies beside the repository where it is at hand. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CLIENTAPI_ROUTES } from '../../components/clientapi/routes/all-routes.ts';
import { REPOSITORY } from '../run-files.ts';

const TABLE = join(REPOSITORY, '../shared/reference/endpoints.tsv');
const missing = existsSync(TABLE) ? false : 'the table of the spec\'s endpoints is not beside this repository';

interface Endpoint {
  readonly name: string;
  readonly auth: string;
}

function endpoints(): Endpoint[] {
  const [head = '', ...lines] = readFileSync(TABLE, 'utf8').trim().split('\n');
  const columns = head.split('\t');
  const cell = (line: string, column: string) => line.split('\t')[columns.indexOf(column)] ?? '';
  return lines.map((line) => ({ name: `${cell(line, 'method')} ${cell(line, 'path')} ${cell(line, 'operationId')}`, auth: cell(line, 'auth') }));
}

test('every route of the clientapi is an endpoint of the spec, under its operationId, or an operator\'s door that is known from elsewhere', { skip: missing }, () => {
  const known = new Set(endpoints().map((endpoint) => endpoint.name));
  const strange = CLIENTAPI_ROUTES.filter((route) => !/^\/_(synapse|myelin)\//.test(route.path)).map((route) => `${route.method} ${route.path} ${route.handler.name}`).filter((name) => !known.has(name));
  assert.deepEqual(strange, []);
});

test('no two routes of the clientapi have the same method and path', () => {
  const names = CLIENTAPI_ROUTES.map((route) => `${route.method} ${route.path}`);
  assert.deepEqual(names.filter((name, index) => names.indexOf(name) !== index), []);
});
