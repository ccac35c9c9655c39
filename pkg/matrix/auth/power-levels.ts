/** Who may do what in a room (spec: client-server, `m.room.power_levels`; server-server, "Definitions"; rooms/v12 on creators). */
import type { Pdu } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';

/** State event under a type and state key, undefined when the room has none. */
export type StateLookup = (type: string, stateKey: string) => Pdu | undefined;

export type PowerAction = 'invite' | 'kick' | 'ban' | 'redact';

/** What decides about power in one state of a room. */
export interface RoomPower {
  /** Content of `m.room.power_levels`; undefined when the room has none. */
  readonly levels: Record<string, unknown> | undefined;
  readonly creators: readonly string[];
  /** Whether the creators' power is infinite. */
  readonly privilegedCreators: boolean;
}

const ACTION_DEFAULTS: Readonly<Record<PowerAction, number>> = { invite: 0, kick: 50, ban: 50, redact: 50 };
/** An integer in a string: sign, leading zeros and spaces around it are allowed. */
const INTEGER_TEXT = /^\s*[+-]?\d+\s*$/;
const NOTIFICATION_DEFAULT = 50;
const STATE_DEFAULT = 50;
/** Power of the creator of a room that has no power levels, up to version 11. */
const CREATOR_WITHOUT_LEVELS = 100;

/** The power in the state that `state` looks into. */
export function roomPower(state: StateLookup, version: RoomVersion): RoomPower {
  const create = state('m.room.create', '');
  return {
    levels: state('m.room.power_levels', '')?.content,
    creators: create === undefined ? [] : creatorsOf(create, version),
    privilegedCreators: version.privilegedCreators,
  };
}

/** The users who created the room: the sender of the create event (up to version 10 who it names) and, from version 12 on, the additional creators. */
export function creatorsOf(create: Pdu, version: RoomVersion): string[] {
  if (version.creatorInContent) return typeof create.content.creator === 'string' ? [create.content.creator] : [];
  const { additional_creators: additional } = create.content;
  if (!version.privilegedCreators || !Array.isArray(additional)) return [create.sender];
  return [create.sender, ...additional.filter((creator) => typeof creator === 'string')];
}

/** The user's power level; `Infinity` for privileged creators. */
export function userPower(power: RoomPower, userId: string): number {
  const isCreator = power.creators.includes(userId);
  if (isCreator && power.privilegedCreators) return Infinity;
  if (power.levels === undefined) return isCreator ? CREATOR_WITHOUT_LEVELS : 0;
  return levelIn(power.levels.users, userId) ?? levelIn(power.levels, 'users_default') ?? 0;
}

/** The level needed to send an event of this type: the *required power level*. */
export function requiredPower(power: RoomPower, type: string, isState: boolean): number {
  const explicit = levelIn(power.levels?.events, type);
  if (explicit !== undefined) return explicit;
  return isState ? (levelIn(power.levels, 'state_default') ?? STATE_DEFAULT) : (levelIn(power.levels, 'events_default') ?? 0);
}

/** The *invite*, *kick*, *ban* or *redact level*. */
export function actionPower(power: RoomPower, action: PowerAction): number {
  return levelIn(power.levels, action) ?? ACTION_DEFAULTS[action];
}

/** The level needed to notify `key`, for example `room`. */
export function notificationPower(power: RoomPower, key: string): number {
  return levelIn(power.levels?.notifications, key) ?? NOTIFICATION_DEFAULT;
}

/** The level under `key` of an object; undefined when there is none. */
export function levelIn(levels: unknown, key: string): number | undefined {
  if (typeof levels !== 'object' || levels === null || !Object.hasOwn(levels, key)) return undefined;
  return levelOf((levels as Record<string, unknown>)[key]);
}

/**
 * The level that a value stands for; undefined when it is none. Up to room version 9 strings stand for levels too (rooms/v1, "accept values as strings"), up to version 5 fractions;
 * later ones have neither, since the authorisation rules or canonical JSON keep them out.
 */
export function levelOf(value: unknown): number | undefined {
  if (Number.isSafeInteger(value)) return value as number;
  if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value);
  return typeof value === 'string' && INTEGER_TEXT.test(value) ? Number(value) : undefined;
}
