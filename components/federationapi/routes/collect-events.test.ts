import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { StoredEvent } from '../../../schemas/ports/room-query.ts';
import { collectWithAuthChain, jsonBytes } from './collect-events.ts';

/** Events by ID, and how many were read at once without giving way to others. */
function room(authEvents: Record<string, string[]>, { roomVersion = '11', text = (ids: string[]) => `{"auth_events":${JSON.stringify(ids)},"content":{"x":"]"}}` } = {}) {
  let sinceYield = 0;
  let most = 0;
  const ports = {
    roomQuery: {
      eventsById: async (eventIds: readonly string[]): Promise<StoredEvent[]> => {
        sinceYield += eventIds.length;
        most = Math.max(most, sinceYield);
        return eventIds.toReversed().flatMap((eventId) => (Object.hasOwn(authEvents, eventId)
          ? [{ eventId, roomId: '!create', roomVersion, pdu: Buffer.from(text(authEvents[eventId]!)), redactedBy: null, orderKey: 1 }] : []));
      },
    },
    clock: { yield: async () => { sinceYield = 0; } },
  };
  return { ports, most: () => most };
}

test('events come with all that they stand on, and what is not there is left out', async () => {
  const { ports } = room({ $create: [], $power: ['$create'], $a: ['$create', '$power', '$gone'], $b: ['$power', '$old'], $old: ['$create'] });
  const { eventIds, authChain, pdus } = await collectWithAuthChain(ports, ['$b', '$nothing', '$a', '$power']);
  assert.deepEqual(eventIds, ['$b', '$a', '$power']);
  assert.deepEqual([...authChain].sort(), ['$create', '$old', '$power']);
  const bytes = await jsonBytes(ports.clock, ['{"a":[', { eventIds: authChain, pdus }, '],"b":[', { eventIds: [], pdus }, ']}']);
  assert.equal(JSON.parse(Buffer.from(bytes).toString()).a.length, 3);
});

test('where the room ID stands for the create event it is in the chain all the same, also of texts in another order', async () => {
  const { ports } = room({ $create: [], $power: [], $a: ['$power'] }, { roomVersion: '12', text: (ids) => `{"content":{},"auth_events":${JSON.stringify(ids)}}` });
  assert.deepEqual([...(await collectWithAuthChain(ports, ['$a'])).authChain].sort(), ['$create', '$power']);
});

test('a room of thousands is read in small steps', async () => {
  const members = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`$m${i}`, ['$create', `$invite${i}`]]));
  const invites = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`$invite${i}`, ['$create']]));
  const { ports, most } = room({ $create: [], ...members, ...invites });
  const { authChain } = await collectWithAuthChain(ports, Object.keys(members));
  assert.equal(authChain.length, 5001);
  assert.ok(most() <= 100, `${most()} at once`);
});

test('a chain beyond all measure is refused', async () => {
  const { ports } = room(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`$${i}`, Array.from({ length: 1000 }, (_x, j) => `$${i}.${j}`)])));
  await assert.rejects(collectWithAuthChain(ports, Array.from({ length: 200 }, (_, i) => `$${i}`)), (error) => error instanceof MatrixError && error.status === 413);
});
