/** What was said before a user's server came into a room: read back page by page by two at once, all of it, in order, each once; and forwards. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../kit/eventually.ts';
import { V3 } from './api-client.ts';
import { closeRoom } from './closing.ts';
import { hostRoom, joinOf } from './federation-entries.ts';
import { ok, say, type Member, type SharedRoom } from './federation-rooms.ts';

export interface ReadEvent {
  readonly event_id: string;
  readonly type: string;
  readonly content: { readonly body?: string };
}

export interface Reading {
  readonly direction: 'b' | 'f';
  readonly page: number;
  readonly pagesMax: number;
}

/**
 * In the order in which they were read. A Synapse that fetches history in the background says that there is no more when the next page is asked for meanwhile, and has it a moment later: it is asked
 * again while the room's beginning is missing.
 */
export async function readAll({ peer, session }: Pick<Member, 'peer' | 'session'>, path: string, { direction, page, pagesMax }: Reading): Promise<ReadEvent[]> {
  const found: ReadEvent[] = [];
  const isEnd = (): boolean => peer.software === 'Myelin' || direction === 'f' || found.at(-1)?.type === 'm.room.create';
  for (let pages = 0, at = ''; pages < pagesMax; pages += 1) {
    const { chunk, end } = await ok(session.call('GET', `${path}/messages?dir=${direction}&limit=${page}${at === '' ? '' : `&from=${encodeURIComponent(at)}`}`)) as unknown as { chunk: ReadEvent[]; end?: string };
    found.push(...chunk);
    if (end === undefined && isEnd()) return found;
    if (end === undefined) await sleep(200);
    else at = end;
  }
  throw new Error(`there was no end after ${pagesMax} pages and ${found.length} events`);
}

const idsOf = (events: readonly ReadEvent[]): string[] => events.map(({ event_id: id }) => id);

/** A room of the host in which so much has been said, one after the other. */
export async function longTalk(host: Member, guest: Member, said: number): Promise<SharedRoom> {
  const room = await hostRoom(host, guest, { preset: 'public_chat', room_version: '11' });
  for (let count = 0; count < said; count += 1) await say(host, room, `said ${count}`);
  return room;
}

/** The guest joins and reads all of it, twice at the same time. */
export async function readPast(room: SharedRoom, reading: Omit<Reading, 'direction'>): Promise<void> {
  const { host, guest, path, roomId } = room;
  await ok(joinOf(room));
  await guest.follower.until('the room', () => guest.follower.room(roomId).membership === 'join');
  const backwards = { ...reading, direction: 'b' } as const;
  const reads = await Promise.all([readAll(guest, path, backwards), readAll(guest, path, backwards)]);
  const atHome = idsOf(await readAll(host, path, backwards));
  for (const read of reads) {
    assert.equal(read.at(-1)?.type, 'm.room.create');
    // A Synapse shows what it has while it still takes in the rest.
    if (guest.peer.software === 'Synapse') assert.deepEqual(idsOf(read), atHome.filter((id) => read.some(({ event_id: other }) => other === id)));
    else assert.deepEqual(idsOf(read), atHome);
  }
  if (guest.peer.software === 'Synapse') await eventually('all of it', async () => (await readAll(guest, path, backwards)).length === atHome.length);
  // A Synapse that is not told where to begin leaves out what it has fetched.
  if (guest.peer.software === 'Myelin') assert.deepEqual(idsOf(await readAll(guest, path, { ...reading, direction: 'f' })), atHome.toReversed());
  // What comes later stands above all of it.
  await say(host, room, 'after');
  await guest.follower.until('the message after', () => guest.follower.room(roomId).timeline.some(({ content }) => content.body === 'after'));
  const [newest, ...rest] = await readAll(guest, path, backwards);
  assert.deepEqual([newest?.content.body, idsOf(rest)], ['after', atHome]);
  await closeRoom(roomId, [host, guest]);
}

/** Of a room whose past the guest's server has not read: a time before all that is known there is asked of the host's. */
export async function askForTheBeginning(host: Member, guest: Member): Promise<void> {
  const room = await longTalk(host, guest, 5);
  await ok(joinOf(room));
  const { event_id: first } = await ok(host.session.call('GET', `${room.path.replace(V3, '/_matrix/client/v1')}/timestamp_to_event?ts=0&dir=f`));
  // A server that has joined without the members knows a moment later whom it can ask.
  await eventually('the beginning', async () => (await ok(guest.session.call('GET', `${room.path.replace(V3, '/_matrix/client/v1')}/timestamp_to_event?ts=0&dir=f`))).event_id === first);
  const all = await readAll(guest, room.path, { direction: 'b', page: 20, pagesMax: 10 });
  assert.deepEqual([all.at(-1)?.event_id, all.at(-1)?.type], [first, 'm.room.create']);
  await closeRoom(room.roomId, [host, guest]);
}
