/** What is known of a room to say whom its events notify: how many are in it, and who of the users here has rules of their own. */
import { createHash } from 'node:crypto';
import type { RoomPower } from '../../../pkg/matrix/auth/power-levels.ts';
import { mergedRules } from '../../../pkg/matrix/push-rules/change-rules.ts';
import { compileRules, type CompiledRules } from '../../../pkg/matrix/push-rules/evaluate-rules.ts';
import { prepareRules, type PreparedRule } from '../../../pkg/matrix/push-rules/prepare-rules.ts';
import type { IgnoredUsers } from '../visibility/ignored-users.ts';
import { ALL } from './tree.ts';

export interface RoomPicture {
  /** Members of any server. */
  joined: number;
  /** Members of this server: nobody else is told anything. `Infinity` where they were not counted. */
  here: number;
  /** Users here who are in the room and have ever changed their rules, or ignore somebody. */
  readonly members: Map<string, RuledMember>;
  /** Those of them whose audience the tables do not say yet. */
  readonly unsettled: Set<string>;
  /** undefined: not asked for yet. */
  power: RoomPower | undefined;
}

/** Rules that hold for all with equal ones. */
export interface SharedRules {
  readonly key: string;
  readonly compiled: CompiledRules;
}

/** What a user has set. */
export interface UserSettings {
  /** Content of m.push_rules; undefined: never changed. */
  readonly rules: unknown;
  readonly ignored: IgnoredUsers;
}

export interface RuledMember {
  readonly userId: string;
  readonly settings: UserSettings;
  /** The group that the user is of. */
  readonly audience: string;
  readonly shared: SharedRules;
  /** All rules, where the user has some that are nobody else's. */
  readonly own: SharedRules | undefined;
  /** A rule looks for the display name. */
  readonly usesName: boolean;
  /** Somebody else's rules may ask who has the power to notify in ways that the predefined ones do not. */
  readonly usesPower: boolean;
}

/** Compiled rules by their text: the same for all who have them, in all rooms. */
const compiledRules = new Map<string, SharedRules>();
const COMPILED_MAX = 2000;

/** A cache of pure results: what is in it changes nothing but time. */
export function sharedRules(rules: readonly PreparedRule[]): SharedRules {
  const key = JSON.stringify(rules);
  const known = compiledRules.get(key);
  if (known !== undefined) return known;
  const shared = { key, compiled: compileRules(rules) };
  if (compiledRules.size >= COMPILED_MAX) compiledRules.clear();
  compiledRules.set(key, shared);
  return shared;
}

/** The rules of all who have changed nothing. */
export const PREDEFINED: SharedRules = sharedRules(prepareRules(mergedRules('@:', undefined), { userId: '@:', roomId: '' }).shared);

export function ruledMember(holder: { userId: string; roomId: string; displayName: string | undefined }, settings: UserSettings): RuledMember {
  const { userId } = holder;
  const { shared, own, usesName } = prepareRules(mergedRules(userId, settings.rules), holder);
  const rules = sharedRules(shared);
  const usesPower = (own ?? shared).some(({ tests }) => tests.some((test) => test.is === 'permission'));
  return { userId, settings, audience: audienceOf(rules), shared: rules, own: own && sharedRules(own), usesName, usesPower };
}

function audienceOf({ key }: SharedRules): string {
  return key === PREDEFINED.key ? ALL : `${ALL}${createHash('sha256').update(key).digest('base64url').slice(0, 16)}`;
}
