/** One trace ID leads from a client's send through the logs to another client's /sync, in the log lines of a real process. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat } from './chat.ts';
import { modes } from './modes.ts';

test('a send can be followed by its trace ID from the request to the other client\'s /sync', async (t) => {
  const running = await modes()[0]!.start({ MYELIN_LOG_LEVEL: 'debug', MYELIN_LOG_FORMAT: 'json' });
  t.after(() => running.stop());
  await chat({ baseUrl: running.baseUrl, messages: 40 });
  const lines = running.programs[0]!.output().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
  const sent = lines.find((line) => line['operation'] === 'sendMessage' && line['status'] === 200);
  assert.ok(sent, 'a send was logged');
  const traceId = sent['traceId'] as string;
  const steps = lines.filter((line) => line['traceId'] === traceId || (line['traces'] as string[] | undefined)?.includes(traceId)).map((line) => [line['msg'], line['consumer'] ?? line['operation']].filter(Boolean).join(' '));
  for (const step of ['input decided roomserver', 'record applied syncapi.room-output', 'sync answered', 'request sendMessage']) assert.ok(steps.includes(step), `${step} is among: ${steps.join('; ')}`);
});
