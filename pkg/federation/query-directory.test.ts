import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryDirectory } from './query-directory.ts';
import { FederationError, requestTarget, type FederationTransport } from './transport.ts';

const answering = (body: Record<string, unknown>, targets: string[] = []): FederationTransport => ({
  request: async (request) => (targets.push(`${request.destination} ${requestTarget(request)}`), { status: 200, body }),
});

test('the server of the alias is asked; what it names as servers and are none is left out', async () => {
  const targets: string[] = [];
  const entry = await queryDirectory(answering({ room_id: '!r:b.example', servers: ['a.example', 5, 'no name', 'b.example:1'] }, targets), '#pub:b.example:8448');
  assert.deepEqual(entry, { roomId: '!r:b.example', servers: ['a.example', 'b.example:1'] });
  assert.deepEqual(targets, ['b.example:8448 /_matrix/federation/v1/query/directory?room_alias=%23pub%3Ab.example%3A8448']);
});

test('an answer without a room is garbage', async () => {
  for (const body of [{}, { room_id: 'r', servers: [] }, { room_id: 5 }]) {
    await assert.rejects(queryDirectory(answering(body), '#pub:b.example'), (error) => error instanceof FederationError && error.kind === 'garbage');
  }
  assert.deepEqual(await queryDirectory(answering({ room_id: '!r:b.example' }), '#pub:b.example'), { roomId: '!r:b.example', servers: [] });
});
