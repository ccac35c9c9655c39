/** What the users of a server do all day, all at once, as fast as they are answered or as they are told: until they are told to pause. */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CrowdUser } from '../crowd.ts';
import { Connection } from '../http-client.ts';

const V3 = '/_matrix/client/v3';
const FILLER = 'x'.repeat(500);
const SENDERS = 48;
const SYNC_TIMEOUT_MS = 2000;
const LOOK_EVERY_MS = 20;
/** Of 1,000 things that a sender does. */
const CHURNS = 40;
const TYPINGS = 60;
const NEW_ROOMS = 2;
/** Each so many syncs with news are answered by a receipt. */
const RECEIPT_EVERY = 5;

interface Seen {
  readonly next_batch: string;
  readonly rooms?: { readonly join?: Record<string, { readonly timeline: { readonly events: readonly { readonly event_id: string }[] } }> };
}

export interface MixedLoadOptions {
  /** Each user is in some of the rooms. */
  readonly roomsOf: (user: CrowdUser) => readonly string[];
  /** Things that senders begin in a second at most; 0: as fast as they are answered. */
  readonly perSecondMax: number;
}

export class MixedLoad {
  /** That have come into rooms so far; receipts are among them. */
  events = 0;
  readonly #baseUrl: string;
  readonly #users: readonly CrowdUser[];
  readonly #roomsOf: MixedLoadOptions['roomsOf'];
  readonly #spacingMs: number;
  readonly #run = randomBytes(4).toString('hex');
  readonly #loops: Promise<void>[] = [];
  #active = 0;
  #paused = true;
  #ended = false;
  #number = 0;
  #nextAt = 0;

  constructor(baseUrl: string, users: readonly CrowdUser[], { roomsOf, perSecondMax }: MixedLoadOptions) {
    this.#baseUrl = baseUrl;
    this.#users = users;
    this.#roomsOf = roomsOf;
    this.#spacingMs = perSecondMax === 0 ? 0 : 1000 / perSecondMax;
  }

  resume(): void {
    this.#paused = false;
    if (this.#loops.length > 0) return;
    for (let index = 0; index < SENDERS; index += 1) this.#loops.push(this.#loop((connection) => this.#act(connection)));
    for (const user of this.#users) this.#loops.push(this.#sync(user));
  }

  /** Resolves when nothing is under way any more. Rejects with what went wrong meanwhile. */
  async pause(): Promise<void> {
    this.#paused = true;
    const over = (async () => {
      while (this.#active > 0) await sleep(LOOK_EVERY_MS);
    })();
    await Promise.race([over, Promise.all(this.#loops)]);
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#loops);
  }

  async #loop(act: (connection: Connection) => Promise<void>): Promise<void> {
    const connection = await Connection.open(this.#baseUrl);
    while (!this.#ended) {
      if (this.#paused) {
        await sleep(LOOK_EVERY_MS);
        continue;
      }
      this.#active += 1;
      await act(connection);
      this.#active -= 1;
    }
    connection.close();
  }

  /** One thing after the other: who comes and goes, in which room, and what is said, follows from the number alone. */
  async #act(connection: Connection): Promise<void> {
    if (this.#spacingMs > 0) await this.#turn();
    const number = (this.#number += 1);
    const user = this.#users[(number * 7) % this.#users.length]!;
    const rooms = this.#roomsOf(user);
    const room = encodeURIComponent(rooms[Math.floor(number / this.#users.length) % rooms.length]!);
    const kind = (number * 389) % 1000;
    if (kind < CHURNS) return this.#churn(connection, user, room);
    if (kind < CHURNS + TYPINGS) return this.#do(connection, user, ['PUT', `/rooms/${room}/typing/${encodeURIComponent(user.userId)}`, { typing: true, timeout: 5000 }], 0);
    if (kind < CHURNS + TYPINGS + NEW_ROOMS) return this.#do(connection, user, ['POST', '/createRoom', { preset: 'private_chat', name: `room ${number}` }], 8);
    return this.#do(connection, user, ['PUT', `/rooms/${room}/send/m.room.message/${this.#run}-${number}`, { msgtype: 'm.text', body: `${number} ${FILLER}` }], 1);
  }

  #turn(): Promise<void> {
    const now = performance.now();
    const at = Math.max(now, this.#nextAt);
    this.#nextAt = at + this.#spacingMs;
    return at === now ? Promise.resolve() : sleep(at - now);
  }

  async #churn(connection: Connection, user: CrowdUser, room: string): Promise<void> {
    await this.#do(connection, user, ['POST', `/rooms/${room}/leave`, {}], 1);
    await this.#do(connection, user, ['POST', `/join/${room}`, {}], 1);
  }

  /** Where two users' doings meet, one may be refused: who has left meanwhile may not send. */
  async #do(connection: Connection, { token }: CrowdUser, [method, path, body]: readonly [string, string, object], events: number): Promise<void> {
    const { status, body: text } = await connection.request(method, `${V3}${path}`, { token, body: JSON.stringify(body) });
    if (status === 200) this.events += events;
    else if (status !== 403) throw new Error(`${method} ${path} was answered with ${status}: ${text.slice(0, 300)}`);
  }

  #sync(user: CrowdUser): Promise<void> {
    let since = '';
    let news = 0;
    return this.#loop(async (connection) => {
      const query = since === '' ? 'timeout=0' : `timeout=${SYNC_TIMEOUT_MS}&since=${since}`;
      const { status, body } = await connection.request('GET', `${V3}/sync?${query}`, { token: user.token });
      if (status !== 200) throw new Error(`a sync was answered with ${status}: ${body.slice(0, 300)}`);
      const seen = JSON.parse(body) as Seen;
      since = seen.next_batch;
      const [told] = Object.entries(seen.rooms?.join ?? {});
      const event = told?.[1].timeline.events.at(-1);
      if (told === undefined || event === undefined || (news += 1) % RECEIPT_EVERY !== 0) return;
      await this.#do(connection, user, ['POST', `/rooms/${encodeURIComponent(told[0])}/receipt/m.read/${encodeURIComponent(event.event_id)}`, {}], 1);
    });
  }
}
