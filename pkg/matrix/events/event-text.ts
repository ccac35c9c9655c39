import { canonicalJson, tolerantJson } from '../canonical-json/canonical-json.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';

/** The text that an event, or a part of one, is hashed, signed and stored as. Throws `CanonicalJsonError`, up to version 5 only for what is no JSON, or nested too deep. */
export function eventText(value: unknown, version: Pick<RoomVersion, 'strictCanonicalJson'>): string {
  return version.strictCanonicalJson ? canonicalJson(value) : tolerantJson(value);
}
