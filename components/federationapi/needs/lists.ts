/** What other servers put into lists, taken with care. */
import { isJsonObject } from '../../../pkg/http/json.ts';
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import { isEventIdOf } from '../../../pkg/matrix/ids/event-id.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { NeedFailure } from './failure.ts';

/** Events of one state with its auth chain: more than any room that is known has. */
export const STATE_EVENTS_MAX = 500_000;

/** The list under `key`. Throws `NeedFailure` (502) when there is none, or when it has more than `max` entries. */
export function listIn(body: Readonly<Record<string, unknown>>, key: string, max: number): readonly unknown[] {
  const list = body[key];
  if (!Array.isArray(list)) throw malformed(`the answer has no list ${key}`);
  if (list.length > max) throw malformed(`the list ${key} of the answer has ${list.length} entries; at most ${max} are taken`);
  return list as readonly unknown[];
}

/** The different event IDs in the list under `key`. Throws `NeedFailure` (502) when it is no list of event IDs. */
export function eventIdsIn(body: Readonly<Record<string, unknown>>, key: string, { version, max }: { version: RoomVersion; max: number }): string[] {
  const ids = listIn(body, key, max);
  if (!ids.every((id): id is string => isEventIdOf(version, id))) throw malformed(`the list ${key} of the answer has something else than event IDs`);
  return [...new Set(ids)];
}

/** The object under `key`. Throws `NeedFailure` (502). */
export function objectIn(body: Readonly<Record<string, unknown>>, key: string): Record<string, unknown> {
  const value = body[key];
  if (!isJsonObject(value)) throw malformed(`the answer has no object ${key}`);
  return value;
}

/** Those that there are, the first of each ID. */
export function eachOnce(events: readonly (IntactEvent | undefined)[]): IntactEvent[] {
  const byId = new Map<string, IntactEvent>();
  for (const event of events) if (event !== undefined && !byId.has(event.eventId)) byId.set(event.eventId, event);
  return [...byId.values()];
}

/** IDs of the state events, one for each (type, state key): the first. */
export function idsByKey(state: readonly IntactEvent[]): Set<string> {
  const byKey = new Map<string, string>();
  for (const { eventId, pdu } of state) {
    if (pdu.state_key === undefined) continue;
    const key = JSON.stringify([pdu.type, pdu.state_key]);
    if (!byKey.has(key)) byKey.set(key, eventId);
  }
  return new Set(byKey.values());
}

/** Throws `NeedFailure` (400) for a version that this server does not run. */
export function versionOf(id: string): RoomVersion {
  const version = roomVersion(id);
  if (version === undefined) throw new NeedFailure(400, 'M_INCOMPATIBLE_ROOM_VERSION', `This server cannot take part in rooms of version ${JSON.stringify(id).slice(0, 40)}`);
  return version;
}

/** The other server's fault. */
export function malformed(reason: string): NeedFailure {
  return new NeedFailure(502, 'M_UNKNOWN', `The other server's answer is of no use: ${reason}`);
}
