import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createEduReceiver } from './receive-edus.ts';

const ROOM = '!room:a.test';

function scene(shutOut: readonly string[] = []) {
  const runtime = createManualRuntime();
  const inputs: { kind: string; durable: boolean | undefined; id: string }[] = [];
  const asked: string[] = [];
  const receiver = createEduReceiver({
    runtime, partitionMap: { version: 1, partitions: 4 },
    driver: {
      append: async (log, _partition, records, options) => {
        assert.equal(log, 'room-input');
        for (const record of records) {
          const { roomId, setTyping, setReceipt, inputId } = roomInputCodec.decode(record);
          const kind = setTyping ? `${setTyping.userId} ${setTyping.typing ? 'types' : 'stops'}` : `${setReceipt!.userId} ${setReceipt!.receiptType} ${setReceipt!.eventId} ${setReceipt!.threadId ?? '-'} ${setReceipt!.ts - runtime.clock.now()}`;
          inputs.push({ kind: `${roomId} ${kind}`, durable: options?.durable, id: inputId });
        }
      },
    },
    roomQuery: {
      hasJoinedMember: async (roomId, server) => {
        asked.push(`${roomId} ${server}`);
        return roomId === ROOM;
      },
      currentState: async () => [{
        eventId: '$acl', roomId: ROOM, roomVersion: '12', redactedBy: null, orderKey: 1, pdu: Buffer.from(JSON.stringify({ content: { allow: ['*'], deny: shutOut } })),
      }],
    },
  });
  const receive = (...edus: unknown[]) => receiver.receive('b.test', edus, { txnId: 't', traceId: '' });
  return { runtime, inputs, asked, receive, receiver };
}

const typing = (userId: string, roomId = ROOM, is: unknown = true) => ({ edu_type: 'm.typing', content: { room_id: roomId, user_id: userId, typing: is } });
const receipt = (userId: string, more: object = {}, roomId = ROOM) => ({ edu_type: 'm.receipt', content: { [roomId]: { 'm.read': { [userId]: { event_ids: ['$1'], data: { ts: 5 }, ...more } } } } });

test('who types and who has read becomes inputs of the room, of which only receipts must last', async () => {
  const { inputs, receive, runtime } = scene();
  await receive(receipt('@u:b.test', { data: { ts: runtime.clock.now() + 99, thread_id: 'main' } }), typing('@u:b.test'), typing('@v:b.test', ROOM, false), receipt('@v:b.test', { data: {} }));
  assert.deepEqual(inputs.map(({ kind, durable }) => [kind, durable]), [
    [`${ROOM} @u:b.test types`, false], [`${ROOM} @v:b.test stops`, false], [`${ROOM} @u:b.test m.read $1 main 0`, true], [`${ROOM} @v:b.test m.read $1 - 0`, true],
  ]);
  assert.equal(new Set(inputs.map(({ id }) => id)).size, 4);
});

test('servers speak for their own users only, in rooms that they are in and that let them in', async () => {
  const { inputs, receive, asked } = scene();
  await receive(typing('@u:c.test'), receipt('@u:a.test'), typing('@u:b.test', '!other:b.test'), typing('@u:b.test', '!other:b.test', false));
  assert.deepEqual([inputs, asked], [[], ['!other:b.test b.test']]);
  const shut = scene(['b.test']);
  await shut.receive(typing('@u:b.test'));
  assert.deepEqual([shut.inputs, shut.asked.length], [[], 1]);
});

test('what is wrong is passed over, and what is right beside it taken', async () => {
  const { inputs, receive } = scene();
  await receive(
    null, 'x', {}, { edu_type: 'm.typing' }, { edu_type: 'm.typing', content: [] }, { edu_type: 'm.unknown', content: {} }, typing('u'), typing('@u:b.test', 'room'), typing('@u:b.test', ROOM, 'yes'), typing('@u:b.test', '!\0'),
    receipt('@u:b.test', { event_ids: [] }), receipt('@u:b.test', { event_ids: 'x' }), receipt('@u:b.test', { data: null }), receipt('@u:b.test', { data: { ts: 1, thread_id: 'x' } }), receipt('@u:b.test', { event_ids: [`$${'x'.repeat(255)}`] }),
    { edu_type: 'm.receipt', content: { [ROOM]: { 'm.read.private': { '@u:b.test': { event_ids: ['$1'], data: { ts: 1 } } } } } }, typing('@u:b.test'),
  );
  assert.deepEqual(inputs.map(({ kind }) => kind), [`${ROOM} @u:b.test types`]);
});
