/** PURE. What is said in a room that was replaced. */
import { levelOf } from '../../../pkg/matrix/auth/power-levels.ts';
import type { DraftEvent } from '../../../schemas/log/room-input.ts';

type Content = Readonly<Record<string, unknown>>;

/** Level that ordinary members of most rooms do not have. */
const MODERATOR = 50;

export function tombstoneOf(newRoomId: string): DraftEvent {
  return state('m.room.tombstone', { body: 'This room has been replaced', replacement_room: newRoomId });
}

/** 6. Nobody but moderators sends or invites any more; undefined: it is so already. */
export function restrictedPower(levels: Content): DraftEvent | undefined {
  const needed = Math.max(MODERATOR, (levelOf(levels['users_default']) ?? 0) + 1);
  const before = { events_default: levelOf(levels['events_default']) ?? 0, invite: levelOf(levels['invite']) ?? 0 };
  if (before.events_default >= needed && before.invite >= needed) return undefined;
  return state('m.room.power_levels', { ...levels, events_default: Math.max(needed, before.events_default), invite: Math.max(needed, before.invite) });
}

/** The room's canonical alias event without these; undefined: it has none of them. */
export function withoutAliases(content: Content, gone: ReadonlySet<unknown>): DraftEvent | undefined {
  const { alias, alt_aliases: others, ...rest } = content;
  const list = Array.isArray(others) ? (others as unknown[]) : [];
  if (!gone.has(alias) && !list.some((one) => gone.has(one))) return undefined;
  const left = list.filter((one) => !gone.has(one));
  return state('m.room.canonical_alias', { ...rest, ...(alias !== undefined && !gone.has(alias) && { alias }), ...(left.length > 0 && { alt_aliases: left }) });
}

function state(type: string, content: Content): DraftEvent {
  return { type, stateKey: '', content: Buffer.from(JSON.stringify(content)) };
}
