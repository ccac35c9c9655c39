/**
 * The shape of known events' content (spec: client-server, "m.room.…" events), before the authorisation rules see it: what they leave open but every
 * client relies on. Unknown types and unknown keys are free.
 */
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { isRoomAlias } from '../../../pkg/matrix/ids/room-id.ts';
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import { refused } from './refused.ts';

type Content = Readonly<Record<string, unknown>>;
type Shape = (value: unknown) => boolean;

const text: Shape = (value) => typeof value === 'string';
const flag: Shape = (value) => typeof value === 'boolean';
const object: Shape = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const integer: Shape = (value) => Number.isSafeInteger(value);
const orNull = (shape: Shape): Shape => (value) => value === null || shape(value);
const listOf = (shape: Shape): Shape => (value) => Array.isArray(value) && value.every(shape);
const oneOf = (...values: readonly string[]): Shape => (value) => values.includes(value as string);
const mapOf = (shape: Shape): Shape => (value) => object(value) && Object.values(value as object).every(shape);
const level: Shape = integer;

/** `needed` keys must be there, `optional` ones may. */
interface Rule {
  readonly stateOnly: boolean;
  readonly needed?: Readonly<Record<string, Shape>>;
  readonly optional?: Readonly<Record<string, Shape>>;
}

const RULES: Readonly<Record<string, Rule>> = {
  'm.room.member': {
    stateOnly: true,
    needed: { membership: text },
    optional: { displayname: orNull(text), avatar_url: orNull(text), reason: text, is_direct: flag, third_party_invite: object },
  },
  'm.room.power_levels': {
    stateOnly: true,
    optional: {
      ban: level, events_default: level, invite: level, kick: level, redact: level, state_default: level, users_default: level,
      events: mapOf(level), notifications: mapOf(level), users: mapOf(level),
    },
  },
  'm.room.join_rules': {
    stateOnly: true,
    // A malformed condition in `allow` lets nobody in; that is what the spec has readers of it do.
    needed: { join_rule: text },
  },
  'm.room.history_visibility': { stateOnly: true, needed: { history_visibility: oneOf('invited', 'joined', 'shared', 'world_readable') } },
  'm.room.guest_access': { stateOnly: true, needed: { guest_access: text } },
  'm.room.name': { stateOnly: true, optional: { name: text } },
  'm.room.topic': { stateOnly: true, optional: { topic: text } },
  'm.room.avatar': { stateOnly: true, optional: { url: text, info: object } },
  'm.room.encryption': { stateOnly: true, needed: { algorithm: text } },
  'm.room.tombstone': { stateOnly: true, optional: { body: text, replacement_room: text } },
  'm.room.server_acl': { stateOnly: true, optional: { allow: listOf(text), deny: listOf(text), allow_ip_literals: flag } },
  'm.room.pinned_events': { stateOnly: true, needed: { pinned: listOf(text) } },
  'm.room.redaction': { stateOnly: false, optional: { reason: text, redacts: text } },
};

/** Why the content cannot be that of an event of this type, with M_BAD_JSON or M_INVALID_PARAM (400); undefined when it can. */
export function contentProblem(type: string, stateKey: string | undefined, content: Content, version: RoomVersion): RejectedOutcome | undefined {
  const rule = Object.hasOwn(RULES, type) ? RULES[type] : undefined;
  if (rule !== undefined && !(rule.stateOnly && stateKey === undefined)) {
    const key = wrongKey(rule, content);
    if (key !== undefined) return refused(400, 'M_BAD_JSON', `The content of ${type} has no valid ${key}`);
  }
  if (stateKey === undefined) return undefined;
  if (type === 'm.room.member' && !isUserId(stateKey)) return refused(400, 'M_INVALID_PARAM', 'The state key of a membership is a user ID');
  if (type === 'm.room.power_levels' && version.integerPowerLevels) return powerLevelProblem(content);
  if (type === 'm.room.canonical_alias') return aliasProblem(content);
  return undefined;
}

function wrongKey(rule: Rule, content: Content): string | undefined {
  for (const [key, shape] of Object.entries(rule.needed ?? {})) if (!Object.hasOwn(content, key) || !shape(content[key])) return key;
  for (const [key, shape] of Object.entries(rule.optional ?? {})) if (Object.hasOwn(content, key) && !shape(content[key])) return key;
  return undefined;
}

function powerLevelProblem(content: Content): RejectedOutcome | undefined {
  const users = Object.keys((content.users ?? {}) as object);
  if (users.every(isUserId)) return undefined;
  return refused(400, 'M_BAD_JSON', 'The content of m.room.power_levels names a user by something that is not a user ID');
}

/** Spec: PUT /rooms/{roomId}/state, M_INVALID_PARAM for aliases that do not have the form of one. */
function aliasProblem(content: Content): RejectedOutcome | undefined {
  const { alias, alt_aliases: others } = content;
  const shaped = (alias === undefined || orNull(text)(alias)) && (others === undefined || listOf(text)(others));
  if (!shaped) return refused(400, 'M_BAD_JSON', 'The content of m.room.canonical_alias has no valid alias or alt_aliases');
  // An empty alias is how some clients take it away.
  const aliases = [alias === null || alias === '' ? undefined : alias, ...((others ?? []) as string[])].filter((one) => one !== undefined);
  if (aliases.every(isRoomAlias)) return undefined;
  return refused(400, 'M_INVALID_PARAM', 'The content of m.room.canonical_alias names something that is not a room alias');
}
