import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { HistoryLog, RoomHistory, type HistoryEvent } from '../../../test/kit/room-history.ts';
import { syncapiMigrations } from '../storage/migrations.ts';
import { clientEventOf, contentText, parsePdu, renderEvent, strippedText, type ClientEvent } from './client-event.ts';
import { createEventCache } from './event-cache.ts';
import { createEventLoader } from './load-events.ts';

const alice = '@alice:history.test';

function room(version = '12') {
  const log = new HistoryLog();
  return { log, room: new RoomHistory(log, { name: 'one', creator: alice, version }) };
}

function clientForm({ eventId, roomId, pdu }: HistoryEvent, version = '12'): ClientEvent {
  return clientEventOf({ eventId, roomId, roomVersion: version, pdu, redactedBy: null });
}

test('the client form has what clients need and nothing of federation', () => {
  const { room: one } = room();
  const tricky = { body: '","event_id":"', nested: { a: [1, '}'] } };
  const sent = one.state('org.example.x', '","event_id":"', tricky, alice);
  const event = clientForm(sent);
  assert.deepEqual(JSON.parse(contentText(event)), tricky);
  const full = JSON.parse(renderEvent(event, { nowMs: event.originServerTs + 5, transactionId: 'txn' }, true));
  assert.deepEqual(Object.keys(full).sort(), ['content', 'event_id', 'origin_server_ts', 'room_id', 'sender', 'state_key', 'type', 'unsigned']);
  assert.deepEqual(full.unsigned, { age: 5, transaction_id: 'txn' });
  assert.deepEqual(JSON.parse(strippedText(event)), { content: tricky, sender: alice, state_key: '","event_id":"', type: 'org.example.x' });
});

test('refuses records that are no events', () => {
  for (const text of ['', '[]', '{}', '{"type":"a","sender":"@a:x","content":[],"origin_server_ts":"1"}', 'null']) {
    assert.throws(() => parsePdu(Buffer.from(text)), { name: 'PoisonRecord' }, text);
  }
});

test('the cache stays below its bound and keeps what is used', () => {
  const { room: one } = room();
  const events = Array.from({ length: 50 }, (_, n) => clientForm(one.say(alice, 'x'.repeat(100) + n)));
  const cache = createEventCache(10_000);
  const [first] = events as [ClientEvent];
  for (const event of events) {
    cache.set(event.eventId, event);
    assert.equal(cache.get(first.eventId), first);
    assert.ok(cache.weight() <= 10_000);
  }
  assert.equal(cache.get(events[1]!.eventId), undefined);
  for (const event of events) cache.delete(event.eventId);
  assert.equal(cache.weight(), 0);
});

test('loads missing events in one question, and asks again when another instance has applied a redaction', async () => {
  const { log, room: one } = room();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'syncapi', syncapiMigrations, 0);
  const loader = createEventLoader({ database, roomQuery: log.roomQuery, cache: createEventCache(100_000) });
  const secret = one.say(alice, 'secret');
  const other = one.say(alice, 'other');
  const ids = [secret.eventId, other.eventId, secret.eventId, '$unknown'];
  assert.equal((await loader.load(ids)).size, 2);
  assert.equal((await loader.load(ids.slice(0, 3))).size, 2);
  assert.equal(log.questions, 1);
  const redaction = one.redact(alice, secret.eventId);
  assert.match((await loader.load([secret.eventId])).get(secret.eventId)!.head, /secret/, 'the read model does not know yet');
  await database.transaction((tx) => tx.run('INSERT INTO redactions (event_id, redacted_by, room_id) VALUES (?, ?, ?)', [secret.eventId, redaction.eventId, one.roomId]));
  const loaded = await loader.load([secret.eventId]);
  assert.equal(contentText(loaded.get(secret.eventId)!), '{}');
  assert.ok(loaded.has(redaction.eventId), 'the redaction comes along');
  await database.close();
});
