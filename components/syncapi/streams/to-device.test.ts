import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSyncWorld, type SyncWorld } from '../../../test/kit/sync-world.ts';
import { HistoryLog } from '../../../test/kit/room-history.ts';
import { ALICE, BOB, deviceWith, json, openUserapi, registration, type UserDriver } from '../../../test/kit/user-driver.ts';
import type { Outcome } from '../../../schemas/log/envelope.ts';
import { decodeSyncToken } from '../token/sync-token.ts';

interface World {
  readonly sync: SyncWorld;
  readonly users: UserDriver;
  /** What becomes of acknowledgements: carried out and answered, carried out in vain, or neither. */
  acks: 'heard' | 'unheard' | 'lost';
  ackCount: number;
  send(deviceId: string, ...contents: readonly unknown[]): Promise<void>;
  close(): Promise<void>;
}

const ACCEPTED: Outcome = { inputId: '', partition: 0, sequence: 0, result: new Uint8Array(), errcode: '', error: '', status: 200, errorFields: new Uint8Array() };

async function open(): Promise<World> {
  const users = await openUserapi();
  const sync = await createSyncWorld(new HistoryLog(), {
    toDevice: {
      query: users.query.toDevice,
      submit: async ({ userId, ackToDevice }) => {
        world.ackCount += 1;
        if (world.acks !== 'lost') await users.batch({ userId, ackToDevice: ackToDevice! });
        if (world.acks !== 'heard') throw new Error('no answer');
        return ACCEPTED;
      },
    },
  });
  let told = 0;
  /** The read model hears of all that the owner has told. */
  async function apply(): Promise<void> {
    for (; told < users.log.length; told += 1) await sync.applyUser(users.log[told]!.output);
  }
  const world: World = {
    sync, users, acks: 'heard', ackCount: 0,
    async send(deviceId, ...contents) {
      await users.batch(...contents.map((content) => ({ userId: ALICE, sendToDevice: { sender: BOB, type: 't', targets: [{ userId: ALICE, deviceId, content: 0 }], contents: [json({ n: content })] } })));
      await apply();
    },
    close: () => sync.close(),
  };
  await users.batch({ userId: ALICE, ...registration('PHONE', 'a') }, { userId: ALICE, login: { device: deviceWith('TABLET', 'b') } });
  await apply();
  return world;
}

// Bodies of answers are looked into freely.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const contentsOf = (answer: any): unknown[] => (answer.to_device?.events ?? []).map((event: { content: { n: unknown } }) => event.content.n);
const phone = (world: World, query: Record<string, string> = {}) => world.sync.sync(`${ALICE}/PHONE`, query);
const stored = async (world: World) => (await world.users.database.query('SELECT sequence FROM to_device')).length;

test('a message is in answers until the device comes back with the token of one of them', async () => {
  const world = await open();
  const empty = await phone(world);
  assert.equal('to_device' in empty, false);
  await world.send('PHONE', 1, 2);
  const first = await phone(world, { since: empty.next_batch });
  assert.deepEqual(first.to_device, { events: [1, 2].map((n) => ({ content: { n }, sender: BOB, type: 't' })) });
  assert.deepEqual(contentsOf(await phone(world, { since: empty.next_batch })), [1, 2]);
  assert.deepEqual([await stored(world), world.ackCount], [2, 0]);
  const second = await phone(world, { since: first.next_batch });
  assert.equal('to_device' in second, false);
  assert.deepEqual([await stored(world), world.ackCount], [0, 1]);
  await phone(world, { since: second.next_batch });
  assert.equal(world.ackCount, 1);
  await world.close();
});

test('a first sync has what waits, of this device only', async () => {
  const world = await open();
  await world.send('PHONE', 1);
  await world.send('*', 2);
  await world.send('TABLET', 3);
  assert.deepEqual(contentsOf(await phone(world)), [1, 2]);
  assert.deepEqual(contentsOf(await world.sync.sync(`${ALICE}/TABLET`)), [2, 3]);
  await world.close();
});

test('an answer has a hundred at most, and the next one is not waited for', async () => {
  const world = await open();
  const numbers = Array.from({ length: 250 }, (_, n) => n);
  await world.send('PHONE', ...numbers);
  const seen: unknown[] = [];
  let since: string | undefined;
  for (const size of [100, 100, 50]) {
    const answer = await phone(world, { ...(since !== undefined && { since }), timeout: '30000' });
    assert.equal(contentsOf(answer).length, size);
    seen.push(...contentsOf(answer));
    since = answer.next_batch as string;
  }
  assert.deepEqual(seen, numbers);
  assert.equal(await stored(world), 50);
  await world.close();
});

test('a waiting sync hears of a message', async () => {
  const world = await open();
  const { next_batch: since } = await phone(world);
  const waiting = phone(world, { since, timeout: '30000' });
  await world.sync.runtime.advance(10);
  await world.send('PHONE', 1);
  assert.deepEqual(contentsOf(await waiting), [1]);
  await world.close();
});

test('the token of another device acknowledges nothing and hides nothing', async () => {
  const world = await open();
  await world.send('*', 1);
  const tablet = await world.sync.sync(`${ALICE}/TABLET`);
  assert.equal(decodeSyncToken(tablet.next_batch as string).toDevice?.isUnacknowledged, true);
  const answer = await phone(world, { since: tablet.next_batch as string });
  assert.deepEqual([contentsOf(answer), await stored(world), world.ackCount], [[1], 2, 0]);
  await world.close();
});

test('what could not be acknowledged is with the next token', async () => {
  const world = await open();
  await world.send('PHONE', 1);
  world.acks = 'lost';
  const { next_batch: first } = await phone(world);
  const { next_batch: second } = await phone(world, { since: first });
  assert.deepEqual([await stored(world), world.ackCount], [1, 1]);
  world.acks = 'heard';
  const third = await phone(world, { since: second });
  assert.deepEqual([contentsOf(third), await stored(world), world.ackCount], [[], 0, 2]);
  await phone(world, { since: third.next_batch });
  assert.equal(world.ackCount, 2);
  await world.close();
});

test('/initialSync and /events neither tell of messages nor lose any', async () => {
  const world = await open();
  await world.send('PHONE', 1);
  const start = await world.sync.get(`${ALICE}/PHONE`, '/initialSync');
  const more = await world.sync.get(`${ALICE}/PHONE`, '/events', { from: start.end, timeout: '0' });
  assert.deepEqual(contentsOf(await phone(world, { since: more.end })), [1]);
  await world.close();
});

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('send' as const), device: fc.constantFrom('PHONE', 'TABLET', '*'), count: fc.integer({ min: 1, max: 120 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('sync' as const), device: fc.constantFrom('PHONE', 'TABLET'), isHeard: fc.boolean(), acks: fc.constantFrom('heard' as const, 'unheard' as const, 'lost' as const) }) },
);

test('whatever answers and acknowledgements are lost, each device gets each message once and in order', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
    const world = await open();
    const sent = new Map<string, number[]>([['PHONE', []], ['TABLET', []]]);
    const got = new Map<string, unknown[]>([['PHONE', []], ['TABLET', []]]);
    const tokens = new Map<string, string>();
    let number = 0;
    const sync = async (device: string, isHeard: boolean): Promise<number> => {
      const since = tokens.get(device);
      const answer = await world.sync.sync(`${ALICE}/${device}`, since === undefined ? {} : { since });
      if (!isHeard) return 0;
      tokens.set(device, answer.next_batch as string);
      got.get(device)!.push(...contentsOf(answer));
      return contentsOf(answer).length;
    };
    for (const one of steps) {
      if (one.kind === 'send') {
        const numbers = Array.from({ length: one.count }, () => (number += 1));
        for (const device of one.device === '*' ? sent.keys() : [one.device]) sent.get(device)!.push(...numbers);
        await world.send(one.device, ...numbers);
        continue;
      }
      world.acks = one.acks;
      await sync(one.device, one.isHeard);
    }
    world.acks = 'heard';
    for (const device of sent.keys()) {
      while (await sync(device, true) > 0);
      assert.deepEqual(got.get(device), sent.get(device));
    }
    assert.equal(await stored(world), 0);
    assert.deepEqual(await world.users.database.query('SELECT shared FROM to_device_shared'), []);
    await world.close();
  }), { numRuns: 60 });
});
