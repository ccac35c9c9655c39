/** What the applier makes of user-output: units that have to reach other servers, as the text that is signed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { userOutputCodec } from '../../../pkg/log/codec.ts';
import { canonicalJson } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import { writeJoinedHosts } from '../storage/joined-hosts.ts';
import { federationapiMigrations } from '../storage/migrations.ts';
import { readUnitQueue } from '../storage/unit-queue.ts';
import { userOutputApplier } from './user-output.ts';

const USER = '@u:a.example';
const NONE = new Uint8Array();

test('units are queued as canonical JSON, each for the servers that it concerns', async (t) => {
  const database = await openSqlite({ path: ':memory:' });
  t.after(() => database.close());
  await migrate(database, 'federationapi', federationapiMigrations, 0);
  await database.transaction((tx) => writeJoinedHosts(tx, new Map([['!r', { reset: false, counts: new Map([['b.example', 1], ['denied.example', 1]]) }]])));
  const queued: string[][] = [];
  const applier = userOutputApplier({
    serverName: 'a.example', database, clock: { now: () => 7 }, isDenied: (name) => name.startsWith('denied'), partitionOfDestination: () => 3, onRemoteDevices: () => undefined, onQueued: (names) => void queued.push([...names]),
    syncQuery: { joinedRoomsOf: async () => new Map([[USER, ['!r']]]) },
  });
  const list = { deviceId: 'D', deleted: false, displayName: 'Handy', keys: NONE, crossSigning: NONE, previous: 3 };
  const text = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const keys = { user_id: USER, device_id: 'D', algorithms: ['m.olm.v1'], keys: { 'ed25519:D': 'x' }, signatures: {} };
  const outputs: Partial<UserOutput>[] = [
    { deviceList: { ...list, keys: text(keys) } },
    { deviceList: { ...list, deleted: true, previous: 0 } },
    { deviceList: { ...list, deviceId: '', crossSigning: text({ self_signing_key: { user_id: USER, keys: { a: 'b' } }, master_key: { usage: ['master'], keys: {} } }) } },
    { deviceList: { ...list, keys: text({ odd: '\ud800' }) } },
    { toDeviceLeaving: { messages: [{ destination: 'c.example', content: Buffer.from('{"message_id":"m","messages":{},"sender":"@u:a.example","type":"t"}') }] } },
    { deviceList: { ...list, keys: text({ ...keys, unsigned: { half: 0.5 } }) } },
  ];
  const records = outputs.map((output, index) => ({ partition: 1, sequence: index + 4, output: applier.decode(userOutputCodec.encode({ userId: USER, inputId: '', traceId: '', ...output } as UserOutput)) }));
  await applier.load!(records);
  assert.equal(applier.isIdle!(records), false);
  await database.transaction((tx) => applier.apply(tx, records));
  applier.committed!(records);
  assert.deepEqual(queued.map((names) => names.sort()), [['b.example', 'c.example']]);
  const units = [...await readUnitQueue(database, 'b.example', 10), ...await readUnitQueue(database, 'c.example', 10)].map(({ json }) => json);
  const parsed = units.map((json) => JSON.parse(json) as { edu_type: string; content: Record<string, unknown> });
  assert.deepEqual(parsed.map(({ edu_type: type }) => type), ['m.device_list_update', 'm.device_list_update', 'm.signing_key_update', 'm.device_list_update', 'm.direct_to_device']);
  assert.deepEqual(parsed[0]!.content, { user_id: USER, device_id: 'D', stream_id: 4, prev_id: [3], device_display_name: 'Handy', keys });
  assert.deepEqual(parsed[1]!.content, { user_id: USER, device_id: 'D', stream_id: 5, prev_id: [], deleted: true });
  for (const [index, json] of units.entries()) if (index !== 3) assert.equal(json, canonicalJson(parsed[index]));
  assert.ok(units[3]!.includes('"unsigned":{"half":0.5}') && units[3]!.startsWith('{"content":{"device_display_name":'));
  assert.deepEqual(await database.query('SELECT DISTINCT subject FROM unit_queue ORDER BY subject', []), [{ subject: '' }, { subject: `devices of ${USER}` }]);
});
