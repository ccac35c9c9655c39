import assert from 'node:assert/strict';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import { createClock } from '../../runtime/real/clock.ts';
import { whenKnown } from './topics.ts';

test('what passes by itself is asked again, anything else is told at once', async () => {
  const clock = createClock();
  let asked = 0;
  const nobody = null as unknown as { topicMetadata: string[] };
  const afterNobody = (): Promise<string[]> => Promise.resolve().then(() => ((asked += 1) === 1 ? nobody.topicMetadata : ['known']));
  assert.deepEqual(await whenKnown(clock, 1000, afterNobody), ['known']);
  await assert.rejects(whenKnown(clock, 1000, () => Promise.resolve().then(() => (undefined as unknown as string).length)), TypeError);
  const unknown = (): Promise<never> => Promise.reject(new kafkajs.KafkaJSProtocolError({ type: 'UNKNOWN_TOPIC_OR_PARTITION', code: 3, retriable: true, message: 'not here' } as never));
  await assert.rejects(whenKnown(clock, 100, unknown), kafkajs.KafkaJSProtocolError);
});
