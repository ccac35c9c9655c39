/** A user's /sync loop as a plain client has it: what it has been told so far, and waiting for more. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { V3, type ApiSession } from './api-client.ts';

export interface ClientEvent {
  readonly event_id: string;
  readonly type: string;
  readonly sender: string;
  readonly state_key?: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly content: any;
}

export interface RoomView {
  membership: 'invite' | 'join' | 'leave';
  /** All timelines, one after the other; what a /sync left out has been read by /messages. */
  readonly timeline: ClientEvent[];
  /** The IDs of the events in the timelines of /sync alone. */
  readonly told: string[];
  /** By type and state key. */
  readonly state: Map<string, ClientEvent>;
  /** How many timelines left events out. */
  gaps: number;
  /** The stripped state of an invite, by type. */
  readonly invite: Map<string, ClientEvent>;
}

export interface Follower {
  room(roomId: string): RoomView;
  /** Resolves when the condition holds; rejects after `msMax` with what was waited for and, by `describe`, what there was instead. */
  until(what: string, condition: () => boolean, msMax?: number): Promise<void>;
  stop(): Promise<void>;
}

interface SyncRoom {
  readonly timeline?: { readonly events: readonly ClientEvent[]; readonly limited?: boolean; readonly prev_batch?: string };
  readonly state?: { readonly events: readonly ClientEvent[] };
  readonly invite_state?: { readonly events: readonly ClientEvent[] };
}
interface SyncAnswer {
  readonly next_batch: string;
  readonly rooms?: Partial<Record<'join' | 'invite' | 'leave', Readonly<Record<string, SyncRoom>>>>;
}

const STEP_MS_MAX = 60_000;
const POLL_MS = 10_000;
const FILTER = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 2000 } } }));

/** Starts to follow; the first /sync has been answered when this resolves. */
export async function follow(session: ApiSession): Promise<Follower> {
  const rooms = new Map<string, RoomView>();
  const room = (roomId: string): RoomView => {
    const known = rooms.get(roomId) ?? { membership: 'leave', timeline: [], told: [], state: new Map(), gaps: 0, invite: new Map() };
    rooms.set(roomId, known);
    return known;
  };
  let failure: unknown;
  let stopped = false;
  let since = '';
  let changed = Promise.withResolvers<void>();
  const once = async (timeoutMs: number): Promise<void> => {
    const answer = await session.call('GET', `${V3}/sync?filter=${FILTER}&timeout=${timeoutMs}${since === '' ? '' : `&since=${encodeURIComponent(since)}`}`);
    assert.equal(answer.status, 200, `/sync: ${JSON.stringify(answer.body)}`);
    const body = answer.body as SyncAnswer;
    since = body.next_batch;
    for (const membership of ['join', 'invite', 'leave'] as const) {
      for (const [roomId, part] of Object.entries(body.rooms?.[membership] ?? {})) {
        const view = room(roomId);
        if (part.timeline?.limited === true && view.timeline.length > 0) {
          view.gaps += 1;
          view.timeline.push(...await readGap(session, roomId, { from: part.timeline.prev_batch!, known: new Set(view.timeline.map(({ event_id: eventId }) => eventId)) }));
        }
        take(view, membership, part);
      }
    }
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  await once(0);
  const loop = (async () => {
    while (!stopped) await once(POLL_MS);
  })().catch((error: unknown) => {
    failure = error;
    changed.resolve();
  });
  return {
    room,
    async until(what, condition, msMax = STEP_MS_MAX) {
      for (const endsAt = performance.now() + msMax; !condition();) {
        if (failure !== undefined && !stopped) throw failure;
        assert.ok(performance.now() < endsAt, `${session.userId} waited ${msMax / 1000} s for ${what}`);
        await Promise.race([changed.promise, sleep(Math.max(1, endsAt - performance.now()), undefined, { ref: false })]);
      }
    },
    async stop() {
      stopped = true;
      // A sync that waits ends with its time at the latest; nobody waits for it here.
      await Promise.race([loop, sleep(1)]);
    },
  };
}

function take(view: RoomView, membership: RoomView['membership'], part: SyncRoom): void {
  view.membership = membership;
  for (const event of part.invite_state?.events ?? []) view.invite.set(event.type, event);
  const timeline = part.timeline?.events ?? [];
  view.timeline.push(...timeline);
  view.told.push(...timeline.map(({ event_id: eventId }) => eventId));
  for (const event of [...(part.state?.events ?? []), ...timeline]) {
    if (event.state_key !== undefined) view.state.set(`${event.type} ${event.state_key}`, event);
  }
}

/** What lies between the known events and a timeline that left some out, oldest first. */
async function readGap(session: ApiSession, roomId: string, { from, known }: { from: string; known: ReadonlySet<string> }): Promise<ClientEvent[]> {
  const found: ClientEvent[] = [];
  for (let token: string | undefined = from; token !== undefined;) {
    const { status, body } = await session.call('GET', `${V3}/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=100&from=${encodeURIComponent(token)}`);
    assert.equal(status, 200, `/messages: ${JSON.stringify(body)}`);
    const { chunk, end } = body as { chunk: ClientEvent[]; end?: string };
    const knownAt = chunk.findIndex(({ event_id: eventId }) => known.has(eventId));
    for (const event of knownAt === -1 ? chunk : chunk.slice(0, knownAt)) found.unshift(event);
    token = knownAt === -1 ? end : undefined;
  }
  return found;
}
