/** PURE. Summaries as other servers send them: what is not of its type is left out, so that clients are told nothing that the spec does not have. */
import { isRoomId } from '../ids/room-id.ts';
import type { RoomSummary } from './room-summary.ts';

const TEXTS = ['name', 'topic', 'canonical_alias', 'avatar_url', 'join_rule', 'room_type', 'encryption', 'room_version'] as const;
const ALLOWED_MAX = 100;

/** undefined: it is none. */
export function readSummary(value: unknown): RoomSummary | undefined {
  if (!isObject(value) || !isRoomId(value['room_id'])) return undefined;
  const { room_id: roomId, num_joined_members: joined, allowed_room_ids: allowed } = value;
  const texts = TEXTS.flatMap((key) => {
    const text = value[key];
    return typeof text === 'string' && text !== '' && isMeant(key, text) ? [[key, text] as const] : [];
  });
  return {
    room_id: roomId,
    num_joined_members: typeof joined === 'number' && Number.isSafeInteger(joined) && joined >= 0 ? joined : 0,
    world_readable: value['world_readable'] === true,
    guest_can_join: value['guest_can_join'] === true,
    ...Object.fromEntries(texts),
    ...(Array.isArray(allowed) && { allowed_room_ids: (allowed as unknown[]).filter(isRoomId).slice(0, ALLOWED_MAX) }),
  };
}

function isMeant(key: (typeof TEXTS)[number], text: string): boolean {
  if (key === 'avatar_url') return text.startsWith('mxc://');
  return key !== 'canonical_alias' || text.startsWith('#');
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
