import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import type { Outcome } from '../../schemas/log/envelope.ts';
import type { RoomInput } from '../../schemas/log/room-input.ts';
import { createCommandClient } from './command-client.ts';
import { OutcomeTimeout, type OutcomeLookup } from './commands.ts';
import { LogUnavailable, type LogDriver } from './log.ts';

/** A log that takes everything and answers nothing. */
const silent: LogDriver = {
  name: 'simulated', transportId: 'test',
  append: async () => undefined,
  subscribe: async () => ({ close: async () => undefined }),
  head: async () => 0,
  signal: () => undefined,
  listen: async () => ({ close: async () => undefined }),
  health: () => undefined,
  close: async () => undefined,
};
const input = (inputId: string): Omit<RoomInput, 'replyTo' | 'deadlineMs'> => ({ inputId, traceId: '', originServerTs: 0, roomId: '!r:x', setTyping: { userId: '@u:x', typing: true, timeoutMs: 1 } });
const outcomeOf = (inputId: string): Outcome => ({
  inputId, partition: 0, sequence: 1, result: new Uint8Array(0), errcode: '', error: '', status: 200, errorFields: new Uint8Array(0),
});

async function stand(options: { lookup?: OutcomeLookup; pendingMax?: number } = {}) {
  const runtime = createManualRuntime();
  const remembered = new Map<string, Outcome>();
  const questions: number[] = [];
  const lookup: OutcomeLookup = async (_log, inputIds) => {
    questions.push(inputIds.length);
    return new Map([...remembered].filter(([inputId]) => inputIds.includes(inputId)));
  };
  const client = createCommandClient({
    driver: silent, runtime, partitionMap: { version: 1, partitions: 1 }, lookup: options.lookup ?? lookup, ...(options.pendingMax === undefined ? {} : { pendingMax: options.pendingMax }),
  });
  return { runtime, remembered, questions, client };
}

test('all who wait for lost outcomes ask the tables with one question a second', async () => {
  const { runtime, remembered, questions, client } = await stand();
  const all = Promise.all(Array.from({ length: 300 }, (_, index) => client.submitRoomInput(input(`input ${index}`))));
  await runtime.advance(3100);
  assert.deepEqual(questions, [300, 300, 300]);
  for (let index = 0; index < 300; index += 1) remembered.set(`input ${index}`, outcomeOf(`input ${index}`));
  await runtime.advance(1000);
  assert.equal((await all).length, 300);
  await runtime.advance(5000);
  assert.equal(questions.length, 4);
});

test('what the owner has done at the last moment is found after the deadline; what it has not done ends then', async () => {
  const { runtime, remembered, client } = await stand();
  const done = client.submitRoomInput(input('done'));
  const dropped = assert.rejects(client.submitRoomInput(input('dropped')), OutcomeTimeout);
  await runtime.advance(30_050);
  remembered.set('done', outcomeOf('done'));
  await runtime.advance(4000);
  assert.equal((await done).inputId, 'done');
  await dropped;
});

test('a database that does not answer keeps nobody waiting beyond the deadline', async () => {
  const { runtime, client } = await stand({ lookup: () => new Promise(() => undefined) });
  const dropped = assert.rejects(client.submitRoomInput(input('one')), OutcomeTimeout);
  await runtime.advance(34_000);
  await dropped;
});

test('when too many wait, the next are told at once', async () => {
  const { runtime, remembered, client } = await stand({ pendingMax: 2 });
  const first = [client.submitRoomInput(input('a')), client.submitRoomInput(input('a'))];
  await assert.rejects(client.submitRoomInput(input('b')), LogUnavailable);
  remembered.set('a', outcomeOf('a'));
  await runtime.advance(1100);
  assert.equal((await Promise.all(first)).length, 2);
  remembered.set('b', outcomeOf('b'));
  const later = client.submitRoomInput(input('b'));
  await runtime.advance(2100);
  assert.equal((await later).inputId, 'b');
});

test('a command that has to ask another server may be given more time', async () => {
  const { runtime, remembered, client } = await stand();
  const patient = client.submitRoomInput(input('patient'), { deadlineMs: 125_000 });
  const other = assert.rejects(client.submitRoomInput(input('other')), OutcomeTimeout);
  await runtime.advance(33_500);
  await other;
  await runtime.advance(80_000);
  remembered.set('patient', outcomeOf('patient'));
  await runtime.advance(2000);
  assert.equal((await patient).inputId, 'patient');
});
