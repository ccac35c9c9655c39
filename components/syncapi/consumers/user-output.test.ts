import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { syncapiMigrations } from '../index.ts';
import { userOutputApplier } from './user-output.ts';

test('a record that tells of messages to many users wakes all of them', async (t) => {
  const database = await openSqlite({ path: ':memory:' });
  t.after(() => database.close());
  await migrate(database, 'syncapi', syncapiMigrations, 0);
  const output = { userId: '@first:a.example', inputId: 'i', traceId: '', toDeviceArrived: { userIds: ['@first:a.example', '@second:a.example', '@third:a.example'] } };
  const changed = await database.transaction((tx) => userOutputApplier().apply(tx, [{ partition: 0, sequence: 1, output }]));
  assert.deepEqual(changed, { rooms: [], users: output.toDeviceArrived.userIds });
});
