/** Rooms whose members are not known yet: what is said there goes to the servers that are said to be in them, and to those alone that are when the members have come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoomOutput, StateChange } from '../../../schemas/log/room-output.ts';
import { createHostCache } from './host-cache.ts';
import { planBatch } from './plan-batch.ts';

const ROOM = '!room:a.example';
const join = (userId: string): StateChange => ({ type: 'm.room.member', stateKey: userId, eventId: `$${userId}`, replaces: '', membership: 'join', replacedMembership: '' });

test('servers count as if they had a member more, until the end', () => {
  const cache = createHostCache();
  cache.set(ROOM, 0, new Map());
  let sequence = 0;
  const apply = (record: Partial<RoomOutput>) => {
    const output: RoomOutput = { roomId: ROOM, roomVersion: '12', inputId: '', traceId: '', ...record };
    const plan = planBatch({ serverName: 'a.example', isDenied: () => false, starts: new Map(), cache, marked: new Map() }, [{ partition: 0, sequence: (sequence += 1), output }]);
    return { hosts: Object.fromEntries(cache.get(ROOM)!), counts: Object.fromEntries(plan.hosts.get(ROOM)?.counts ?? []), to: plan.events.map(({ destination }) => destination).sort() };
  };
  const message = {
    eventId: '$m', pdu: Buffer.from('{"sender":"@alice:a.example"}'), orderKey: 2, stateDelta: [], historyVisibility: 'shared', deviceId: '', txnId: '', softFailedAccepted: false,
    stateBeforeDiffers: false, redacts: '', relayOf: '',
  };
  const slice = (...changes: StateChange[]): Partial<RoomOutput> => ({ stateSlice: { reset: false, changes, pdus: changes.map(() => Buffer.from('{}')) } });
  const servers = ['b.example', 'c.example', 'a.example'];
  assert.deepEqual(apply({ partial: { servers, ended: false } }).hosts, { 'b.example': 1, 'c.example': 1 });
  assert.deepEqual(apply({ event: message }).to, ['b.example', 'c.example']);
  assert.deepEqual(apply(slice(join('@b:b.example'), join('@d:d.example'))).hosts, { 'b.example': 2, 'c.example': 1, 'd.example': 1 });
  const { hosts, counts } = apply({ partial: { servers, ended: true } });
  assert.deepEqual([hosts, counts], [{ 'b.example': 1, 'd.example': 1 }, { 'b.example': 1, 'c.example': 0 }]);
  assert.deepEqual(apply({ event: message }).to, ['b.example', 'd.example']);
});
