/** A room whose inputs are slow gives way to the others of its partition, keeps its order, and loses nothing. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createCounterProcessor } from '../../test/conformance/log/counter/processor.ts';
import { counterMigrations, encodeJson, type CounterInput } from '../../test/conformance/log/counter/records.ts';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import { createEmbeddedDriver } from './embedded/driver.ts';
import { createInputRunner } from './input-runner.ts';
import { logMigrations } from './tables.ts';
import { createAlternation, createTurns } from './turns.ts';

test('what other processes take of the core is not held against a share whose inputs are quick', () => {
  const turnsAt = (): { turns: ReturnType<typeof createTurns>; decide: (took: { ms: number; missedMs: number }) => void } => {
    const clock = { now: 0, missedMs: 1000 };
    const turns = createTurns({ monotonic: () => clock.now, cores: () => ({ usedMs: clock.now - clock.missedMs, missedMs: clock.missedMs }) }, 3);
    return {
      turns,
      decide: ({ ms, missedMs }) => {
        turns.begin('a');
        clock.now += ms;
        clock.missedMs += missedMs;
        turns.end();
      },
    };
  };
  const preempted = turnsAt();
  for (let count = 0; count < 10; count += 1) preempted.decide({ ms: 0.2, missedMs: 0 });
  for (let count = 0; count < 3; count += 1) preempted.decide({ ms: 12, missedMs: 11.8 });
  assert.equal(preempted.turns.isOver('a'), false);
  assert.ok(preempted.turns.used.get('a')!.takenMs > 35);

  const slow = turnsAt();
  slow.decide({ ms: 22, missedMs: 8 });
  assert.equal(slow.turns.isOver('a'), true, 'what is slow by itself has no more time than it takes by the clock');

  const waiting = turnsAt();
  waiting.decide({ ms: 12, missedMs: 0 });
  assert.equal(waiting.turns.isOver('a'), true, 'others wait as long for what it has to read');
});

test('a share has its time, more when nobody else waits, and none of what others have used up', () => {
  let now = 0;
  const turns = createTurns({ monotonic: () => now, cores: () => ({ usedMs: now, missedMs: 0 }) }, 3);
  const decide = (share: string, ms: number): void => {
    turns.begin(share);
    now += ms;
    turns.end();
  };
  decide('a', 9);
  assert.equal(turns.isOver('a'), false);
  decide('a', 1);
  assert.deepEqual([turns.isOver('a'), turns.isOver('b')], [true, false]);
  decide('b', 10);
  decide('c', 0.5);
  assert.equal(turns.isOver('c'), false);
  decide('c', 1);
  assert.equal(turns.isOver('c'), true);
  assert.deepEqual([...turns.used], [['a', { inputs: 2, ms: 10, slowestMs: 9, takenMs: 0 }], ['b', { inputs: 1, ms: 10, slowestMs: 10, takenMs: 0 }], ['c', { inputs: 2, ms: 1.5, slowestMs: 1, takenMs: 0 }]]);

  const busy = createTurns({ monotonic: () => now, cores: () => ({ usedMs: now, missedMs: 0 }) }, 3);
  const decideQuick = (times: number): void => {
    for (let count = 0; count < times; count += 1) {
      busy.begin('quick');
      now += 0.25;
      busy.end();
    }
  };
  decideQuick(40);
  assert.deepEqual([busy.isOver('quick'), busy.isOver('quick', true)], [false, true]);
  decideQuick(39);
  assert.equal(busy.isOver('quick'), false, 'many that are quick are cheaper to decide than to put aside');
  decideQuick(1);
  assert.equal(busy.isOver('quick'), true);

  const alone = createTurns({ monotonic: () => now, cores: () => ({ usedMs: now, missedMs: 0 }) }, 1);
  const decideAlone = (ms: number, times: number): void => {
    for (let count = 0; count < times; count += 1) {
      alone.begin('a');
      now += ms;
      alone.end();
    }
  };
  decideAlone(60, 1);
  decideAlone(1.5, 99);
  assert.equal(alone.isOver('a'), false, 'one that was slow says nothing of the rest');
  decideAlone(60, 2);
  assert.equal(alone.isOver('a'), true);
});

/** A runner for which each input of the keys given takes so many ms. */
async function stand(t: TestContext, slow: Readonly<Record<string, number>>) {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  await migrate(database, 'counter', counterMigrations, 0);
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime });
  const processor = createCounterProcessor(database);
  let spent = 0;
  const decided: string[] = [];
  /** What each batch has decided. */
  const batches: string[][] = [];
  /** By input: what happens while it is decided. */
  const meanwhile = new Map<string, () => Promise<unknown>>();
  const open = () => createInputRunner({
    consumer: 'counter', inputLog: 'room-input', outputLog: 'room-output', database, driver, partitions: 1, exclusive: true,
    runtime: { ...runtime, clock: { ...runtime.clock, monotonic: () => spent, cores: () => ({ usedMs: spent, missedMs: 0 }) } },
    processor: {
      ...processor,
      load: (inputs) => (batches.push([]), processor.load(inputs)),
      decide(input, place) {
        spent += slow[input.key] ?? 0;
        decided.push(input.inputId);
        batches.at(-1)!.push(input.inputId);
        void meanwhile.get(input.inputId)?.();
        return processor.decide(input, place);
      },
    },
  });
  let runner = open();
  t.after(async () => {
    const stopped = runner.stop();
    await runtime.advance(1000);
    await stopped;
    await driver.close();
    await database.close();
  });
  return {
    runtime, database, decided, batches, meanwhile,
    start: () => runner.start(),
    async restart() {
      const stopped = runner.stop();
      await runtime.advance(1000);
      await stopped;
      runner = open();
      await runner.start();
    },
    append: (inputs: readonly CounterInput[]) => driver.append('room-input', 0, inputs.map(encodeJson)),
  };
}

function add(inputId: string, key: string, more: Partial<CounterInput> = {}): CounterInput {
  return { inputId, replyTo: '', deadlineMs: 0, traceId: '', key, by: 1, kind: 'add', ...more };
}

test('what is slow is put aside, what waits behind it in the log is decided in the same batch, and all are decided once and in order', async (t) => {
  const { runtime, database, decided, batches, start, append } = await stand(t, { slow: 9 });
  const slow = Array.from({ length: 12 }, (_, index) => add(`slow ${index}`, 'slow'));
  await append([...slow, add('quick 1', 'quick'), add('quick 2', 'quick')]);
  await start();
  await runtime.advance(1000);
  assert.deepEqual(batches[0], ['slow 0', 'slow 1', 'quick 1', 'quick 2']);
  assert.deepEqual(decided.filter((inputId) => inputId.startsWith('slow')), slow.map(({ inputId }) => inputId));
  assert.deepEqual(await database.query('SELECT name, value FROM counters ORDER BY name'), [{ name: 'quick', value: 2 }, { name: 'slow', value: 12 }]);
  assert.deepEqual(await database.query('SELECT number FROM parked_inputs'), []);
});

test('what was put aside is still there for the next owner, also what came behind it, and what is late by then is dropped', async (t) => {
  const { runtime, database, decided, start, restart, append } = await stand(t, {});
  const aside = [add('one', 'a'), add('late', 'a', { deadlineMs: 1 }), add('two', 'a')];
  for (const [index, input] of aside.entries()) {
    await database.transaction((tx) => tx.run(
      "INSERT INTO parked_inputs (consumer, partition, number, key, until_ms, reason, record) VALUES ('counter', 0, ?, 'a', ?, '', ?)", [index + 1, index < 2 ? 0 : Number.MAX_SAFE_INTEGER, encodeJson(input)]));
  }
  await append([add('three', 'a')]);
  await start();
  await runtime.advance(1000);
  await restart();
  await runtime.advance(1000);
  assert.deepEqual(decided, ['one', 'two', 'three']);
  assert.deepEqual(await database.query('SELECT number FROM parked_inputs'), []);
});

test('what was put aside takes part in every second batch while others wait, and in each when none do', () => {
  let now = 0;
  const alternation = createAlternation({ monotonic: () => now });
  assert.deepEqual([alternation.takesAside(true), alternation.areOthersAbout()], [true, false]);
  alternation.note({ tookAside: true, shares: ['slow'] });
  assert.deepEqual([alternation.takesAside(true), alternation.takesAside(false), alternation.areOthersAbout()], [false, true, false]);
  alternation.note({ tookAside: false, shares: ['quick'] });
  assert.deepEqual([alternation.takesAside(true), alternation.areOthersAbout()], [true, true]);
  now += 1000;
  alternation.note({ tookAside: false, shares: ['quick'] });
  assert.equal(alternation.areOthersAbout(), false, 'nobody else came for a while');
});

test('who comes during a turn of what is slow is decided before its next one', async (t) => {
  const { runtime, batches, start, append, meanwhile } = await stand(t, { slow: 9 });
  meanwhile.set('slow 5', () => append([add('quick 2', 'quick')]));
  await append([...Array.from({ length: 30 }, (_, index) => add(`slow ${index}`, 'slow')), add('quick 1', 'quick')]);
  await start();
  await runtime.advance(1000);
  assert.deepEqual(batches.find((batch) => batch.includes('quick 2')), ['quick 2'], 'by itself');
  assert.deepEqual(batches.filter((batch) => batch.length > 5), [], 'and no turn is longer for being alone in its batch');
});

test('a turn is no longer for what comes behind it in the log meanwhile', async (t) => {
  const { runtime, batches, decided, start, append, meanwhile } = await stand(t, { slow: 1 });
  for (let number = 0; number < 60; number += 10) {
    meanwhile.set(`slow ${number + 5}`, () => append([add(`quick ${number}`, 'quick')]));
    meanwhile.set(`quick ${number}`, () => append([add(`behind ${number}`, 'slow')]));
  }
  await append([...Array.from({ length: 60 }, (_, index) => add(`slow ${index}`, 'slow')), add('quick', 'quick')]);
  await start();
  await runtime.advance(1000);
  assert.equal(decided.length, 60 + 1 + 6 + 6);
  assert.deepEqual(batches.map((batch) => batch.length).filter((length) => length > 11), []);
});
