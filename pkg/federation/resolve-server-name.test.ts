/** Every case of the spec's "Resolving server names", with answers from a table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolutionSteps, resolveServerName, ServerNameError } from './resolve-server-name.ts';
import type { Question, Resolved } from './resolve-server-name.ts';
import { orderSrvRecords, SRV_RECORDS_MAX } from './srv-order.ts';
import type { SrvRecord } from './srv-order.ts';

const FED = (host: string) => `_matrix-fed._tcp.${host}`;
const OLD = (host: string) => `_matrix._tcp.${host}`;
const record = (target: string, port: number, priority = 10, weight = 0): SrvRecord => ({ target, port, priority, weight });

interface World {
  readonly wellKnown?: Record<string, string>;
  readonly srv?: Record<string, readonly SrvRecord[]>;
}

async function resolveIn({ wellKnown = {}, srv = {} }: World, serverName: string): Promise<{ resolved: Resolved; asked: string[] }> {
  const asked: string[] = [];
  const resolved = await resolveServerName(serverName, {
    wellKnown: (hostname) => { asked.push(hostname); return Promise.resolve(wellKnown[hostname]); },
    srv: (name) => { asked.push(name); return Promise.resolve(srv[name] ?? []); },
  });
  return { resolved, asked };
}

const at = (host: string, port: number, hostHeader: string, tlsName: string): Resolved => ({ targets: [{ host, port }], hostHeader, tlsName });

const delegating = (name: string, srv: World['srv'] = {}): World => ({ wellKnown: { 'a.test': name }, srv });
const CASES: [step: string, serverName: string, world: World, expected: Resolved, asked: string[]][] = [
  ['1, IPv4', '1.2.3.4', {}, at('1.2.3.4', 8448, '1.2.3.4', '1.2.3.4'), []],
  ['1, IPv4 and port', '1.2.3.4:80', {}, at('1.2.3.4', 80, '1.2.3.4:80', '1.2.3.4'), []],
  ['1, IPv6', '[1:2::3]', {}, at('1:2::3', 8448, '[1:2::3]', '1:2::3'), []],
  ['1, IPv6 and port', '[1:2::3]:443', {}, at('1:2::3', 443, '[1:2::3]:443', '1:2::3'), []],
  ['2', 'a.test:8888', delegating('b.test'), at('a.test', 8888, 'a.test:8888', 'a.test'), []],
  ['3.1, IPv4', 'a.test', delegating('1.2.3.4'), at('1.2.3.4', 8448, '1.2.3.4', '1.2.3.4'), ['a.test']],
  ['3.1, IPv6 and port', 'a.test', delegating('[1::2]:9'), at('1::2', 9, '[1::2]:9', '1::2'), ['a.test']],
  ['3.2', 'a.test', delegating('b.test:443'), at('b.test', 443, 'b.test:443', 'b.test'), ['a.test']],
  ['3.3', 'a.test', delegating('b.test', { [FED('b.test')]: [record('c.test', 7)], [OLD('b.test')]: [record('d.test', 8)] }), at('c.test', 7, 'b.test', 'b.test'), ['a.test', FED('b.test')]],
  ['3.4', 'a.test', delegating('b.test', { [OLD('b.test')]: [record('d.test', 8)] }), at('d.test', 8, 'b.test', 'b.test'), ['a.test', FED('b.test'), OLD('b.test')]],
  ['3.5', 'a.test', delegating('b.test', { [FED('a.test')]: [record('not.test', 1)] }), at('b.test', 8448, 'b.test', 'b.test'), ['a.test', FED('b.test'), OLD('b.test')]],
  ['3, delegated to itself', 'a.test', delegating('a.test'), at('a.test', 8448, 'a.test', 'a.test'), ['a.test', FED('a.test'), OLD('a.test')]],
  ['4', 'a.test', { srv: { [FED('a.test')]: [record('c.test', 7)], [OLD('a.test')]: [record('d.test', 8)] } }, at('c.test', 7, 'a.test', 'a.test'), ['a.test', FED('a.test')]],
  ['5', 'a.test', { srv: { [OLD('a.test')]: [record('d.test.', 8)] } }, at('d.test', 8, 'a.test', 'a.test'), ['a.test', FED('a.test'), OLD('a.test')]],
  ['6', 'a.test', {}, at('a.test', 8448, 'a.test', 'a.test'), ['a.test', FED('a.test'), OLD('a.test')]],
  ['3, what is delegated to is not delegated again', 'a.test', { wellKnown: { 'a.test': 'b.test', 'b.test': 'c.test' } }, at('b.test', 8448, 'b.test', 'b.test'), ['a.test', FED('b.test'), OLD('b.test')]],
];

for (const [step, serverName, world, expected, asked] of CASES) {
  test(`step ${step}`, async () => {
    assert.deepEqual(await resolveIn(world, serverName), { resolved: expected, asked });
  });
}

test('several records are several targets; the target "." offers nothing', async () => {
  const several = await resolveIn({ srv: { [FED('a.test')]: [record('c.test', 1), record('d.test', 2)] } }, 'a.test');
  assert.deepEqual(several.resolved.targets, [{ host: 'c.test', port: 1 }, { host: 'd.test', port: 2 }]);
  const none = await resolveIn({ srv: { [FED('a.test')]: [record('.', 0)] } }, 'a.test');
  assert.deepEqual(none.resolved.targets, []);
});

test('questions carry the step of the spec; malformed names ask none', async () => {
  const steps = resolutionSteps('a.test');
  const questions = [steps.next(), steps.next({ to: 'well-known', delegated: 'b.test' }), steps.next({ to: 'srv', records: [] })].map((step) => step.value as Question);
  assert.deepEqual(questions.map(({ step }) => step), ['3', '3.3', '3.4']);
  for (const name of ['', 'a b', 'a.test:', 'a.test:99999', '[::1', 'a/b', 'user@a.test']) await assert.rejects(resolveIn({}, name), ServerNameError, name);
});

test('SRV records: lower priorities first, equals by weight', () => {
  const records = [record('late', 1, 20), record('heavy', 1, 10, 90), record('light', 1, 10, 10)];
  const order = (...draws: number[]) => orderSrvRecords(records, () => draws.shift() ?? 0).map(({ target }) => target);
  assert.deepEqual(order(0.5, 0), ['heavy', 'light', 'late']);
  assert.deepEqual(order(0.05, 0), ['light', 'heavy', 'late']);
  assert.deepEqual(order(0.999_999, 0.999_999, 0.999_999), ['heavy', 'light', 'late']);
  let heavyFirst = 0;
  for (let i = 0; i < 1000; i += 1) heavyFirst += order((i + 0.5) / 1000)[0] === 'heavy' ? 1 : 0;
  assert.ok(heavyFirst > 850 && heavyFirst < 950, `${heavyFirst}`);
  assert.equal(orderSrvRecords(Array.from({ length: 1000 }, (_, n) => record(`t${n}`, 1)), () => 0.5).length, SRV_RECORDS_MAX);
  assert.deepEqual(orderSrvRecords([], () => 0), []);
});
