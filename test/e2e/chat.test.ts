/**
 * The spine, end to end: real clients chat in every mode while every process is killed in the middle. The servers are those of MYELIN_TEST_POSTGRES_URL,
 * MYELIN_TEST_NATS_URL and MYELIN_TEST_KAFKA_BROKERS, which `npm test` starts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat } from './chat.ts';
import { modes } from './modes.ts';

for (const mode of modes()) {
  test(`two clients exchange 1,000 messages, everything killed in the middle: ${mode.name}`, { skip: mode.missing === undefined ? false : `${mode.missing} is not here`, timeout: 240_000 }, async (t) => {
    const running = await mode.start();
    t.after(() => running.stop());
    const report = await chat({ baseUrl: running.baseUrl, messages: 1000, inTheMiddle: () => running.killEverything() });
    assert.equal(report.messages, 1000);
    t.diagnostic(`${report.messages} messages in ${report.seconds.toFixed(1)} s, ${report.retriedSends} sends repeated`);
  });
}
