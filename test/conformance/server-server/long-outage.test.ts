/**
 * A server is away for three days, in which much is said in the rooms that it is in: when it is back it is sent how each room ends, asks for what it needs, and both agree.
 * MYELIN_LONG_OUTAGE_EVENTS=5000 says how many events there are; the default is short.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLeapingClock } from '../../kit/leaping-clock.ts';
import { createServerNetwork, type Body, type NetworkServer } from '../../kit/server-network.ts';

const V3 = '/_matrix/client/v3';
const EVENTS = Number(process.env['MYELIN_LONG_OUTAGE_EVENTS'] ?? '600');
const ROOMS = 20;
const HOURS = 72;
const HOUR_MS = 3_600_000;
const WAIT_MS_MAX = 30_000;

interface Side {
  readonly server: NetworkServer;
  readonly token: string;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const endsAt = performance.now() + WAIT_MS_MAX; !(await holds()); await sleep(50)) assert.ok(performance.now() < endsAt, `waited too long for ${what}`);
}

const pathOf = (roomId: string): string => `${V3}/rooms/${encodeURIComponent(roomId)}`;
const say = ({ server, token }: Side, roomId: string, body: string): Promise<Body> =>
  server.call('PUT', `${pathOf(roomId)}/send/m.room.message/${encodeURIComponent(body)}`, { token, body: { msgtype: 'm.text', body } });

/** The texts of all messages of the room, the oldest first. */
async function readAll({ server, token }: Side, roomId: string): Promise<string[]> {
  const found: string[] = [];
  for (let from = ''; ;) {
    const { chunk, end } = await server.call('GET', `${pathOf(roomId)}/messages?dir=b&limit=100${from}`, { token });
    for (const { type, content } of chunk) if (type === 'm.room.message') found.push(content.body as string);
    if (end === undefined) return found.reverse();
    from = `&from=${encodeURIComponent(end as string)}`;
  }
}

async function stateOf({ server, token }: Side, roomId: string): Promise<string[]> {
  const events = await server.call('GET', `${pathOf(roomId)}/state`, { token }) as { event_id: string }[];
  return events.map(({ event_id: id }) => id).sort();
}

test(`a server that was away for three days while ${EVENTS} events went into ${ROOMS} rooms`, { timeout: 300_000 }, async (t) => {
  const clock = createLeapingClock();
  let pdus = 0;
  let attempts = 0;
  const network = createServerNetwork({
    clock,
    asked: ({ destination, path, json }) => {
      if (destination !== 'away.test' || !path.includes('/send/')) return;
      attempts += 1;
      pdus += (JSON.parse(json!) as { pdus: unknown[] }).pdus.length;
    },
  });
  t.after(() => network.close());
  const [here, away] = [await network.add('here.test'), await network.add('away.test')];
  const [host, guest]: Side[] = [{ server: here, token: await here.register('host') }, { server: away, token: await away.register('guest') }];
  const rooms: string[] = [];
  for (let number = 0; number < ROOMS; number += 1) {
    const { room_id: roomId } = await here.call('POST', `${V3}/createRoom`, { token: host!.token, body: { preset: 'public_chat', room_alias_name: `room${number}` } });
    await away.call('POST', `${V3}/join/${encodeURIComponent(`#room${number}:here.test`)}`, { token: guest!.token, body: {} });
    rooms.push(roomId as string);
  }
  const kickedFrom = rooms.pop()!;
  await until('the guest to be everywhere', async () => {
    const members = await Promise.all([...rooms, kickedFrom].map((roomId) => here.call('GET', `${pathOf(roomId)}/joined_members`, { token: host!.token })));
    return members.every(({ joined }) => '@guest:away.test' in joined);
  });
  for (const roomId of rooms) await say(host!, roomId, 'first');
  await until('the first words', async () => (await away.messages(guest!.token, rooms.at(-1)!)).includes('first'));
  network.gone.add('away.test');
  const said = new Map(rooms.map((roomId) => [roomId, ['first']]));
  for (let hour = 0, sent = 0; hour < HOURS; hour += 1) {
    for (; sent < (EVENTS * (hour + 1)) / HOURS; sent += 1) {
      const roomId = rooms[sent % rooms.length]!;
      await say(host!, roomId, `message ${sent}`);
      said.get(roomId)!.push(`message ${sent}`);
    }
    if (hour === 40) {
      await here.call('PUT', `${pathOf(rooms[0]!)}/state/m.room.topic/`, { token: host!.token, body: { topic: 'changed' } });
      await here.call('POST', `${pathOf(kickedFrom)}/kick`, { token: host!.token, body: { user_id: '@guest:away.test' } });
    }
    clock.leap(HOUR_MS);
    await sleep(5);
  }
  [pdus, attempts] = [0, 0];
  network.gone.delete('away.test');
  // It asks for something, as a server does that was started again.
  await away.call('GET', `${V3}/publicRooms?server=here.test`, { token: guest!.token });
  for (const roomId of rooms) await until(`the last words in ${roomId}`, async () => (await away.messages(guest!.token, roomId))[0] === said.get(roomId)!.at(-1));
  await until('the kick', async () => !((await away.call('GET', `${V3}/joined_rooms`, { token: guest!.token })).joined_rooms as string[]).includes(kickedFrom));
  assert.ok(pdus <= 4 * ROOMS, `it was sent ${pdus} events in ${attempts} transactions`);
  t.diagnostic(`it was sent ${pdus} of ${EVENTS} events, in ${attempts} transactions`);
  for (const roomId of rooms) {
    await until(`the states of ${roomId} to be equal`, async () => JSON.stringify(await stateOf(host!, roomId)) === JSON.stringify(await stateOf(guest!, roomId)));
    assert.deepEqual(await readAll(guest!, roomId), said.get(roomId), 'what the guest reads back');
  }
  await say(guest!, rooms[0]!, 'I am back');
  await until('an answer', async () => (await here.messages(host!.token, rooms[0]!))[0] === 'I am back');
});
