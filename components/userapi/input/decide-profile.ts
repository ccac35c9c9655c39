/** PURE. Profile fields (Client-Server API, "Profiles"). */
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';
import type { UserPicture } from './picture.ts';

/** The whole profile as JSON, in bytes. */
export const PROFILE_BYTES_MAX = 64 * 1024;
export const PROFILE_KEY_BYTES_MAX = 255;
/** Fields that stand in member events. */
const IN_ROOMS = new Set(['displayname', 'avatar_url']);

/** `value` empty: the field is removed. */
export function decideSetProfileField(draft: Draft, { key, value }: { key: string; value: Uint8Array }): Verdict {
  if (Buffer.byteLength(key) > PROFILE_KEY_BYTES_MAX) return rejected(400, 'M_KEY_TOO_LARGE', `A profile key has at most ${PROFILE_KEY_BYTES_MAX} bytes`);
  const before = draft.picture.profile.get(key);
  if (value.length === 0 ? before === undefined : before !== undefined && Buffer.compare(before, value) === 0) return accepted(draft);
  if (profileBytes(draft.picture, key, value) > PROFILE_BYTES_MAX) return rejected(400, 'M_PROFILE_TOO_LARGE', `A profile has at most ${PROFILE_BYTES_MAX} bytes`);
  const sequence = draft.emit({ profileField: { key, value } });
  draft.writes.push({ kind: 'profile', field: key, value, sequence });
  if (IN_ROOMS.has(key)) draft.writes.push({ kind: 'profile-changed', mark: sequence });
  return accepted(draft);
}

/** All rooms have heard of the change with this mark; a later one is still to be told. */
export function decideFinishProfileSpread(draft: Draft, { mark }: { mark: number }): Verdict {
  draft.writes.push({ kind: 'profile-spread', mark });
  return accepted(draft);
}

/** Size of the profile as a JSON object with `key` set to `value`. */
function profileBytes(picture: UserPicture, key: string, value: Uint8Array): number {
  let bytes = 2;
  for (const [field, present] of new Map(picture.profile).set(key, value)) {
    if (present.length > 0) bytes += Buffer.byteLength(JSON.stringify(field)) + 1 + present.length + 1;
  }
  return bytes;
}
