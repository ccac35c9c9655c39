/** kill -9, again and again, while four connections send: what was acknowledged is there, once, and a repeated send makes no second event. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newRoom, readMessages, register, V3, type Answer, type ApiSession } from '../e2e/api-client.ts';
import { modes } from '../e2e/modes.ts';

const KILLS = 20;
const SENDERS = 4;

interface Acknowledged {
  readonly eventId: string;
  readonly body: string;
}

test(`${KILLS} times kill -9 during sends: every acknowledged send is there exactly once`, { timeout: 180_000 }, async (t) => {
  const running = await modes()[0]!.start();
  t.after(() => running.stop());
  const people = await Promise.all(Array.from({ length: SENDERS }, () => register(running.baseUrl)));
  const rooms = [await newRoom(people[0]!), await newRoom(people[1]!)];
  for (const person of people) for (const room of rooms) assert.equal((await person.call('POST', `${V3}/join/${room}`, {})).status, 200);
  const acknowledged = rooms.map((): Acknowledged[] => []);
  const lastOf = people.map(() => new Map<number, Acknowledged>());
  const doubtful = { count: 0 };
  let over = false;
  const senders = people.map(async (person, index) => {
    for (let number = 0; !over; number += 1) {
      const place = number % rooms.length;
      const body = `${index}/${number}`;
      const eventId = await sendUntilAnswered(person, `${V3}/rooms/${rooms[place]!}/send/m.room.message/${number}`, { body, doubtful });
      acknowledged[place]!.push({ eventId, body });
      lastOf[index]!.set(place, { eventId, body });
    }
  });
  const killer = (async () => {
    for (let kills = 0; kills < KILLS; kills += 1) {
      await sleep(randomInt(20, 300));
      await running.killEverything();
    }
    over = true;
  })();
  await Promise.all([killer, ...senders]);
  for (const [place, room] of rooms.entries()) {
    const stored = await readMessages(people[2]!, room);
    assert.equal(new Set(stored.map(({ body }) => body)).size, stored.length, 'no transaction made two events');
    const byBody = new Map(stored.map((message) => [message.body, message.eventId]));
    for (const { eventId, body } of acknowledged[place]!) assert.equal(byBody.get(body), eventId, `${body} was acknowledged`);
    assert.equal(stored.length, acknowledged[place]!.length);
    for (const index of people.keys()) {
      const numbers = stored.filter(({ body }) => body.startsWith(`${index}/`)).map(({ body }) => Number(body.split('/')[1]));
      assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), 'the sends of one connection are in their order');
    }
  }
  for (const [index, person] of people.entries()) {
    for (const [place, { eventId, body }] of lastOf[index]!) {
      const again = await person.call('PUT', `${V3}/rooms/${rooms[place]!}/send/m.room.message/${body.split('/')[1]!}`, { body: 'again' });
      assert.equal(again.body.event_id, eventId, 'a transaction is still remembered after all restarts');
    }
  }
  t.diagnostic(`${acknowledged.flat().length} sends, ${doubtful.count} of them repeated because no answer came`);
  assert.ok(doubtful.count > 0, 'no send was under way when the program was killed');
});

/** Repeats one transaction until it is answered with 200. Anything but a broken connection or a 503 is a failure. */
async function sendUntilAnswered(person: ApiSession, path: string, how: { body: string; doubtful: { count: number } }): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const answer = await person.call('PUT', path, { msgtype: 'm.text', body: how.body }).catch((error: unknown): Answer | undefined => {
      assert.ok(tries < 2000, `no answer at all: ${String(error)}`);
      return undefined;
    });
    if (answer?.status === 200) return (answer.body as { event_id: string }).event_id;
    if (answer !== undefined) assert.equal(answer.status, 503, JSON.stringify(answer.body));
    if (tries === 0) how.doubtful.count += 1;
    await sleep(10);
  }
}
