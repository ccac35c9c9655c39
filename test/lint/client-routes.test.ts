/** The routes of the clientapi against the table of the spec's endpoints, which lies beside the repository where it is at hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLIENTAPI_ROUTES } from '../../components/clientapi/routes/all-routes.ts';
import { clientEndpoints, endpointsMissing } from '../conformance/client-server/endpoints.ts';

test('every route of the clientapi is an endpoint of the spec, under its operationId, a proposal under its unstable prefix, an operator\'s door that is known from elsewhere, or a page', { skip: endpointsMissing }, () => {
  const known = new Set(clientEndpoints().map(({ method, path, operationId }) => `${method} ${path} ${operationId}`));
  const strange = CLIENTAPI_ROUTES.filter((route) => !/^\/_(?:synapse|myelin)\/|^\/_matrix\/(?:static|client\/unstable)\/|\/fallback\/web$/.test(route.path)).map((route) => `${route.method} ${route.path} ${route.handler.name}`).filter((name) => !known.has(name));
  assert.deepEqual(strange, []);
});

test('no two routes of the clientapi have the same method and path', () => {
  const names = CLIENTAPI_ROUTES.map((route) => `${route.method} ${route.path}`);
  assert.deepEqual(names.filter((name, index) => names.indexOf(name) !== index), []);
});
