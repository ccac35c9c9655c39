/** PURE. The end of a join over federation: the state of the room has been imported, and the join comes on top of it. */
import { authorize } from '../../../pkg/matrix/auth/authorize.ts';
import type { StateLookup } from '../../../pkg/matrix/auth/power-levels.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import { headerOf, type RoomDecision } from '../input/decision.ts';
import type { NewEvent, RoomRow, StateEntry } from '../input/effects.ts';
import { visibilityAt } from '../input/history-visibility.ts';
import { encodeEvent } from '../input/outputs.ts';
import type { OwnMembership } from './own-membership.ts';
import type { Landing } from './facts.ts';
import { encodePartial } from '../partial/decide-complete.ts';
import { COMPLETING, type PartialRow } from '../partial/partial-row.ts';
import { badAnswer, giveUp } from './needs.ts';
import { readAnsweredMember } from './read-answer.ts';
import { stateRef } from '../storage/refs.ts';

/** A join that was checked, with all that its rows are made of. */
interface Arrival {
  readonly wish: OwnMembership;
  readonly needId: string;
  readonly answer: Answer;
  readonly version: RoomVersion;
  readonly eventId: string;
  readonly pdu: Pdu;
  readonly bytes: Uint8Array;
  readonly landing: Landing;
  readonly create: StateEntry;
  readonly before: StateEntry | undefined;
}

/** Everything is checked again here: what another server answered is not believed. */
export function finishJoin(wish: OwnMembership, needId: string, answer: Answer): RoomDecision {
  const { deciding, send } = wish;
  const { picture, input } = deciding;
  const bad = (what: string): RoomDecision => giveUp(deciding, needId, badAnswer(what));
  const version = roomVersion(answer.roomVersion);
  if (version === undefined) return bad(`room version ${answer.roomVersion} is not one that this server runs`);
  const member = readAnsweredMember(answer, { roomId: input.roomId, version, userId: send.sender, membership: 'join' });
  if ('problem' in member) return bad(member.problem);
  const { pdu, bytes } = member;
  if (eventIdOf(pdu, version) !== answer.eventId) return bad('the event is not the one that it is called');
  const landing = picture.remote.landings.get(input.inputId);
  if (landing === undefined) return { kind: 'lacking' };
  const entry = (type: string, stateKey: string) => landing.state.get(stateRef(input.roomId, type, stateKey));
  const create = entry('m.room.create', '');
  if (!landing.isImported || create === undefined) return bad('the state of the room has no create event');
  if ((create.pdu.content['room_version'] ?? '1') !== version.id) return bad('the room is of another version');
  const lookup: StateLookup = (type, stateKey) => entry(type, stateKey)?.pdu;
  const verdict = authorize({ event: pdu, version, state: lookup, roomId: input.roomId });
  if (!verdict.allowed) return bad(`the join is not allowed in the state of the room: ${verdict.reason}`);
  return arrive({ wish, needId, answer, version, eventId: answer.eventId, pdu, bytes, landing, create, before: entry('m.room.member', send.sender) }, lookup);
}

function arrive(arrival: Arrival, lookup: StateLookup): RoomDecision {
  const { wish: { deciding: { input } }, needId, version, eventId } = arrival;
  const event = joinEvent(arrival, lookup);
  const lack = arrival.answer.membersOmitted === true ? lackOf(arrival) : undefined;
  const header = headerOf(input, version.id);
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, room: roomRow(arrival), events: [event], redactions: [], needs: { closed: [needId] }, arrived: true, ...(lack && { partial: { kind: 'begins', row: lack } }) },
    outputs: [encodeEvent(header, event), ...(lack ? [encodePartial(header, { servers: lack.servers, ended: false })] : [])],
    result: { room_id: input.roomId, event_id: eventId },
  };
}

/** Servers that are told of what happens here before their members are known. */
const SERVERS_MAX = 10_000;

/** The members of the room are not known yet. */
function lackOf({ wish: { deciding: { input, place, signer } }, answer, version, eventId, landing }: Arrival): PartialRow {
  const servers = [...new Set([answer.origin, ...(answer.serversInRoom ?? [])])].filter((server) => server !== signer.serverName && isServerName(server)).slice(0, SERVERS_MAX);
  return {
    roomId: input.roomId, roomVersion: version.id, partition: place.partition, eventId, stateId: landing.stateId, origin: answer.origin, servers, sequence: place.nextSequence + 1, endSequence: 0,
    state: COMPLETING, tries: 0, retryAt: 0, begunAt: place.nowMs,
  };
}

function joinEvent({ wish: { deciding: { place }, head, send }, eventId, pdu, bytes, landing, before }: Arrival, lookup: StateLookup): NewEvent {
  const stateId = landing.stateId + 1;
  return {
    eventId, pdu, bytes, kind: 'received', verdict: 'accepted', orderKey: (head?.orderKey ?? 0) + 1, sequence: place.nextSequence, stateId,
    states: [{
      stateId, prevStateId: landing.stateId, depth: 2, isCurrent: true,
      steps: [{ type: pdu.type, stateKey: send.sender, entry: { eventId, pdu }, replaces: before }],
    }],
    historyVisibility: visibilityAt(lookup, pdu), deviceId: send.deviceId, txnId: send.txnId, redacts: undefined, stateBeforeDiffers: false, relayOf: '',
    // What came before it is not here.
    unplacedPrevs: prevEventIds(pdu),
  };
}

function roomRow({ wish: { deciding: { input, place }, head }, version, eventId, pdu, landing, create }: Arrival): RoomRow {
  return {
    roomId: input.roomId, roomVersion: version.id, partition: place.partition, creator: create.pdu.sender, createEventId: create.eventId,
    orderKey: (head?.orderKey ?? 0) + 1, depth: pdu.depth, stateId: landing.stateId + 1, stateDepth: 2, lastStateId: landing.stateId + 1, extremities: [eventId],
  };
}
