/** What the room that replaces another one starts with: pure, from the old room's state and the request (Client-Server API, "Room Upgrades", server behaviour 2 and 3). */
import { creatorsOf, levelOf } from '../../../pkg/matrix/auth/power-levels.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { MemberProfile } from '../profile/member-profile.ts';
import type { RoomPlan, StateWanted } from './plan-room.ts';
import { tombstoneAbove } from './power-levels.ts';

type Content = Readonly<Record<string, unknown>>;

export interface UpgradeWanted {
  readonly sender: string;
  readonly profile: MemberProfile;
  readonly version: RoomVersion;
  /** Counts only where the version knows such creators. */
  readonly additionalCreators: readonly string[];
  readonly oldRoomId: string;
  readonly oldVersion: RoomVersion;
  /** Of the old room: events of `COPIED_TYPES`, its create event, its power levels, its canonical alias. */
  readonly state: readonly Pdu[];
  /** Member events of users who are banned from the old room. */
  readonly bans?: readonly Pdu[];
  /** Newest event of the old room. */
  readonly lastEventId: string | undefined;
  /** Aliases of this server that point to the old room, and will point to the new one. */
  readonly aliases: readonly string[];
}

/** What goes over as it is; the power levels and the canonical alias go over with changes, of the memberships only bans. */
const COPIED_TYPES = ['m.room.server_acl', 'm.room.encryption', 'm.room.name', 'm.room.avatar', 'm.room.topic', 'm.room.guest_access', 'm.room.history_visibility', 'm.room.join_rules'];

/** What has to be known of the old room's state. */
export const UPGRADED_TYPES: readonly string[] = ['m.room.create', 'm.room.power_levels', 'm.room.canonical_alias', ...COPIED_TYPES];

const LEVEL_KEYS = ['ban', 'events_default', 'invite', 'kick', 'redact', 'state_default', 'users_default'];
const LEVEL_MAPS = ['events', 'notifications', 'users'];
const CREATOR_LEVEL = 100;
/** Where the levels do not say. */
const STATE_DEFAULT = 50;

/** The power levels come last: before them the creator may send everything, whatever the old room's levels ask for. */
export function planUpgrade(wanted: UpgradeWanted): RoomPlan {
  const { sender, state } = wanted;
  const old = new Map(state.map((pdu) => [pdu.type, pdu.content as Content]));
  const copied = COPIED_TYPES.flatMap((type) => copyOf(wanted, type, old.get(type)));
  const alias = canonicalAlias(wanted, old.get('m.room.canonical_alias'));
  return {
    createContent: createContent(wanted, old.get('m.room.create') ?? {}),
    events: [
      { type: 'm.room.member', stateKey: sender, content: { membership: 'join', ...wanted.profile } },
      ...copied,
      ...(alias === undefined ? [] : [{ type: 'm.room.canonical_alias', stateKey: '', content: alias }]),
      ...bans(wanted),
      { type: 'm.room.power_levels', stateKey: '', content: powerLevels(wanted, old.get('m.room.power_levels')) },
    ],
  };
}

function createContent({ version, sender, oldRoomId, lastEventId, ...wanted }: UpgradeWanted, old: Content): Record<string, unknown> {
  // Where creators are above all, the last event need not be named; the room's hash stands for its beginning anyway.
  const predecessor = { room_id: oldRoomId, ...(!version.privilegedCreators && lastEventId !== undefined && { event_id: lastEventId }) };
  const others = version.privilegedCreators ? creatorsBeside(sender, wanted.additionalCreators) : [];
  return {
    room_version: version.id, predecessor,
    ...(version.creatorInContent && { creator: sender }),
    ...(typeof old['type'] === 'string' && { type: old['type'] }),
    ...(typeof old['m.federate'] === 'boolean' && { 'm.federate': old['m.federate'] }),
    ...(others.length > 0 && { additional_creators: others }),
  };
}

function creatorsBeside(sender: string, others: readonly string[]): string[] {
  return [...new Set(others)].filter((userId) => userId !== sender);
}

/** Who is banned stays so, by whoever makes the new room. Its creators cannot be. */
function bans({ sender, version, additionalCreators, bans: before = [] }: UpgradeWanted): StateWanted[] {
  const creators = new Set([sender, ...(version.privilegedCreators ? additionalCreators : [])]);
  return before.flatMap(({ type, state_key: userId = '', content: { reason } }) =>
    creators.has(userId) ? [] : [{ type, stateKey: userId, content: { membership: 'ban', ...(typeof reason === 'string' && { reason }) } }]);
}

/** What was redacted says nothing that could be taken over. */
function copyOf({ version }: UpgradeWanted, type: string, content: Content | undefined): StateWanted[] {
  if (content === undefined || Object.keys(content).length === 0) return [];
  const isClosed = type === 'm.room.join_rules' && !knowsRule(version, content['join_rule']);
  return [{ type, stateKey: '', content: isClosed ? { join_rule: 'invite' } : content }];
}

/** A rule that the version does not know would be one that nobody can join by; so is `invite`, and it is understood. */
function knowsRule(version: RoomVersion, rule: unknown): boolean {
  if (rule === 'knock') return version.knock;
  if (rule === 'restricted') return version.restrictedJoin;
  return rule !== 'knock_restricted' || version.knockRestricted;
}

/** Only what will point to the new room: aliases of other servers are theirs to move. */
function canonicalAlias({ aliases }: UpgradeWanted, content: Content | undefined): Content | undefined {
  const moved = new Set<unknown>(aliases);
  const { alias, alt_aliases: others } = content ?? {};
  const left = Array.isArray(others) ? others.filter((one) => moved.has(one)) : [];
  if (!moved.has(alias) && left.length === 0) return undefined;
  return { ...(moved.has(alias) && { alias }), ...(left.length > 0 && { alt_aliases: left }) };
}

function powerLevels(wanted: UpgradeWanted, content: Content | undefined): Content {
  const { version, oldVersion, sender, state } = wanted;
  const create = state.find(({ type }) => type === 'm.room.create');
  const oldCreators = create === undefined ? [] : creatorsOf(create, oldVersion);
  const levels = version.integerPowerLevels ? inIntegers(content ?? {}) : { ...content };
  const users = new Map(Object.entries((levels['users'] ?? {}) as object));
  // Creators who were above all and are not listed have to be listed now, and the other way round.
  if ((oldVersion.privilegedCreators || content === undefined) && !version.privilegedCreators) for (const userId of [sender, ...oldCreators]) users.set(userId, CREATOR_LEVEL);
  if (version.privilegedCreators) for (const userId of [sender, ...wanted.additionalCreators]) users.delete(userId);
  return { ...levels, ...(version.privilegedCreators && { events: guardTombstone(levels) }), users: Object.fromEntries(users) };
}

/** `events` in which a tombstone takes more than other state, as in every room of such a version. */
function guardTombstone(levels: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const events = { ...((levels['events'] ?? {}) as Record<string, unknown>) };
  const stateDefault = levelOf(levels['state_default']) ?? STATE_DEFAULT;
  if ((levelOf(events['m.room.tombstone']) ?? stateDefault) <= stateDefault) events['m.room.tombstone'] = tombstoneAbove(stateDefault);
  return events;
}

/** Levels that older versions take as texts. */
function inIntegers(content: Content): Record<string, unknown> {
  const levels: Record<string, unknown> = { ...content };
  for (const key of LEVEL_KEYS) setLevel(levels, key, content[key]);
  for (const key of LEVEL_MAPS) {
    const map: Record<string, unknown> = {};
    for (const [name, value] of Object.entries((content[key] ?? {}) as object)) setLevel(map, name, value);
    if (content[key] !== undefined) levels[key] = map;
  }
  return levels;
}

function setLevel(levels: Record<string, unknown>, key: string, value: unknown): void {
  const level = levelOf(value);
  if (level === undefined) delete levels[key];
  else levels[key] = level;
}
