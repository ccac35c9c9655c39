/**
 * Authorisation of `m.room.power_levels`: rule 10 of room versions 1 to 5, 9 of versions 6 to 11, 10 of version 12. Numbers in comments are those below that rule, as
 * `10's/12's`; up to version 9 the first two do not exist.
 */
import { isUserId } from '../ids/user-id.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import type { AuthContext } from './auth-context.ts';
import { levelIn, levelOf } from './power-levels.ts';
import { ALLOWED, refuse } from './verdict.ts';
import type { AuthVerdict } from './verdict.ts';

const LEVEL_KEYS = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'] as const;

export function authorizePowerLevels(context: AuthContext): AuthVerdict {
  const { event, version, power } = context;
  // 1 to 3.
  const malformed = powerLevelsProblem(event.content, version);
  if (malformed !== undefined) return refuse(malformed);
  // -/4.
  const named = version.privilegedCreators ? power.creators.find((creator) => Object.hasOwn((event.content.users ?? {}) as object, creator)) : undefined;
  if (named !== undefined) return refuse(`The power levels name ${named}, whose power as a creator cannot be set`);
  // 4/5.
  const current = power.levels;
  if (current === undefined) return ALLOWED;
  const problem = levelChangeProblem(context, current) ?? entryChangeProblem(context, current) ?? userChangeProblem(context, current);
  // 10/10 (the second of that number).
  return problem === undefined ? ALLOWED : refuse(problem);
}

/** What is malformed in the content of `m.room.power_levels`, as one sentence; undefined when nothing is. */
export function powerLevelsProblem(content: Record<string, unknown>, version: Pick<RoomVersion, 'integerPowerLevels'>): string | undefined {
  if (!version.integerPowerLevels) return looseUsersProblem(content.users);
  // 1.
  const notInteger = LEVEL_KEYS.find((key) => content[key] !== undefined && !Number.isSafeInteger(content[key]));
  if (notInteger !== undefined) return `${notInteger} in the power levels is not an integer`;
  // 2.
  for (const key of ['events', 'notifications', 'users'] as const) {
    if (content[key] !== undefined && !isMapOfIntegers(content[key])) return `${key} in the power levels is not an object of integers`;
  }
  // 3.
  const notUser = Object.keys(content.users ?? {}).find((key) => !isUserId(key));
  return notUser === undefined ? undefined : 'users in the power levels has a key that is not a user ID';
}

/** 3, up to version 9: integers may be strings there, and nothing but the users is looked at. */
function looseUsersProblem(users: unknown): string | undefined {
  if (users === undefined) return undefined;
  if (typeof users !== 'object' || users === null || Array.isArray(users)) return 'users in the power levels is not an object of integers';
  const malformed = Object.entries(users).find(([userId, level]) => !isUserId(userId) || levelOf(level) === undefined);
  return malformed === undefined ? undefined : 'users in the power levels has a key that is not a user ID, or a level that is not an integer';
}

function isMapOfIntegers(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((level) => Number.isSafeInteger(level));
}

/** 5/6. Levels at the top of the content: neither the current nor the new one may be above the sender's. */
function levelChangeProblem({ event, senderPower }: AuthContext, current: Record<string, unknown>): string | undefined {
  for (const key of LEVEL_KEYS) {
    const before = levelIn(current, key);
    const after = levelIn(event.content, key);
    if (before === after) continue;
    if (before !== undefined && before > senderPower) return `${key} is above the sender's power and cannot be changed`;
    if (after !== undefined && after > senderPower) return `${key} cannot be set above the sender's power`;
  }
  return undefined;
}

/** 6 and 7/7 and 8. Entries of `events` and `notifications`, likewise. */
function entryChangeProblem({ event, senderPower, version }: AuthContext, current: Record<string, unknown>): string | undefined {
  for (const map of version.notificationLevelsChecked ? ['events', 'notifications'] : ['events']) {
    for (const { key, before, after } of changes(current[map], event.content[map])) {
      if (before !== undefined && before > senderPower) return `The level of ${key} is above the sender's power and cannot be changed`;
      if (after !== undefined && after > senderPower) return `The level of ${key} cannot be set above the sender's power`;
    }
  }
  return undefined;
}

/** 8 and 9/9 and 10. Users: nobody but oneself may be changed who has as much power as the sender, and nobody raised above the sender. */
function userChangeProblem({ event, senderPower }: AuthContext, current: Record<string, unknown>): string | undefined {
  for (const { key, before, after } of changes(current.users, event.content.users)) {
    if (before !== undefined && key !== event.sender && before >= senderPower) return `${key} has as much power as the sender and cannot be changed`;
    if (after !== undefined && after > senderPower) return `${key} cannot be raised above the sender's power`;
  }
  return undefined;
}

/** The keys whose levels differ between two maps; undefined is the level of a key that is not there. */
function changes(current: unknown, next: unknown): { key: string; before: number | undefined; after: number | undefined }[] {
  const keys = new Set([...Object.keys(current ?? {}), ...Object.keys(next ?? {})]);
  return [...keys].map((key) => ({ key, before: levelIn(current, key), after: levelIn(next, key) })).filter(({ before, after }) => before !== after);
}
