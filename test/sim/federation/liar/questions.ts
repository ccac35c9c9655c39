/** Requests that the lying peer makes: for what it may have and for what it may not, well formed and not. None may make a server fail. */
import type { Pdu } from '../../../../pkg/matrix/events/pdu.ts';
import type { Attack } from './attacks.ts';
import { garbageEvent } from './garbage.ts';
import type { LiarRoom } from './liar-room.ts';
import type { LyingPeer } from './liar.ts';

function anyRoom(liar: LyingPeer, room: LiarRoom): string {
  return encodeURIComponent(liar.world.random.pick([room.roomId, ...liar.otherRooms, '!nowhere:liar.test', 'no room']));
}

function anyEvent(liar: LyingPeer, room: LiarRoom): string {
  return liar.world.random.pick([...room.events.keys(), `$${liar.world.random.token(43)}`]);
}

const ask = async (liar: LyingPeer, method: 'GET' | 'PUT' | 'POST', path: string, more: Parameters<LyingPeer['ask']>[3] = {}): Promise<void> => void (await liar.ask(liar.world.random.pick(liar.honest), method, path, more));

export const QUESTIONS: readonly (readonly [name: string, attack: Attack])[] = [
  ['asks for missing events', (liar, room) => ask(liar, 'POST', `/v1/get_missing_events/${anyRoom(liar, room)}`, {
    body: { earliest_events: [anyEvent(liar, room)], latest_events: [anyEvent(liar, room), anyEvent(liar, room)], limit: liar.world.random.pick([1, 20, 100_000, -1]), min_depth: liar.world.random.pick([0, 5, -1]) },
  })],
  ['asks for a state', (liar, room) => ask(liar, 'GET', `/v1/${liar.world.random.pick(['state', 'state_ids'])}/${anyRoom(liar, room)}`, { query: { event_id: anyEvent(liar, room) } })],
  ['asks for an auth chain', (liar, room) => ask(liar, 'GET', `/v1/event_auth/${anyRoom(liar, room)}/${encodeURIComponent(anyEvent(liar, room))}`)],
  ['asks for an event', (liar, room) => ask(liar, 'GET', `/v1/event/${encodeURIComponent(anyEvent(liar, room))}`)],
  ['asks for history', (liar, room) => ask(liar, 'GET', `/v1/backfill/${anyRoom(liar, room)}`, { query: { v: [anyEvent(liar, room)], limit: liar.world.random.pick(['1', '1000', 'many']) } })],
  ['asks to join', (liar, room) => ask(liar, 'GET', `/v1/make_join/${anyRoom(liar, room)}/${encodeURIComponent(liar.world.random.pick([liar.userId, '@somebody:a.test', `@other:${liar.name}`]))}`, { query: { ver: ['12'] } })],
  ['joins with an event that is none', (liar, room) => ask(liar, 'PUT', `/v2/send_join/${anyRoom(liar, room)}/${encodeURIComponent(anyEvent(liar, room))}`, { body: objectOf(garbageEvent(liar.world.random, room.roomId)) })],
  ['joins with an event of others', (liar, room) => {
    const eventId = anyEvent(liar, room);
    return ask(liar, 'PUT', `/v2/${liar.world.random.pick(['send_join', 'send_leave'])}/${anyRoom(liar, room)}/${encodeURIComponent(eventId)}`, { body: objectOf(room.events.get(eventId)) });
  }],
  ['invites somebody into nowhere', (liar, room) => {
    const invited = `@alice:${liar.world.random.pick(liar.honest)}`;
    const { eventId, pdu } = room.make({ type: 'm.room.member', sender: liar.userId, state_key: invited, content: { membership: 'invite' } }, { nowMs: liar.world.scheduler.now, auth: [], prev: [] });
    const event: Partial<Pdu> = liar.world.random.chance(0.5) ? pdu : { ...pdu, content: { membership: 'join' } };
    return ask(liar, 'PUT', `/v2/invite/${anyRoom(liar, room)}/${encodeURIComponent(eventId)}`, { body: { room_version: room.version.id, event, invite_room_state: [] } });
  }],
];

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
