/** The power levels that a new room starts with. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';

const CREATOR_LEVEL = 100;
/** Above what any listed user has: only creators may replace such a room. */
const TOMBSTONE_LEVEL_FOR_CREATORS = 150;
const STATE_DEFAULT = 50;

export interface PowerLevelsWanted {
  readonly version: RoomVersion;
  readonly creator: string;
  /** Who else is a creator (privileged creators only). */
  readonly additionalCreators: readonly string[];
  /** Users who get the creator's level, where creators are listed. */
  readonly equals: readonly string[];
  readonly override: Readonly<Record<string, unknown>>;
}

/**
 * Content of m.room.power_levels. Where creators are privileged (room version 12) they are not listed, and a tombstone needs more than `state_default`.
 * Throws 400 M_INVALID_ROOM_STATE when the override lists a privileged creator.
 */
export function initialPowerLevels(wanted: PowerLevelsWanted): Record<string, unknown> {
  const { version, creator, override } = wanted;
  const users = version.privilegedCreators ? {} : Object.fromEntries([creator, ...wanted.equals].map((userId) => [userId, CREATOR_LEVEL]));
  const tombstone = version.privilegedCreators ? TOMBSTONE_LEVEL_FOR_CREATORS : 100;
  const levels: Record<string, unknown> = {
    users,
    users_default: 0,
    events: {
      'm.room.avatar': 50,
      'm.room.canonical_alias': 50,
      'm.room.encryption': 100,
      'm.room.history_visibility': 100,
      'm.room.name': 50,
      'm.room.power_levels': 100,
      'm.room.server_acl': 100,
      'm.room.tombstone': tombstone,
    },
    events_default: 0,
    state_default: STATE_DEFAULT,
    ban: 50,
    kick: 50,
    redact: 50,
    invite: 50,
    notifications: { room: 50 },
    ...override,
  };
  if (version.privilegedCreators) guardCreators(wanted, levels);
  return levels;
}

function guardCreators({ creator, additionalCreators }: PowerLevelsWanted, levels: Record<string, unknown>): void {
  const users = levels['users'];
  const listed = isObject(users) ? [creator, ...additionalCreators].find((userId) => Object.hasOwn(users, userId)) : undefined;
  if (listed !== undefined) throw new MatrixError(400, 'M_INVALID_ROOM_STATE', `${listed} is a creator of the room and cannot be listed in its power levels`);
  const events = levels['events'];
  if (isObject(events) && !Object.hasOwn(events, 'm.room.tombstone')) levels['events'] = { ...events, 'm.room.tombstone': tombstoneAbove(levels['state_default']) };
}

/** Level of a tombstone in a room of privileged creators with this `state_default`: it must be above that. */
export function tombstoneAbove(stateDefault: unknown): number {
  return typeof stateDefault === 'number' && stateDefault >= TOMBSTONE_LEVEL_FOR_CREATORS ? stateDefault + 1 : TOMBSTONE_LEVEL_FOR_CREATORS;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
