/**
 * How room versions differ, as one table of values: algorithms take a `RoomVersion` and look at its flags, never at its ID. The flags
 * span versions 1 to 12 (spec: rooms/), which this server runs all.
 */

/** Which keys survive a redaction. `all`: the whole content. A key with a list keeps only those keys of the object under it. */
export interface RedactionRules {
  readonly eventKeys: readonly string[];
  readonly contentKeys: Readonly<Record<string, 'all' | readonly (string | readonly [key: string, inner: readonly string[]])[]>>;
}

export interface RoomVersion {
  readonly id: string;
  /** `pairs`: references are [event ID, hashes] and the event carries its ID (1, 2); `ids`: references are event IDs. */
  readonly eventFormat: 'pairs' | 'ids';
  /** `opaque`: chosen by the sender, with domain (1, 2); `base64` (3) and `base64url` (4 on): the reference hash. */
  readonly eventIdFormat: 'opaque' | 'base64' | 'base64url';
  /** `domain`: `!opaque:domain`; `create-hash`: the create event's ID under the sigil `!` (12). */
  readonly roomIdFormat: 'domain' | 'create-hash';
  readonly stateResolution: 'v1' | 'v2' | 'v2.1';
  /** Signing keys count only within their validity period (5 on). */
  readonly keyValidityEnforced: boolean;
  /** Events that are not canonical JSON are refused (6 on). */
  readonly strictCanonicalJson: boolean;
  readonly redaction: RedactionRules;
  /** `m.room.redaction` names its event under `content` (11 on) rather than at the top level. */
  readonly redactsInContent: boolean;
  /** The authorisation rules look at redactions (1, 2). */
  readonly redactionAuthorised: boolean;
  /** `m.room.aliases` has a rule of its own (1 to 5). */
  readonly aliasesAuthorised: boolean;
  /** Changes of `notifications` in power levels are checked (6 on). */
  readonly notificationLevelsChecked: boolean;
  /** Membership and join rule `knock` (7 on). */
  readonly knock: boolean;
  /** Join rule `restricted` (8 on). */
  readonly restrictedJoin: boolean;
  /** Join rule `knock_restricted` (10 on). */
  readonly knockRestricted: boolean;
  /** Power levels must be integers, not strings (10 on). */
  readonly integerPowerLevels: boolean;
  /** The create event names its creator in `content.creator` (1 to 10); otherwise its sender is the creator. */
  readonly creatorInContent: boolean;
  /** The create event is among the auth events of every other event (1 to 11); otherwise the room ID stands for it. */
  readonly createInAuthEvents: boolean;
  /** Creators have infinite power and are not listed in the power levels; `additional_creators` exists (12). */
  readonly privilegedCreators: boolean;
}

const EVENT_KEYS_V11 = [
  'event_id', 'type', 'room_id', 'sender', 'state_key', 'content', 'hashes', 'signatures', 'depth', 'prev_events', 'auth_events', 'origin_server_ts',
];
const POWER_LEVEL_KEYS_V1 = ['ban', 'events', 'events_default', 'kick', 'redact', 'state_default', 'users', 'users_default'];

const REDACTION_V6: RedactionRules = {
  eventKeys: [...EVENT_KEYS_V11, 'prev_state', 'origin', 'membership'],
  contentKeys: {
    'm.room.member': ['membership'],
    'm.room.create': ['creator'],
    'm.room.join_rules': ['join_rule'],
    'm.room.power_levels': POWER_LEVEL_KEYS_V1,
    'm.room.history_visibility': ['history_visibility'],
  },
};

const REDACTION_V1 = keeping(REDACTION_V6, { 'm.room.aliases': ['aliases'] });
const REDACTION_V8 = keeping(REDACTION_V6, { 'm.room.join_rules': ['join_rule', 'allow'] });
const REDACTION_V9 = keeping(REDACTION_V8, { 'm.room.member': ['membership', 'join_authorised_via_users_server'] });

const REDACTION_V11: RedactionRules = {
  eventKeys: EVENT_KEYS_V11,
  contentKeys: {
    'm.room.member': ['membership', 'join_authorised_via_users_server', ['third_party_invite', ['signed']]],
    'm.room.create': 'all',
    'm.room.join_rules': ['join_rule', 'allow'],
    'm.room.power_levels': [...POWER_LEVEL_KEYS_V1, 'invite'],
    'm.room.history_visibility': ['history_visibility'],
    'm.room.redaction': ['redacts'],
  },
};

const V1: RoomVersion = {
  id: '1',
  eventFormat: 'pairs',
  eventIdFormat: 'opaque',
  roomIdFormat: 'domain',
  stateResolution: 'v1',
  keyValidityEnforced: false,
  strictCanonicalJson: false,
  redaction: REDACTION_V1,
  redactsInContent: false,
  redactionAuthorised: true,
  aliasesAuthorised: true,
  notificationLevelsChecked: false,
  knock: false,
  restrictedJoin: false,
  knockRestricted: false,
  integerPowerLevels: false,
  creatorInContent: true,
  createInAuthEvents: true,
  privilegedCreators: false,
};

const V2: RoomVersion = { ...V1, id: '2', stateResolution: 'v2' };
const V3: RoomVersion = { ...V2, id: '3', eventFormat: 'ids', eventIdFormat: 'base64', redactionAuthorised: false };
const V4: RoomVersion = { ...V3, id: '4', eventIdFormat: 'base64url' };
const V5: RoomVersion = { ...V4, id: '5', keyValidityEnforced: true };
const V6: RoomVersion = { ...V5, id: '6', redaction: REDACTION_V6, strictCanonicalJson: true, aliasesAuthorised: false, notificationLevelsChecked: true };
const V7: RoomVersion = { ...V6, id: '7', knock: true };
const V8: RoomVersion = { ...V7, id: '8', redaction: REDACTION_V8, restrictedJoin: true };
const V9: RoomVersion = { ...V8, id: '9', redaction: REDACTION_V9 };
const V10: RoomVersion = { ...V9, id: '10', knockRestricted: true, integerPowerLevels: true };
const V11: RoomVersion = { ...V10, id: '11', redaction: REDACTION_V11, redactsInContent: true, creatorInContent: false };

const V12: RoomVersion = {
  ...V11,
  id: '12',
  roomIdFormat: 'create-hash',
  stateResolution: 'v2.1',
  createInAuthEvents: false,
  privilegedCreators: true,
};

/** Every version there is, oldest first. All of them are stable, and this server runs them all. */
export const ROOM_VERSIONS: readonly RoomVersion[] = [V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12];

/** What the spec tells servers to create rooms with. */
export const DEFAULT_ROOM_VERSION = '12';

const byId = new Map(ROOM_VERSIONS.map((version) => [version.id, version]));

/** The version with this ID; undefined when there is none. */
export function roomVersion(id: string): RoomVersion | undefined {
  return byId.get(id);
}

/** The greatest `depth` that an event may have; up to version 5 it is 2^63-1, for which the double 2^63 stands. */
export function depthMaxOf(version: Pick<RoomVersion, 'strictCanonicalJson'>): number {
  return version.strictCanonicalJson ? Number.MAX_SAFE_INTEGER : 2 ** 63;
}

/** The same rules but for these event types. */
function keeping(rules: RedactionRules, contentKeys: RedactionRules['contentKeys']): RedactionRules {
  return { ...rules, contentKeys: { ...rules.contentKeys, ...contentKeys } };
}
