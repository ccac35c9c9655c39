/** What a batch's events have to be judged with beside the pictures of their rooms: read together before the batch is applied, and nothing of it for a batch that needs nothing. */
import { roomPower, type RoomPower } from '../../../pkg/matrix/auth/power-levels.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { propertyAt } from '../../../pkg/matrix/push-rules/property-path.ts';
import { relationOf, THREAD } from '../../../pkg/matrix/relations/relation-of.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { changesOf, pduOf, type DecodedRoomOutput, type Records } from '../consumers/decoded.ts';
import { parsePdu } from '../events/client-event.ts';
import { OPEN, slotOf } from '../storage/rows.ts';
import { currentMemberships } from '../storage/memberships.ts';
import { memberChanges } from '../consumers/room-rows.ts';
import type { Arrival, Pictures, PicturesDeps } from './pictures.ts';
import { PREDEFINED, type RoomPicture } from './room-picture.ts';

export interface UnreadFacts {
  /** Of users here with rules of their own who join in the batch, by slot. */
  readonly arrivals: ReadonlyMap<string, Arrival>;
  /** Memberships before the batch of users here whom its events name, by slot. */
  readonly standing: ReadonlyMap<string, string>;
  /** Order keys of events that are marked as read or redacted. */
  readonly places: ReadonlyMap<string, number>;
  /** What the parents of relations relate to. */
  readonly parents: ReadonlyMap<string, Parent>;
  /** Events whose redactions came before them. */
  readonly redacted: ReadonlySet<string>;
  /** Contents of power levels that became a room's with another event. */
  readonly levels: ReadonlyMap<string, Record<string, unknown>>;
}

export interface Parent {
  /** Where the relating event is: no thread goes from one room to another. */
  readonly roomId: string;
  readonly relType: string;
  readonly eventId: string;
}

export const EMPTY_FACTS: UnreadFacts = { arrivals: new Map(), standing: new Map(), places: new Map(), parents: new Map(), redacted: new Set(), levels: new Map() };

export const READ_TYPES = new Set(['m.read', 'm.read.private']);
export const POWER_LEVELS = 'm.room.power_levels';
/** How far relations are followed to find a thread (spec: "Marking notifications as read"). */
export const HOPS_MAX = 3;

export interface FactsDeps extends PicturesDeps {
  readonly serverName: string;
}

/** Whether the event is one of a timeline that may notify somebody. */
export function isNews({ record: { event }, pdu }: DecodedRoomOutput): boolean {
  return event !== null && event !== undefined && pdu !== undefined && event.orderKey > 0 && !event.softFailedAccepted && !event.redactedBy;
}

export async function loadFacts(deps: FactsDeps, records: Records, pictures: Pictures): Promise<UnreadFacts> {
  const news = records.filter(({ output }) => isNews(output));
  if (news.length > 0) await pictures.ensure([...new Set(news.map(({ output }) => output.record.roomId))]);
  const [arrivals, standing, places, parents, redacted, levels] = await Promise.all([
    loadArrivals(deps, records, pictures), loadStanding(deps, news), loadPlaces(deps, records), loadParents(deps, news), loadRedacted(deps, news), loadLevels(deps, records),
  ]);
  await loadPowers(deps, news, pictures);
  return { arrivals, standing, places, parents, redacted, levels };
}

async function loadArrivals(deps: FactsDeps, records: Records, pictures: Pictures): Promise<Map<string, Arrival>> {
  return pictures.arrivals(memberChanges(records).filter(([roomId, userId]) => isLocalUser(userId, deps.serverName) && pictures.get(roomId) !== undefined));
}

/** Users here whom the event names in a way that rules ask for. */
export function namedHere({ pdu, record }: DecodedRoomOutput, serverName: string): string[] {
  if (pdu === undefined) return [];
  const facts = { event: { ...pdu, room_id: record.roomId }, memberCount: 0, power: () => NO_POWER };
  return [...new Set(PREDEFINED.compiled.named(facts))].filter((name) => name.startsWith('@') && isLocalUser(name, serverName));
}

const NO_POWER: RoomPower = { levels: undefined, creators: [], privilegedCreators: false };

async function loadStanding(deps: FactsDeps, news: Records): Promise<Map<string, string>> {
  const pairs = news.flatMap(({ output }) => namedHere(output, deps.serverName).map((userId) => [output.record.roomId, userId] as const));
  const rows = pairs.length === 0 ? [] : await currentMemberships(deps.database, pairs);
  return new Map(rows.map((row) => [slotOf(row.room_id, 'm.room.member', row.user_id), row.membership]));
}

async function loadPlaces(deps: FactsDeps, records: Records): Promise<Map<string, number>> {
  const places = new Map(records.flatMap(({ output: { record: { event } } }) => (event ? [[event.eventId, event.orderKey] as const] : [])));
  const wanted = new Set<string>();
  for (const { output: { record: { event, receipt } } } of records) {
    if (receipt && READ_TYPES.has(receipt.receiptType) && isLocalUser(receipt.userId, deps.serverName)) wanted.add(receipt.eventId);
    if (event && event.redacts !== '') wanted.add(event.redacts);
  }
  const unknown = [...wanted].filter((eventId) => !places.has(eventId));
  const rows = unknown.length === 0 ? [] : await deps.database.queryIn<{ event_id: string; order_key: number }>('SELECT event_id, order_key FROM timeline WHERE event_id IN (??)', [], unknown);
  for (const row of rows) places.set(row.event_id, row.order_key);
  return places;
}

/** Of events that the batch's own events lead to; theirs are known in the order in which they come (`plan-unread.ts`), so that it makes no difference what came in one batch. */
async function loadParents(deps: FactsDeps, news: Records): Promise<Map<string, Parent>> {
  const ofBatch = new Map<string, Omit<Parent, 'roomId'>>();
  for (const { output: { record: { event }, pdu } } of news) {
    const relation = pdu && relationOf(pdu.content);
    if (event && relation) ofBatch.set(event.eventId, relation);
  }
  const parents = new Map<string, Parent>();
  const asked = new Set<string>();
  for (let hop = 1; hop < HOPS_MAX; hop += 1) {
    const unknown = [...new Set([...ofBatch.values(), ...parents.values()].flatMap(({ relType, eventId }) => (relType === THREAD || ofBatch.has(eventId) || asked.has(eventId) ? [] : [eventId])))];
    if (unknown.length === 0) break;
    for (const eventId of unknown) asked.add(eventId);
    const rows = await deps.database.queryIn<{ room_id: string; child_id: string; parent_id: string; rel_type: string }>('SELECT room_id, child_id, parent_id, rel_type FROM relations WHERE child_id IN (??)', [], unknown);
    for (const row of rows) parents.set(row.child_id, { roomId: row.room_id, relType: row.rel_type, eventId: row.parent_id });
  }
  return parents;
}

/** Only what other servers send can come after its redaction. */
async function loadRedacted(deps: FactsDeps, news: Records): Promise<Set<string>> {
  const foreign = news.filter(({ output: { pdu } }) => pdu !== undefined && !isLocalUser(pdu.sender, deps.serverName));
  const rows = foreign.length === 0 ? [] : await deps.database.queryIn<{ event_id: string }>('SELECT event_id FROM redactions WHERE event_id IN (??)', [], foreign.map(({ output }) => output.record.event!.eventId));
  return new Set(rows.map((row) => row.event_id));
}

async function loadLevels(deps: FactsDeps, records: Records): Promise<Map<string, Record<string, unknown>>> {
  const unknown = records.flatMap(({ output }) => changesOf(output).flatMap((change) => (change.type === POWER_LEVELS && change.stateKey === '' && change.eventId !== '' && pduOf(output, change) === undefined ? [change.eventId] : [])));
  const events = unknown.length === 0 ? [] : await deps.roomQuery.eventsById(unknown);
  return new Map(events.map(({ eventId, pdu }) => [eventId, parsePdu(pdu).content]));
}

/** Of rooms where a rule may ask who has the power to notify. */
async function loadPowers(deps: FactsDeps, news: Records, pictures: Pictures): Promise<void> {
  const rooms = new Map<string, RoomPicture>();
  const versions = new Map<string, string>();
  for (const { output } of news) {
    const { roomId, roomVersion: version } = output.record;
    const picture = pictures.get(roomId)!;
    if (picture.power !== undefined || !mayAskForPower(picture, output.pdu!)) continue;
    rooms.set(roomId, picture);
    versions.set(roomId, version);
  }
  if (rooms.size === 0) return;
  const slots = [...rooms.keys()].flatMap((roomId) => ['m.room.create', POWER_LEVELS].map((type) => slotOf(roomId, type, '')));
  const rows = await deps.database.queryIn<{ room_id: string; type: string; event_id: string }>('SELECT room_id, type, event_id FROM state_intervals WHERE to_sequence = ? AND slot IN (??)', [OPEN], slots);
  const events = new Map((rows.length === 0 ? [] : await deps.roomQuery.eventsById(rows.map((row) => row.event_id))).map(({ eventId, pdu }) => [eventId, parsePdu(pdu)]));
  for (const [roomId, picture] of rooms) {
    const version = roomVersion(versions.get(roomId)!);
    const idOf = (type: string): string => rows.find((row) => row.room_id === roomId && row.type === type)?.event_id ?? '';
    picture.power = version === undefined ? NO_POWER : roomPower((type) => events.get(idOf(type)), version);
  }
}

const ROOM_MENTION = ['m.mentions', 'room'];

function mayAskForPower(picture: RoomPicture, pdu: Pdu): boolean {
  return propertyAt(pdu.content, ROOM_MENTION) === true || [...picture.members.values()].some((member) => member.own !== undefined && member.usesPower);
}
