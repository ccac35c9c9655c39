import assert from 'node:assert/strict';
import { test } from 'node:test';
import { userInputCodec } from '../../../pkg/log/codec.ts';
import { LogUnavailable } from '../../../pkg/log/log.ts';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createToDeviceReceiver } from './receive-to-device.ts';

const partitionMap = { version: 1, partitions: 4 };

function scene(isUp = true) {
  const inputs: UserInput[] = [];
  const receiver = createToDeviceReceiver({
    runtime: createManualRuntime(), partitionMap, serverName: 'a.test',
    driver: {
      append: async (log, partition, records, options) => {
        if (!isUp) throw new LogUnavailable('down');
        assert.deepEqual([log, options?.durable], ['user-input', true]);
        for (const record of records) {
          const input = userInputCodec.decode(record);
          for (const { userId } of input.sendToDevice!.targets) assert.equal(partitionOf(partitionMap, userId), partition);
          inputs.push(input);
        }
      },
    },
  });
  return { inputs, receive: (...units: unknown[]) => receiver('b.test', units, '') };
}

const unit = (content: object) => ({ edu_type: 'm.direct_to_device', content: { sender: '@bob:b.test', type: 'm.test', message_id: 'id', messages: { '@alice:a.test': { '*': { n: 1 } } }, ...content } });
const shown = (inputs: readonly UserInput[]) => inputs.flatMap(({ sendToDevice }) => sendToDevice!.targets.map(({ userId, deviceId, content }) => [userId, deviceId, JSON.parse(Buffer.from(sendToDevice!.contents[content]!).toString()) as unknown]));

test('messages become inputs of the owners of their users', async () => {
  const { inputs, receive } = scene();
  await receive(unit({ messages: { '@alice:a.test': { '*': { n: 1 }, PHONE: { n: 2 } }, '@carol:a.test': { PC: { n: 1 } } } }));
  assert.deepEqual(shown(inputs).sort(), [['@alice:a.test', '*', { n: 1 }], ['@alice:a.test', 'PHONE', { n: 2 }], ['@carol:a.test', 'PC', { n: 1 }]]);
  assert.ok(inputs.every(({ sendToDevice }) => sendToDevice!.sender === '@bob:b.test' && sendToDevice!.type === 'm.test'));
});

test('a message that comes twice is the same input, whatever transaction it is in; another message is another', async () => {
  const { inputs, receive } = scene();
  await receive(unit({}));
  await receive(unit({}));
  await receive(unit({ message_id: 'other' }));
  assert.equal(inputs[0]!.inputId, inputs[1]!.inputId);
  assert.notEqual(inputs[0]!.inputId, inputs[2]!.inputId);
});

test('what is wrong is passed over, and what is right beside it taken', async () => {
  const { inputs, receive } = scene();
  const wrong = [{ sender: '@eve:c.test' }, { sender: '@alice:a.test' }, { sender: 5 }, { type: 5 }, { message_id: 5 }, { message_id: '' }, { messages: [] }, { message_id: 'x'.repeat(300) }].map(unit);
  await receive(5, { edu_type: 'm.direct_to_device' }, { ...unit({}), edu_type: 'm.other' }, ...wrong, unit({
    messages: { '@alice:a.test': { PHONE: 5, BIG: { text: 'x'.repeat(70_000) }, PC: { n: 1 } }, '@dora:d.test': { '*': {} }, 'no user': { '*': {} }, '@carol:a.test': 5 },
  }));
  assert.deepEqual(shown(inputs), [['@alice:a.test', 'PC', { n: 1 }]]);
});

test('what cannot be kept is not acknowledged', async () => {
  await assert.rejects(scene(false).receive(unit({})), LogUnavailable);
});
