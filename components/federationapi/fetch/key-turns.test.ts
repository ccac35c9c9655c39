/** Who waits for whom when keys are asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Overloaded } from '../../../pkg/assert/semaphore.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createKeyTurns, neighbourhoodOf } from './key-turns.ts';

const LIMITS = { places: 4, ofKey: 2, waitingOfKey: 3, waiting: 10, slowMs: 1000, slowMax: 2 };

function world() {
  const runtime = createManualRuntime();
  const turns = createKeyTurns(runtime.clock, LIMITS);
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  const refused: string[] = [];
  const ask = (name: string, isKnown = false): void => {
    turns.run({ name, isKnown }, () => {
      running.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    }).then(() => void running.splice(running.indexOf(name), 1), (error: unknown) => {
      assert.ok(error instanceof Overloaded);
      refused.push(name);
    });
  };
  const end = async (name: string) => {
    ends.get(name)!();
    await runtime.advance(0);
  };
  return { runtime, running, refused, ask, end };
}

test('a neighbourhood has few places and few in line; others pass by it', async () => {
  const { runtime, running, refused, ask, end } = world();
  for (let i = 0; i < 7; i += 1) ask(`a${i}.evil.test`);
  ask('good.example');
  await runtime.advance(0);
  assert.deepEqual([running, refused], [['a0.evil.test', 'a1.evil.test', 'good.example'], ['a5.evil.test', 'a6.evil.test']]);
  await end('a0.evil.test');
  assert.ok(running.includes('a2.evil.test') && !running.includes('a3.evil.test'));
});

test('who has nothing under way goes before those that have', async () => {
  const { runtime, running, ask, end } = world();
  for (const name of ['a.n.one', 'a.n.two', 'a.n.three', 'b.n.one', 'b.n.two', 'b.n.three', 'a.n.four']) ask(name);
  await runtime.advance(0);
  assert.deepEqual(running, ['a.n.one', 'a.n.two', 'a.n.three', 'b.n.one']);
  await end('a.n.three');
  assert.deepEqual(running.slice(3), ['b.n.three']);
  await end('b.n.one');
  assert.deepEqual(running.slice(3), ['a.n.four']);
});

test('who takes long gives its place away, some of them', async () => {
  const { runtime, running, ask } = world();
  for (const name of ['a.one', 'b.one', 'a.two', 'b.two', 'a.three', 'a.four', 'a.five']) ask(name);
  await runtime.advance(999);
  assert.equal(running.length, 4);
  await runtime.advance(1);
  assert.equal(running.length, 6);
  await runtime.advance(10_000);
  assert.equal(running.length, 6, 'no more than two are slow at a time');
});

test('servers that were met before do not wait for strangers', async () => {
  const { runtime, running, ask } = world();
  for (let i = 0; i < 8; i += 1) ask(`a.n${i}`);
  ask('known.n1', true);
  await runtime.advance(0);
  assert.equal(running.length, 5);
  assert.ok(running.includes('known.n1'));
});

test('neighbourhoods', () => {
  assert.deepEqual(['a.b.Evil.test:1', 'evil.test.', '10.2.3.4:8', '[2001:db8::1]:8', 'localhost', 'no name'].map(neighbourhoodOf), ['evil.test', 'evil.test', '10.2', '2001.db8', 'localhost', '']);
});
