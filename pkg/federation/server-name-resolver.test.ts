/** What is remembered of names, and for how long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { ServerNameError } from './resolve-server-name.ts';
import { createServerNameResolver } from './server-name-resolver.ts';
import type { Overrides } from './server-name-resolver.ts';
import { readWellKnown } from './well-known.ts';
import type { WellKnownResponse } from './well-known.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = 1_700_000_000_000;
const answer = (text: string, headers: Record<string, string> = {}, status = 200): WellKnownResponse => ({ status, headers, body: Buffer.from(text) });
const TO_B = '{"m.server":"b.test:1"}';

test('answers count as long as their headers say, within bounds', () => {
  const lifetime = (headers: Record<string, string>) => readWellKnown(answer(TO_B, headers), { nowMs: NOW, failuresBefore: 3 }).lifetimeMs / MINUTE;
  const cases: [Record<string, string>, number][] = [
    [{}, 24 * 60], [{ 'cache-control': 'public, Max-Age=7200' }, 120], [{ 'cache-control': 'max-age="600"' }, 10], [{ 'cache-control': 'max-age=7200', age: '3600' }, 60],
    [{ 'cache-control': 'max-age=99999999' }, 48 * 60], [{ 'cache-control': 'max-age=1' }, 5], [{ 'cache-control': 'max-age=7200, no-store' }, 5], [{ 'cache-control': 'no-cache' }, 5],
    [{ expires: new Date(NOW + HOUR).toUTCString() }, 60], [{ expires: '0' }, 5], [{ expires: new Date(NOW + HOUR).toUTCString(), 'cache-control': 'max-age=1200' }, 20],
    [{ 'cache-control': 'max-age=-5' }, 24 * 60],
  ];
  for (const [headers, minutes] of cases) assert.equal(lifetime(headers), minutes, JSON.stringify(headers));
});

test('what is no valid answer delegates to nobody, for a time that doubles up to an hour', () => {
  const bad = [undefined, answer(TO_B, {}, 404), answer(TO_B, {}, 201), answer('{'), answer('[]'), answer('null'), answer('{}'), answer('{"m.server":5}'), answer('{"m.server":"no name"}'), answer('{"m.server":"b.test:x"}')];
  for (const response of bad) assert.deepEqual(readWellKnown(response, { nowMs: NOW, failuresBefore: 0 }), { delegated: undefined, lifetimeMs: MINUTE });
  assert.deepEqual([1, 2, 5, 6, 5000].map((failuresBefore) => readWellKnown(undefined, { nowMs: NOW, failuresBefore }).lifetimeMs / MINUTE), [2, 4, 32, 60, 60]);
  assert.equal(readWellKnown({ status: 200, headers: {}, body: new Uint8Array([0xff]) }, { nowMs: NOW, failuresBefore: 0 }).delegated, undefined);
});

function world(overrides?: Overrides, hostsMax?: number) {
  const runtime = createManualRuntime({ startMs: NOW });
  const asked: string[] = [];
  let response: WellKnownResponse | undefined = answer(TO_B);
  const resolver = createServerNameResolver({
    clock: runtime.clock, random: runtime.random, overrides, hostsMax,
    effects: {
      async fetchWellKnown(hostname) { asked.push(hostname); await runtime.clock.yield(); return response; },
      lookUpSrv(name) { asked.push(name); return Promise.resolve([]); },
    },
  });
  const where = async (serverName: string) => (await resolver.resolve(serverName)).targets.map(({ host, port }) => `${host}:${port}`).join();
  const asks = () => asked.splice(0);
  return { runtime, resolver, where, asks, answers: (next: WellKnownResponse | undefined) => { response = next; } };
}

test('a delegation is asked for once, also by many at once, until it expires', async () => {
  const { runtime, where, asks } = world();
  assert.deepEqual(await Promise.all(['a.test', 'a.test', 'a.test'].map(where)), Array<string>(3).fill('b.test:1'));
  await runtime.advance(0.8 * 24 * HOUR - 1);
  await where('a.test');
  assert.deepEqual(asks(), ['a.test']);
  await runtime.advance(24 * HOUR);
  await where('a.test');
  assert.deepEqual(asks(), ['a.test']);
});

test('before it expires it is asked for again, and nobody waits; while that fails, it counts to its end', async () => {
  const { runtime, where, asks, answers } = world();
  await where('a.test');
  answers(answer('{"m.server":"c.test:2"}'));
  await runtime.advance(20 * HOUR);
  assert.deepEqual([await where('a.test'), await where('a.test')], ['b.test:1', 'b.test:1']);
  await runtime.advance(0);
  assert.equal(await where('a.test'), 'c.test:2');
  assert.deepEqual(asks(), ['a.test', 'a.test']);
  answers(undefined);
  for (const [afterMs, expected] of [[20 * HOUR, 'c.test:2'], [30_000, 'c.test:2'], [30_000, 'c.test:2'], [3 * HOUR, 'c.test:2'], [HOUR, 'a.test:8448']] as const) {
    await runtime.advance(afterMs);
    assert.equal(await where('a.test'), expected, `${afterMs}`);
    await runtime.advance(0);
  }
  assert.deepEqual(asks().filter((name) => name === 'a.test').length, 4, 'it was left alone for a minute, then for longer');
  answers(answer(TO_B));
  await runtime.advance(HOUR);
  assert.equal(await where('a.test'), 'b.test:1');
});

test('failures are remembered too, longer each time, until an answer comes', async () => {
  const { runtime, where, asks, answers } = world();
  answers(undefined);
  const wellKnownAsks = async (afterMs: number) => {
    await runtime.advance(afterMs);
    await where('a.test');
    return asks().filter((name) => name === 'a.test').length;
  };
  assert.deepEqual([await wellKnownAsks(0), await wellKnownAsks(MINUTE - 1), await wellKnownAsks(1), await wellKnownAsks(MINUTE), await wellKnownAsks(MINUTE)], [1, 0, 1, 0, 1]);
  answers(answer(TO_B));
  await runtime.advance(HOUR);
  assert.equal(await where('a.test'), 'b.test:1');
  answers(undefined);
  await runtime.advance(24 * HOUR);
  assert.equal(await where('a.test'), 'a.test:8448');
  asks();
  assert.equal(await wellKnownAsks(MINUTE), 1, 'the row of failures began anew');
});

test('SRV answers are kept briefly, and forgotten when they led nowhere', async () => {
  const { runtime, resolver, where, asks, answers } = world();
  answers(answer('{"m.server":"b.test"}'));
  await where('a.test');
  assert.deepEqual(asks(), ['a.test', '_matrix-fed._tcp.b.test', '_matrix._tcp.b.test']);
  await where('a.test');
  assert.deepEqual(asks(), []);
  resolver.forget('a.test');
  await where('a.test');
  assert.deepEqual(asks(), ['_matrix-fed._tcp.b.test', '_matrix._tcp.b.test']);
  await runtime.advance(5 * MINUTE);
  await where('a.test');
  assert.deepEqual(asks(), ['_matrix-fed._tcp.b.test', '_matrix._tcp.b.test']);
});

test('overrides ask nobody; the name stays the one to be proved', async () => {
  const { resolver, asks } = world(new Map([['a.test', { host: '127.0.0.1', port: 5 }], ['[::1]:8', { host: 'b.test', port: 6 }], ['no name', { host: 'b.test', port: 6 }]]));
  assert.deepEqual(await resolver.resolve('a.test'), { targets: [{ host: '127.0.0.1', port: 5 }], hostHeader: 'a.test', tlsName: 'a.test' });
  assert.deepEqual(await resolver.resolve('[::1]:8'), { targets: [{ host: 'b.test', port: 6 }], hostHeader: '[::1]:8', tlsName: '::1' });
  await assert.rejects(resolver.resolve('no name'), ServerNameError);
  assert.deepEqual(asks(), []);
});

test('memory is bounded: the oldest host is forgotten first', async () => {
  const { where, asks } = world(undefined, 2);
  for (const name of ['a.test', 'c.test', 'd.test']) await where(name);
  asks();
  for (const name of ['d.test', 'c.test', 'a.test']) await where(name);
  assert.deepEqual(asks(), ['a.test']);
});
