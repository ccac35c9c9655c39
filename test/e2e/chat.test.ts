/**
 * The spine, end to end: real clients chat in every mode while every process is killed in the middle. The servers are those of MYELIN_TEST_POSTGRES_URL,
 * MYELIN_TEST_NATS_URL and MYELIN_TEST_KAFKA_BROKERS, which `npm test` starts. MYELIN_CHAT_MESSAGES=1000 makes them talk longer.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat } from './chat.ts';
import { modes } from './modes.ts';

const MESSAGES = Number(process.env['MYELIN_CHAT_MESSAGES'] ?? 150);

for (const mode of modes()) {
  test(`two clients exchange ${MESSAGES} messages, everything killed in the middle: ${mode.name}`, { skip: mode.missing === undefined ? false : `${mode.missing} is not here`, timeout: 240_000 }, async (t) => {
    const running = await mode.start();
    t.after(() => running.stop());
    const report = await chat({ baseUrl: running.baseUrl, messages: MESSAGES, inTheMiddle: () => running.killEverything() });
    assert.equal(report.messages, MESSAGES);
    t.diagnostic(`${report.messages} messages in ${report.seconds.toFixed(1)} s, ${report.retriedSends} sends repeated`);
  });
}
