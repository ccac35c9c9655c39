/** Filters of /sync and /messages (Client-Server API, "Filtering"). What a client sends is read leniently where the spec leaves it open, and refused where a type is wrong. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { parseFieldPath, type FieldPath } from './event-fields.ts';

export interface EventFilter {
  readonly limit: number | undefined;
  readonly types: readonly string[] | undefined;
  readonly notTypes: readonly string[];
  readonly senders: readonly string[] | undefined;
  readonly notSenders: readonly string[];
  readonly rooms: readonly string[] | undefined;
  readonly notRooms: readonly string[];
  readonly containsUrl: boolean | undefined;
  readonly lazyLoadMembers: boolean;
  /** Also members that the client was sent before. They are always sent: which those are is not kept. */
  readonly includeRedundantMembers: boolean;
  /** /sync only: counts by thread. */
  readonly unreadThreadNotifications: boolean;
  /** Only events to which an event of these senders, or with these relation types, relates; both: the same event. Empty: all. */
  readonly relatedBySenders: readonly string[];
  readonly relatedByRelTypes: readonly string[];
}

export interface SyncFilter {
  readonly federationFormat: boolean;
  /** undefined: all fields. */
  readonly eventFields: readonly FieldPath[] | undefined;
  readonly presence: EventFilter;
  readonly accountData: EventFilter;
  readonly room: {
    readonly rooms: readonly string[] | undefined;
    readonly notRooms: readonly string[];
    readonly includeLeave: boolean;
    readonly timeline: EventFilter;
    readonly state: EventFilter;
    readonly ephemeral: EventFilter;
    readonly accountData: EventFilter;
  };
}

/** What filters look at. */
export interface Filterable {
  readonly type: string;
  readonly sender?: string;
  readonly hasUrl?: boolean;
}

/** Reads a filter definition (POST /user/{userId}/filter, or inline). Throws 400 M_BAD_JSON. */
export function parseSyncFilter(definition: unknown): SyncFilter {
  const filter = objectOf(definition, 'filter');
  const room = objectOf(filter['room'], 'room');
  return {
    federationFormat: formatOf(filter) === 'federation',
    eventFields: stringsOf(filter, 'event_fields')?.map(parseFieldPath),
    presence: parseEventFilter(filter['presence']),
    accountData: parseEventFilter(filter['account_data']),
    room: {
      rooms: idsOf(room, 'rooms', '!'),
      notRooms: idsOf(room, 'not_rooms', '!') ?? [],
      includeLeave: booleanOf(room, 'include_leave') ?? false,
      timeline: parseEventFilter(room['timeline']),
      state: parseEventFilter(room['state']),
      ephemeral: parseEventFilter(room['ephemeral']),
      accountData: parseEventFilter(room['account_data']),
    },
  };
}

/** Reads an EventFilter or RoomEventFilter. Throws 400 M_BAD_JSON. */
export function parseEventFilter(definition: unknown): EventFilter {
  const filter = objectOf(definition, 'event filter');
  const limit = filter['limit'];
  if (limit !== undefined && (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 0)) throw badFilter('limit must be a whole number of events');
  return {
    limit,
    types: stringsOf(filter, 'types'),
    notTypes: stringsOf(filter, 'not_types') ?? [],
    senders: idsOf(filter, 'senders', '@'),
    notSenders: idsOf(filter, 'not_senders', '@') ?? [],
    rooms: idsOf(filter, 'rooms', '!'),
    notRooms: idsOf(filter, 'not_rooms', '!') ?? [],
    containsUrl: booleanOf(filter, 'contains_url'),
    lazyLoadMembers: booleanOf(filter, 'lazy_load_members') ?? false,
    includeRedundantMembers: booleanOf(filter, 'include_redundant_members') ?? false,
    unreadThreadNotifications: booleanOf(filter, 'unread_thread_notifications') ?? false,
    relatedBySenders: fewStringsOf(filter, 'related_by_senders'),
    relatedByRelTypes: fewStringsOf(filter, 'related_by_rel_types'),
  };
}

/** Whether the filter lets an event of this room through (leave `roomId` out for what belongs to no room). */
export function passes(filter: EventFilter, event: Filterable, roomId?: string): boolean {
  if (roomId !== undefined && !passesRoom(filter, roomId)) return false;
  if (filter.notTypes.some((pattern) => matchesType(pattern, event.type))) return false;
  if (filter.types !== undefined && !filter.types.some((pattern) => matchesType(pattern, event.type))) return false;
  if (event.sender !== undefined) {
    if (filter.notSenders.includes(event.sender)) return false;
    if (filter.senders !== undefined && !filter.senders.includes(event.sender)) return false;
  }
  return filter.containsUrl === undefined || event.hasUrl === undefined || filter.containsUrl === event.hasUrl;
}

/** Whether the filter lets the room through at all; exclusion wins. */
export function passesRoom(filter: { readonly rooms: readonly string[] | undefined; readonly notRooms: readonly string[] }, roomId: string): boolean {
  return !filter.notRooms.includes(roomId) && (filter.rooms === undefined || filter.rooms.includes(roomId));
}

/** The first `limit` of what passed; all without a limit. */
export function limited<T>(filter: EventFilter, events: readonly T[]): readonly T[] {
  return filter.limit === undefined ? events : events.slice(0, Math.max(0, filter.limit));
}

/** `*` stands for any characters, also none. Two pointers instead of a regular expression, so that no pattern is slow. */
export function matchesType(pattern: string, type: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  let p = 0;
  while (at < type.length) {
    if (pattern[p] === '*') {
      star = p++;
      retry = at;
    } else if (p < pattern.length && pattern[p] === type[at]) {
      p++;
      at++;
    } else if (star >= 0) {
      p = star + 1;
      at = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

function objectOf(value: unknown, name: string): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw badFilter(`${name} must be an object`);
  return value as Record<string, unknown>;
}

function formatOf(filter: Record<string, unknown>): unknown {
  const format = filter['event_format'] ?? 'client';
  if (format !== 'client' && format !== 'federation') throw badFilter('event_format must be client or federation');
  return format;
}

function stringsOf(filter: Record<string, unknown>, name: string): string[] | undefined {
  const value = filter[name];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw badFilter(`${name} must be a list of strings`);
  return value;
}

/** Only the sigil is looked at, so that IDs of any age and server pass. */
function idsOf(filter: Record<string, unknown>, name: string, sigil: '!' | '@'): string[] | undefined {
  const values = stringsOf(filter, name);
  if (values?.every((value) => value.startsWith(sigil)) === false) throw badFilter(`${name} must hold IDs, which begin with ${sigil}`);
  return values;
}

/** What the database is asked with. */
const FEW = 100;

function fewStringsOf(filter: Record<string, unknown>, name: string): string[] {
  const values = [...new Set(stringsOf(filter, name))];
  if (values.length > FEW) throw badFilter(`${name} may name ${FEW} at most`);
  return values;
}

function booleanOf(filter: Record<string, unknown>, name: string): boolean | undefined {
  const value = filter[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw badFilter(`${name} must be true or false`);
  return value;
}

function badFilter(message: string): MatrixError {
  return new MatrixError(400, 'M_BAD_JSON', `The filter is wrong: ${message}`);
}
