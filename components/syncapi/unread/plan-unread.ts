/** Whom the events of a batch notify, and how far users have read: as rows to be written. Pure but for the pictures of rooms, which it carries forward. */
import { roomPower, type RoomPower } from '../../../pkg/matrix/auth/power-levels.ts';
import { isState } from '../../../pkg/matrix/events/pdu.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { NO_NOTICE, type EventFacts, type Notice } from '../../../pkg/matrix/push-rules/evaluate-rules.ts';
import { relationOf, THREAD } from '../../../pkg/matrix/relations/relation-of.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { ReceiptSet, StateChange } from '../../../schemas/log/room-output.ts';
import { changesOf, pduOf, type DecodedRoomOutput, type Records } from '../consumers/decoded.ts';
import type { MembershipMove } from '../consumers/room-rows.ts';
import { slotOf, storable } from '../storage/rows.ts';
import { HOPS_MAX, isNews, namedHere, POWER_LEVELS, READ_TYPES, type Parent, type UnreadFacts } from './load-facts.ts';
import type { Pictures } from './pictures.ts';
import { PREDEFINED, ruledMember, type RoomPicture, type RuledMember } from './room-picture.ts';
import { ALL, MAIN, type Tree } from './tree.ts';

/** What an audience is told of an event; of a user, by how much it differs from what their group is told. */
export interface Leaf {
  readonly tree: Tree;
  readonly orderKey: number;
  readonly thread: string;
  readonly notify: number;
  readonly highlight: number;
  readonly actions: string;
  readonly sequence: number;
  /** Wall-clock ms of the sender. */
  readonly sentAt: number;
}

/** Kind `read`: up to where the user has read the thread `name` (empty: all threads). Kind `rules`: after which place the user is of the group `audience`. */
export interface Mark {
  readonly userId: string;
  readonly roomId: string;
  readonly kind: 'read' | 'rules';
  readonly name: string;
  readonly orderKey: number;
  readonly audience: string;
  /** Newest record that said so; 0: an event of the timeline did. */
  readonly sequence: number;
}

export interface UnreadPlan {
  readonly leaves: Map<string, Leaf>;
  readonly marks: Map<string, Mark>;
  /** Places whose events were redacted. */
  readonly removed: { readonly roomId: string; readonly orderKey: number }[];
}

export interface Planning {
  readonly pictures: Pick<Pictures, 'get'>;
  readonly facts: UnreadFacts;
  /** Changes of memberships, by record. */
  readonly moves: ReadonlyMap<string, readonly MembershipMove[]>;
  readonly serverName: string;
}

type OneRecord = Records[number];

interface Pass extends Planning {
  readonly plan: UnreadPlan;
  /** Memberships of users here whom events name, as far as the batch has been looked at. */
  readonly standing: Map<string, string>;
  readonly redacted: Set<string>;
  readonly parents: Map<string, Parent>;
}

/** Name of a record among those of all partitions. */
export function recordKey({ partition, sequence }: { readonly partition: number; readonly sequence: number }): string {
  return `${partition}/${sequence}`;
}

export function planUnread(records: Records, planning: Planning): UnreadPlan {
  const plan: UnreadPlan = { leaves: new Map(), marks: new Map(), removed: [] };
  const pass: Pass = { ...planning, plan, standing: new Map(planning.facts.standing), redacted: new Set(planning.facts.redacted), parents: new Map(planning.facts.parents) };
  for (const record of records) planRecord(pass, record);
  return plan;
}

function planRecord(pass: Pass, record: OneRecord): void {
  const { output } = record;
  const { event, receipt, roomId, stateSlice } = output.record;
  const picture = pass.pictures.get(roomId);
  if (picture !== undefined && stateSlice?.reset === true) emptyRoom(picture);
  for (const move of pass.moves.get(recordKey(record)) ?? []) planMove(pass, record, move);
  if (picture !== undefined) {
    followState(pass, picture, output);
    if (isNews(output) && !pass.redacted.has(event!.eventId)) planEvent(pass, record, picture);
  }
  followRelation(pass, output);
  if (event && event.redacts !== '') planRedaction(pass, roomId, event.redacts);
  if (receipt) planReceipt(pass, record, receipt);
}

/** What comes after the event may lead on by it, as by what the read model has of it. */
function followRelation(pass: Pass, { record: { roomId, event }, pdu }: DecodedRoomOutput): void {
  if (!event || pdu === undefined || event.orderKey === 0 || event.redactedBy || pass.redacted.has(event.eventId)) return;
  const relation = relationOf(pdu.content);
  if (relation !== undefined) pass.parents.set(event.eventId, { ...relation, roomId });
}

function emptyRoom(picture: RoomPicture): void {
  picture.joined = 0;
  picture.here = 0;
  picture.power = undefined;
  picture.members.clear();
  picture.unsettled.clear();
}

function planReceipt(pass: Pass, { sequence, output }: OneRecord, { receiptType, userId, eventId, threadId }: ReceiptSet): void {
  const orderKey = pass.facts.places.get(eventId) ?? 0;
  if (orderKey <= 0 || !READ_TYPES.has(receiptType) || !isLocalUser(userId, pass.serverName)) return;
  markRead(pass, output.record.roomId, { userId, thread: storable(threadId ?? ''), orderKey, sequence });
}

function planMove(pass: Pass, record: OneRecord, { roomId, userId, before, membership }: MembershipMove): void {
  const picture = pass.pictures.get(roomId);
  const slot = slotOf(roomId, 'm.room.member', userId);
  pass.standing.set(slot, membership);
  const isHere = isLocalUser(userId, pass.serverName);
  if (picture !== undefined) {
    const joined = Number(membership === 'join') - Number(before === 'join');
    picture.joined += joined;
    if (isHere) picture.here += joined;
    const arrival = pass.facts.arrivals.get(slot);
    if (membership !== 'join') {
      picture.members.delete(userId);
      picture.unsettled.delete(userId);
    } else if (arrival !== undefined) {
      picture.members.set(userId, arrival.member);
      if (!arrival.isSettled) picture.unsettled.add(userId);
    }
  }
  // What came before the user is not theirs to read.
  const orderKey = record.output.record.event?.orderKey ?? 0;
  if (isHere && membership === 'join' && before !== 'join' && orderKey > 0) markRead(pass, roomId, { userId, thread: '', orderKey, sequence: 0 });
}

/** Display names and power levels. */
function followState(pass: Pass, picture: RoomPicture, output: DecodedRoomOutput): void {
  for (const change of changesOf(output)) {
    if (change.type === 'm.room.member') followName(picture, output, change);
    else if (picture.power !== undefined && change.stateKey === '') picture.power = followPower(pass, picture.power, { output, change });
  }
}

function followName(picture: RoomPicture, output: DecodedRoomOutput, change: StateChange): void {
  const member = picture.members.get(change.stateKey);
  const pdu = member?.usesName === true ? pduOf(output, change) : undefined;
  if (member === undefined || pdu === undefined) return;
  const name = pdu.content['displayname'];
  rename(picture, member, { roomId: output.record.roomId, displayName: typeof name === 'string' ? name : undefined });
}

function followPower(pass: Pass, power: RoomPower, { output, change }: { output: DecodedRoomOutput; change: StateChange }): RoomPower {
  const pdu = pduOf(output, change);
  if (change.type === POWER_LEVELS) return { ...power, levels: pdu?.content ?? pass.facts.levels.get(change.eventId) };
  const version = change.type === 'm.room.create' && pdu !== undefined ? roomVersion(output.record.roomVersion) : undefined;
  return version === undefined ? power : { ...roomPower((type) => (type === 'm.room.create' ? pdu : undefined), version), levels: power.levels };
}

function rename(picture: RoomPicture, member: RuledMember, { roomId, displayName }: { roomId: string; displayName: string | undefined }): void {
  picture.members.set(member.userId, ruledMember({ userId: member.userId, roomId, displayName }, member.settings));
}

/** The event in the eyes of its room. */
interface Seen {
  readonly record: OneRecord;
  readonly picture: RoomPicture;
  readonly facts: EventFacts;
  readonly roomId: string;
  readonly orderKey: number;
  readonly thread: string;
  readonly sender: string;
  readonly named: ReadonlySet<string>;
}

function planEvent(pass: Pass, record: OneRecord, picture: RoomPicture): void {
  const { roomId } = record.output.record;
  const { eventId, orderKey } = record.output.record.event!;
  const pdu = record.output.pdu!;
  const isSenderHere = isLocalUser(pdu.sender, pass.serverName);
  const facts: EventFacts = { event: { ...pdu, room_id: roomId, event_id: eventId }, memberCount: picture.joined, power: () => picture.power ?? NO_POWER };
  const named = new Set(namedHere(record.output, pass.serverName));
  const seen: Seen = { record, picture, facts, roomId, orderKey, thread: threadOf(pass, record.output), sender: pdu.sender, named };
  settle(pass, seen);
  // Who writes has read what is above (spec: "Marking notifications as read", "or by sending an event").
  const isRead = isSenderHere && !isState(pdu) && pdu.type !== 'm.room.redaction';
  if (isRead) markRead(pass, roomId, { userId: pdu.sender, thread: seen.thread, orderKey, sequence: 0 });
  // A room may be known that nobody here is in: its groups are of nobody.
  const groups = picture.here === 0 ? new Map<string, Notice>() : planGroups(pass, seen, isSenderHere && picture.joined <= 1);
  const others = new Map<string, RuledMember | undefined>();
  for (const member of picture.members.values()) if (member.own !== undefined || member.settings.ignored.size > 0) others.set(member.userId, member);
  for (const userId of named) others.set(userId, picture.members.get(userId));
  if (isSenderHere && !isRead) others.set(pdu.sender, picture.members.get(pdu.sender));
  if (isRead) others.delete(pdu.sender);
  const known = new Map<string, Notice>();
  for (const [userId, member] of others) planUser(pass, seen, { userId, member, groups, known });
}

const NO_POWER: RoomPower = { levels: undefined, creators: [], privilegedCreators: false };

/** Each group is asked once; what they are told, by audience. */
function planGroups(pass: Pass, seen: Seen, isAlone: boolean): Map<string, Notice> {
  const groups = new Map<string, Notice>();
  const planGroup = (audience: string, notice: Notice): void => {
    groups.set(audience, notice);
    if (notice.notify && !isAlone) addLeaf(pass, seen, audience, { notify: 1, highlight: Number(notice.highlight), actions: notice.actions });
  };
  planGroup(ALL, PREDEFINED.compiled.evaluate(seen.facts));
  for (const { audience, shared } of seen.picture.members.values()) if (!groups.has(audience)) planGroup(audience, shared.compiled.evaluate(seen.facts));
  return groups;
}

/** What one user is told otherwise than their group. */
function planUser(pass: Pass, seen: Seen, user: { userId: string; member: RuledMember | undefined; groups: Map<string, Notice>; known: Map<string, Notice> }): void {
  const { userId, member } = user;
  const standing = member === undefined && seen.named.has(userId) ? pass.standing.get(slotOf(seen.roomId, 'm.room.member', userId)) : 'join';
  if (standing !== 'join' && standing !== 'invite') return;
  const ofGroup = (standing === 'join' ? user.groups.get(member?.audience ?? ALL) : undefined) ?? NO_NOTICE;
  const notice = noticeOfUser(seen, user);
  const notify = Number(notice.notify) - Number(ofGroup.notify);
  const highlight = Number(notice.highlight) - Number(ofGroup.highlight);
  if (notify === 0 && highlight === 0 && notice.actions === ofGroup.actions) return;
  addLeaf(pass, seen, userId, { notify, highlight, actions: notice.actions });
}

function noticeOfUser({ facts, sender, named }: Seen, { userId, member, known }: { userId: string; member: RuledMember | undefined; known: Map<string, Notice> }): Notice {
  if (userId === sender || member?.settings.ignored.has(sender) === true) return NO_NOTICE;
  const rules = member?.own ?? member?.shared ?? PREDEFINED;
  if (named.has(userId)) return rules.compiled.evaluate(facts, userId);
  const notice = known.get(rules.key) ?? rules.compiled.evaluate(facts, userId);
  known.set(rules.key, notice);
  return notice;
}

function addLeaf(pass: Pass, { record, roomId, orderKey, thread }: Seen, audience: string, what: Pick<Leaf, 'notify' | 'highlight' | 'actions'>): void {
  const tree = { roomId, audience };
  pass.plan.leaves.set(JSON.stringify([roomId, audience, orderKey]), { tree, orderKey, thread, sequence: record.sequence, sentAt: record.output.pdu!.origin_server_ts, ...what });
}

/** From this event on users are of the groups that their rules of now put them into. */
function settle(pass: Pass, { record, picture, roomId, orderKey }: Seen): void {
  for (const userId of picture.unsettled) {
    const { audience } = picture.members.get(userId)!;
    const mark: Mark = { userId, roomId, kind: 'rules', name: String(orderKey - 1), orderKey: orderKey - 1, audience, sequence: record.sequence };
    pass.plan.marks.set(markKey(mark), mark);
  }
  picture.unsettled.clear();
}

/** Reading never goes back. `sequence` 0: clients see by the event itself that it was read. */
function markRead(pass: Pass, roomId: string, read: { userId: string; thread: string; orderKey: number; sequence: number }): void {
  const key = markKey({ userId: read.userId, roomId, kind: 'read', name: read.thread });
  const present = pass.plan.marks.get(key);
  const orderKey = Math.max(read.orderKey, present?.orderKey ?? 0);
  const sequence = Math.max(read.sequence, present?.sequence ?? 0);
  pass.plan.marks.set(key, { userId: read.userId, roomId, kind: 'read', name: read.thread, audience: '', orderKey, sequence });
}

function markKey({ userId, roomId, kind, name }: Pick<Mark, 'userId' | 'roomId' | 'kind' | 'name'>): string {
  return JSON.stringify([userId, roomId, kind, name]);
}

function planRedaction(pass: Pass, roomId: string, eventId: string): void {
  pass.redacted.add(eventId);
  // What relates to it from now on is in no thread by it.
  pass.parents.delete(eventId);
  const orderKey = pass.facts.places.get(eventId) ?? 0;
  if (orderKey <= 0) return;
  pass.plan.removed.push({ roomId, orderKey });
  for (const [key, leaf] of pass.plan.leaves) if (leaf.orderKey === orderKey && leaf.tree.roomId === roomId) pass.plan.leaves.delete(key);
}

/** The root of the thread that the event is in by what it relates to, at most three relations away; else the main timeline. */
function threadOf(pass: Pass, { pdu, record: { roomId } }: DecodedRoomOutput): string {
  let relation: Omit<Parent, 'roomId'> | undefined = pdu && relationOf(pdu.content);
  for (let hop = 0; relation !== undefined && hop < HOPS_MAX; hop += 1) {
    if (relation.relType === THREAD) return storable(relation.eventId);
    const parent = pass.parents.get(relation.eventId);
    relation = parent?.roomId === roomId ? parent : undefined;
  }
  return MAIN;
}
