/** A model of a client: it puts together what /sync sends and repairs gaps with /messages, and fails when an event comes twice or in the wrong place. */
import assert from 'node:assert/strict';
import type { SyncWorld } from './sync-world.ts';

export interface ClientEvent {
  readonly event_id: string;
  readonly type: string;
  readonly state_key?: string;
}

export interface ClientRoom {
  /** Oldest first. */
  timeline: string[];
  /** Event IDs by type and state key. */
  readonly state: Map<string, string>;
  section: string;
}

export class SyncClient {
  readonly rooms = new Map<string, ClientRoom>();
  readonly #world: SyncWorld;
  readonly #userId: string;
  readonly #query: Record<string, string>;
  #since: string | undefined;
  /** Events that were shown behind a gap which cannot be closed (of rooms that the user never was in): what is before them is not known. */
  readonly #adrift = new Set<string>();
  /** Tokens so far. */
  readonly tokens: string[] = [];

  constructor(world: SyncWorld, userId: string, query: Record<string, string> = {}) {
    this.#world = world;
    this.#userId = userId;
    this.#query = query;
  }

  async sync(): Promise<void> {
    const answer = await this.#world.sync(this.#userId, { ...this.#query, ...(this.#since === undefined ? {} : { since: this.#since }) });
    assert.equal(answer.status, undefined, JSON.stringify(answer));
    for (const section of ['join', 'leave']) {
      for (const [roomId, room] of Object.entries(answer.rooms?.[section] ?? {})) await this.#take(section, roomId, room as never);
    }
    for (const section of ['invite', 'knock']) for (const roomId of Object.keys(answer.rooms?.[section] ?? {})) this.#room(roomId).section = section;
    this.#since = answer.next_batch as string;
    this.tokens.push(this.#since);
  }

  #room(roomId: string): ClientRoom {
    const room = this.rooms.get(roomId) ?? { timeline: [], state: new Map<string, string>(), section: '' };
    this.rooms.set(roomId, room);
    return room;
  }

  async #take(section: string, roomId: string, news: { timeline: { events: ClientEvent[]; limited: boolean; prev_batch?: string }; state?: { events: ClientEvent[] }; state_after?: { events: ClientEvent[] } }): Promise<void> {
    const room = this.#room(roomId);
    room.section = section;
    const known = new Set(room.timeline);
    const { limited, prev_batch: prevBatch } = news.timeline;
    assert.ok(prevBatch !== undefined || section === 'leave', 'who is in a room can page back');
    const missed = limited && prevBatch !== undefined ? await this.#repair(roomId, prevBatch, known) : [];
    for (const event of [...missed, ...news.timeline.events]) {
      if (prevBatch === undefined) this.#adrift.add(event.event_id);
      if (known.has(event.event_id)) {
        assert.ok(this.#mayComeAgain(event), 'only own member events of the time outside may come again');
        continue;
      }
      known.add(event.event_id);
      room.timeline.push(event.event_id);
    }
    for (const event of news.state_after?.events ?? [...(news.state?.events ?? []), ...news.timeline.events]) {
      if (event.state_key !== undefined) room.state.set(JSON.stringify([event.type, event.state_key]), event.event_id);
    }
  }

  #mayComeAgain(event: ClientEvent): boolean {
    return this.#adrift.has(event.event_id) || `${event.type} ${event.state_key}` === `m.room.member ${this.#userId}`;
  }

  /** Goes back from a gap until something known comes, or nothing more. */
  async #repair(roomId: string, prevBatch: string, known: ReadonlySet<string>): Promise<ClientEvent[]> {
    const missed: ClientEvent[] = [];
    for (let from: string | undefined = prevBatch; from !== undefined; ) {
      const page: { chunk: ClientEvent[]; end?: string } = await this.#world.get(this.#userId, `/rooms/${roomId}/messages`, { dir: 'b', from, limit: '3' });
      for (const event of page.chunk) {
        if (known.has(event.event_id) && !this.#mayComeAgain(event)) return missed;
        if (!known.has(event.event_id)) missed.unshift(event);
      }
      from = page.end;
    }
    return missed;
  }
}
