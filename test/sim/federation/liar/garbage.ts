import type { Seeded } from '../../seeded.ts';

/** JSON that nobody asked for. */
export function garbage(random: Seeded): unknown {
  return random.pick<() => unknown>([
    () => null, () => 17, () => 'nonsense', () => [], () => ({}), () => ({ pdus: 'none' }), () => ({ events: [null, 1, 'x', {}] }), () => ({ state: {}, auth_chain: 7 }),
    () => ({ event: [] }), () => ({ pdu_ids: [1, null], auth_chain_ids: 'all' }), () => ({ pdus: [{ type: 5 }], edus: {} }),
  ])();
}

/** Something where an event is expected. */
export function garbageEvent(random: Seeded, roomId: string): unknown {
  const shell = { type: 'm.room.message', sender: '@x:liar.test', room_id: roomId, content: {}, prev_events: [], auth_events: [], depth: 1, origin_server_ts: 1, hashes: { sha256: 'x' }, signatures: {} };
  return random.pick<() => unknown>([
    () => null, () => 'event', () => [], () => ({}), () => shell, () => ({ ...shell, depth: -1 }), () => ({ ...shell, depth: 1.5 }), () => ({ ...shell, prev_events: 'all' }),
    () => ({ ...shell, auth_events: [[['x']]] }), () => ({ ...shell, room_id: 5 }), () => ({ ...shell, sender: 'nobody' }), () => ({ ...shell, content: 'text' }),
    () => ({ ...shell, signatures: { 'liar.test': 'x' } }), () => ({ ...shell, type: 'x'.repeat(300) }), () => ({ ...shell, content: { body: 'x'.repeat(70_000) } }),
    () => ({ ...shell, room_id: undefined, type: 'm.room.create', state_key: '' }), () => ({ ...shell, origin_server_ts: Number.MAX_VALUE }), () => ({ ...shell, hashes: null }),
  ])();
}
