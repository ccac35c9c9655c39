/** Which events a new room starts with: pure, from the request alone. Client-Server API, `POST /createRoom`. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { MemberProfile } from '../profile/member-profile.ts';
import { initialPowerLevels } from './power-levels.ts';

export type Preset = 'private_chat' | 'trusted_private_chat' | 'public_chat';

export interface RoomWanted {
  readonly creator: string;
  readonly version: RoomVersion;
  readonly preset: Preset;
  readonly creationContent: Readonly<Record<string, unknown>>;
  readonly powerLevelOverride: Readonly<Record<string, unknown>>;
  readonly initialState: readonly StateWanted[];
  /** Becomes the canonical alias. */
  readonly alias?: string | undefined;
  readonly name?: string | undefined;
  readonly topic?: string | undefined;
  readonly invite: readonly string[];
  readonly isDirect: boolean;
  /** Unless the request says how it is encrypted. */
  readonly isEncrypted?: boolean;
  /** Of the creator and of those invited. */
  readonly profiles: ReadonlyMap<string, MemberProfile>;
}

export interface StateWanted {
  readonly type: string;
  readonly stateKey: string;
  readonly content: Readonly<Record<string, unknown>>;
}

export interface RoomPlan {
  readonly createContent: Record<string, unknown>;
  /** What follows the create event, in order. */
  readonly events: readonly StateWanted[];
}

const PRESETS: Readonly<Record<Preset, { joinRule: string; historyVisibility: string; guestAccess: string }>> = {
  private_chat: { joinRule: 'invite', historyVisibility: 'shared', guestAccess: 'can_join' },
  trusted_private_chat: { joinRule: 'invite', historyVisibility: 'shared', guestAccess: 'can_join' },
  public_chat: { joinRule: 'public', historyVisibility: 'shared', guestAccess: 'forbidden' },
};

/** Throws 400 `MatrixError` for what can make no room. */
export function planRoom(wanted: RoomWanted): RoomPlan {
  const { creator, version, preset } = wanted;
  const trusted = preset === 'trusted_private_chat' ? wanted.invite : [];
  const additionalCreators = version.privilegedCreators ? additionalCreatorsOf(wanted, trusted) : [];
  const powerLevels = initialPowerLevels({ version, creator, additionalCreators, equals: trusted, override: wanted.powerLevelOverride });
  const initialState = initialStateOf(wanted);
  const given = new Set(initialState.map(stateName));
  return {
    createContent: createContent(wanted, additionalCreators),
    events: [
      state('m.room.member', { membership: 'join', ...wanted.profiles.get(creator) }, creator),
      state('m.room.power_levels', powerLevels),
      ...(wanted.alias === undefined ? [] : [state('m.room.canonical_alias', { alias: wanted.alias })]),
      ...presetEvents(preset, wanted.isEncrypted === true).filter((event) => !given.has(stateName(event))),
      ...initialState,
      ...(wanted.name === undefined ? [] : [state('m.room.name', { name: wanted.name })]),
      ...(wanted.topic === undefined ? [] : [state('m.room.topic', { topic: wanted.topic, 'm.topic': { 'm.text': [{ body: wanted.topic, mimetype: 'text/plain' }] } })]),
      ...wanted.invite.map((userId) => invitation(wanted, userId)),
    ],
  };
}

function createContent({ creator, version, creationContent }: RoomWanted, additionalCreators: readonly string[]): Record<string, unknown> {
  const { creator: _overwritten, additional_creators: given, ...others } = creationContent;
  const content: Record<string, unknown> = { ...others, room_version: version.id };
  if (version.creatorInContent) content['creator'] = creator;
  if (!version.privilegedCreators && given !== undefined) content['additional_creators'] = given;
  if (additionalCreators.length > 0) content['additional_creators'] = additionalCreators;
  return content;
}

/** Those named in the request, then those whom the preset trusts; each once, the creator not among them. */
function additionalCreatorsOf({ creator, creationContent }: RoomWanted, trusted: readonly string[]): string[] {
  const named = creationContent['additional_creators'] ?? [];
  if (!Array.isArray(named) || !named.every(isUserId)) throw new MatrixError(400, 'M_INVALID_PARAM', 'creation_content.additional_creators must be a list of user IDs');
  return [...new Set([...named, ...trusted])].filter((userId) => userId !== creator);
}

/** `initial_state` without what `name` and `topic` overwrite. */
function initialStateOf({ initialState, name, topic }: RoomWanted): readonly StateWanted[] {
  const refused = initialState.find((event) => event.type === 'm.room.create');
  if (refused !== undefined) throw new MatrixError(400, 'M_INVALID_PARAM', 'initial_state cannot hold an m.room.create event');
  const overwritten = new Set<string>();
  if (name !== undefined) overwritten.add(stateName({ type: 'm.room.name', stateKey: '' }));
  if (topic !== undefined) overwritten.add(stateName({ type: 'm.room.topic', stateKey: '' }));
  return initialState.filter((event) => !overwritten.has(stateName(event)));
}

function presetEvents(preset: Preset, isEncrypted: boolean): StateWanted[] {
  const { joinRule, historyVisibility, guestAccess } = PRESETS[preset];
  return [
    state('m.room.join_rules', { join_rule: joinRule }),
    state('m.room.history_visibility', { history_visibility: historyVisibility }),
    state('m.room.guest_access', { guest_access: guestAccess }),
    ...(isEncrypted ? [state('m.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' })] : []),
  ];
}

function invitation({ profiles, isDirect }: RoomWanted, userId: string): StateWanted {
  return state('m.room.member', { membership: 'invite', ...profiles.get(userId), ...(isDirect ? { is_direct: true } : {}) }, userId);
}

function state(type: string, content: Record<string, unknown>, stateKey = ''): StateWanted {
  return { type, stateKey, content };
}

function stateName({ type, stateKey }: Pick<StateWanted, 'type' | 'stateKey'>): string {
  return `${type}\0${stateKey}`;
}
