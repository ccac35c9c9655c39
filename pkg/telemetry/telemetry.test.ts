import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { createMetrics, noMetrics } from './metrics.ts';
import { createLogger } from './pino-logger.ts';
import { formatLine } from './readable-line.ts';
import { lazyChild } from './request-logger.ts';
import { newTraceId, traceIdOf, traceIdOrNew, traceparentOf } from './trace.ts';

function record(format: 'json' | 'pretty', level: 'debug' | 'info' = 'info') {
  const lines: string[] = [];
  return { lines, logger: createLogger({ level, format, write: (line) => void lines.push(line) }) };
}

test('a JSON line has time, level, fields, message; below the level nothing is written', () => {
  const { lines, logger } = record('json');
  logger.child({ traceId: 't1' }).info({ room: '!a:b' }, 'joined');
  logger.debug({}, 'not shown');
  assert.equal(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, { level: 'info', traceId: 't1', room: '!a:b', msg: 'joined' });
});

test('secrets are replaced wherever they stand', () => {
  const { lines, logger } = record('json');
  const secret = 's3cret';
  logger.info({ password: secret, access_token: secret, headers: { authorization: secret }, request: { body: { password: secret, user: 'alice' } } }, 'x');
  logger.child({ accessToken: secret }).warn({ settings: { registrationToken: secret } }, 'x');
  assert.doesNotMatch(lines.join(''), /s3cret/);
  assert.match(lines[0] ?? '', /alice/);
});

test('an error is logged with message and stack', () => {
  const { lines, logger } = record('json');
  logger.error({ error: new TypeError('boom') }, 'failed');
  const entry = JSON.parse(lines[0] ?? '') as { error: Record<string, string> };
  assert.deepEqual([entry.error['type'], entry.error['message']], ['TypeError', 'boom']);
  assert.match(entry.error['stack'] ?? '', /telemetry\.test/);
});

test('a readable line', () => {
  const line = JSON.stringify({ level: 'warn', time: '2026-11-21T06:54:47.612Z', room: '!a:b', text: 'two words', n: 3, msg: 'slow' });
  assert.equal(formatLine(line), '06:54:47.612 WARN  slow room=!a:b text="two words" n=3\n');
  assert.equal(formatLine('not json\n'), 'not json\n');
  const { lines, logger } = record('pretty', 'debug');
  logger.error({ error: new Error('boom') }, 'failed');
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} ERROR failed\n {4}Error: boom\n {8}at /);
});

test('a lazy child is made by the first line and carries its fields', () => {
  let made = 0;
  const { lines, logger } = record('json');
  const child = lazyChild({ ...logger, child: (fields) => {
    made += 1;
    return logger.child(fields);
  } }, { traceId: 't' });
  assert.equal(made, 0);
  child.info({}, 'one');
  child.warn({}, 'two');
  assert.equal(made, 1);
  assert.match(lines[1] ?? '', /"traceId":"t"/);
});

test('metrics of one name are one; each registry is its own', async () => {
  const [metrics, other] = [createMetrics(), createMetrics()];
  for (let i = 0; i < 2; i += 1) metrics.counter({ name: 'sends_total', help: 'Sends', labels: ['log'] }).add({ log: 'room-input' }, 2);
  metrics.gauge({ name: 'lag', help: 'Lag', read: () => 42 });
  metrics.gauge({ name: 'open', help: 'Open' }).add(3);
  metrics.histogram({ name: 'wait_seconds', help: 'Wait' }).observe(0.004);
  const { text, contentType } = await metrics.expose();
  assert.match(contentType, /^text\/plain/);
  assert.match(text, /myelin_sends_total\{log="room-input"\} 4/);
  assert.match(text, /myelin_lag 42/);
  assert.match(text, /myelin_open 3/);
  assert.match(text, /myelin_wait_seconds_bucket\{le="0.0025"\} 0\n/);
  assert.match(text, /myelin_wait_seconds_bucket\{le="0.005"\} 1\n/);
  assert.equal((await other.expose()).text.trim(), '');
  assert.match((await createMetrics({ processMetrics: true }).expose()).text, /process_resident_memory_bytes/);
});

test('no metrics: everything is taken, nothing comes out', async () => {
  const none = noMetrics();
  none.counter({ name: 'x', help: 'x' }).add();
  none.gauge({ name: 'x', help: 'x' }).set(1);
  none.histogram({ name: 'x', help: 'x' }).observe(1);
  assert.equal((await none.expose()).text, '');
});

const { random } = createManualRuntime();
const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
for (const good of [`00-${ID}-00f067aa0ba902b7-01`, `cc-${ID}-00f067aa0ba902b7-00-later-version`]) {
  test(`traceparent ${good} is taken`, () => assert.equal(traceIdOf(good, random), ID));
}
for (const bad of [undefined, '', ID, `ff-${ID}-00f067aa0ba902b7-01`, `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `00-${ID.toUpperCase()}-00f067aa0ba902b7-01`,
  `00-${ID}-00f067aa0ba902b7-01\n`, `00-${ID}-xyz-01`, `00-${ID}-00f067aa0ba902b7-01-${'x'.repeat(9999)}`]) {
  test(`traceparent ${JSON.stringify(bad)?.slice(0, 80)} is not taken`, () => {
    const id = traceIdOf(bad, random);
    assert.notEqual(id, ID);
    assert.match(id, /^[0-9a-f]{32}$/);
  });
}

test('trace IDs are made and passed on', () => {
  assert.notEqual(newTraceId(random), newTraceId(random));
  assert.equal(traceIdOf(traceparentOf(ID, random), random), ID);
  assert.equal(traceIdOrNew(ID, random), ID);
  assert.match(traceIdOrNew('<script>', random), /^[0-9a-f]{32}$/);
});
