/** The room of a number, and everything that is asked about it. The same number gives the same room and questions. */
import fc from 'fast-check';
import { authTypesFor } from '../../pkg/matrix/auth/auth-types.ts';
import { powerLevelsProblem } from '../../pkg/matrix/auth/authorize-power-levels.ts';
import type { EventDraft, Pdu } from '../../pkg/matrix/events/pdu.ts';
import { roomIdOfCreateEvent } from '../../pkg/matrix/ids/room-id.ts';
import { ROOM_VERSIONS } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { StateSet } from '../../pkg/matrix/state-res/conflicts.ts';
import { CREATE_SLOT, slotOf, slotOfEvent } from '../../pkg/matrix/state-res/slot.ts';
import { wrongCitations } from '../kit/odd-actions.ts';
import { oddRoom, stateSetsOf } from '../kit/random-room.ts';
import type { RoomDag } from '../kit/room-dag.ts';
import { CREATOR } from '../kit/room-state.ts';
import type { AskedEvent, Question } from './question.ts';

const STEPS_MAX = 60;
/** Events that are also judged in states that they are not from. */
const STRANGE_STATES = 80;
/** Those about which there are the most rules. */
const SPECIAL_TYPES = new Set(['m.room.member', 'm.room.power_levels', 'm.room.third_party_invite']);
const MEMBERSHIPS = new Set<unknown>(['join', 'invite', 'leave', 'ban', 'knock']);
/** Rooms of successive numbers shall have nothing to do with each other. */
const SPREAD = 0x9e3779b1;
export const VERSIONS: readonly string[] = ROOM_VERSIONS.map(({ id }) => id);

/** An event to judge in a state that it need not be from. */
interface StrangeState {
  readonly eventId: string;
  readonly state: StateSet;
}

interface Asked {
  readonly dag: RoomDag;
  readonly strange: readonly StrangeState[];
  readonly meetings: readonly (readonly StateSet[])[];
}

interface Stray {
  readonly eventId: string;
  readonly pdu: Pdu;
}

/** The version of the room of that number: all take turns. */
export function versionOfRoom(room: number): string {
  return VERSIONS[room % VERSIONS.length] as string;
}

export function randomQuestion(room: number): Question {
  const asked = oddRoom(versionOfRoom(room), STEPS_MAX).chain((dag) => {
    const states = fc.array(strangeStateOf(dag), { minLength: STRANGE_STATES, maxLength: STRANGE_STATES });
    const sets = fc.oneof({ weight: 2, arbitrary: stateSetsOf(dag) }, { weight: 2, arbitrary: variedSetsOf(dag) }, { weight: 1, arbitrary: rejectedSetsOf(dag) });
    const meetings = fc.array(sets, { minLength: 2, maxLength: 4 });
    return fc.record({ dag: fc.constant(dag), strange: states, meetings });
  });
  const [chosen] = fc.sample(fc.noBias(asked), { numRuns: 1, seed: Math.imul(room, SPREAD) });
  return questionOf(chosen as Asked);
}

function strangeStateOf(dag: RoomDag): fc.Arbitrary<StrangeState> {
  const elsewhere = fc.constantFrom(...dag.accepted).map((eventId) => dag.stateAfter(eventId));
  const any = [...dag.events.keys()];
  const special = any.filter((eventId) => SPECIAL_TYPES.has(dag.pdu(eventId)!.type));
  return fc.oneof({ weight: 1, arbitrary: fc.constantFrom(...any) }, { weight: 3, arbitrary: fc.constantFrom(...special) }).chain((eventId) => {
    const state = fc.oneof({ weight: 1, arbitrary: mixedStateOf(dag) }, { weight: 1, arbitrary: elsewhere }, { weight: 4, arbitrary: relatedStateOf(dag, eventId) });
    return state.map((chosen) => ({ eventId, state: chosen }));
  });
}

/** Of what the event's kind is judged by, some event that was sent for each place, even a refused one, or none. */
function relatedStateOf(dag: RoomDag, eventId: string): fc.Arbitrary<StateSet> {
  const event = dag.pdu(eventId)!;
  const slots = [CREATE_SLOT, ...authTypesFor(event, dag.version).map(([type, stateKey]) => slotOf(type, stateKey))];
  const sent = [...dag.events.values()].filter(({ pdu, verdict }) => pdu.state_key !== undefined && (verdict.allowed || canBeState(dag, pdu)));
  const places = slots.map((slot) => {
    const there = sent.filter(({ pdu }) => slotOfEvent(pdu) === slot);
    if (slot === CREATE_SLOT) return fc.constant(dag.createId);
    if (there.length === 0) return fc.constant(undefined);
    // Who is not joined can do little that would be worth judging.
    const joins = slot === slotOf('m.room.member', event.sender) && event.state_key !== event.sender ? there.filter(({ pdu }) => pdu.content.membership === 'join') : [];
    const ids = [...there, ...joins, ...joins, ...joins].map((other) => other.eventId);
    return fc.option(fc.constantFrom(...ids), { freq: 10, nil: undefined });
  });
  return fc.tuple(...places).map((ids) => stateOf(dag, ids.filter((id) => id !== undefined)));
}

/** Whether the content is what a state can have: what the rules refuse whatever the state is in none. */
function canBeState({ version }: RoomDag, { type, content }: Pdu): boolean {
  if (type === 'm.room.power_levels') return powerLevelsProblem(content, version) === undefined;
  if (type === 'm.room.member') return MEMBERSHIPS.has(content.membership);
  return type !== 'm.room.create';
}

/** A state of accepted events, whatever they have to do with each other; now and then even without a create event. */
function mixedStateOf(dag: RoomDag): fc.Arbitrary<StateSet> {
  const create = fc.nat(15).map((nat) => (nat === 0 ? [] : [dag.createId]));
  return fc.tuple(create, fc.array(fc.constantFrom(...dag.accepted), { maxLength: 16, size: 'max' })).map(([first, others]) => stateOf(dag, [...first, ...others.filter((eventId) => eventId !== dag.createId)]));
}

/** State sets that are one state of the room but for one to three events each. */
function variedSetsOf(dag: RoomDag): fc.Arbitrary<StateSet[]> {
  const state = dag.accepted.filter((eventId) => dag.pdu(eventId)?.state_key !== undefined && eventId !== dag.createId);
  const changes = fc.array(fc.array(fc.constantFrom(...state), { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 8 });
  return fc.tuple(fc.constantFrom(...dag.accepted), changes).map(([base, sets]) => sets.map((ids) => new Map([...dag.stateAfter(base), ...stateOf(dag, ids)])));
}

/** State sets with events that only the state before them refused (spec: rooms/v2, "Rejected events"). */
function rejectedSetsOf(dag: RoomDag): fc.Arbitrary<StateSet[]> {
  const usable = [...dag.events.values()].filter(({ verdict, allowedByAuthEvents }) => verdict.allowed || allowedByAuthEvents).map(({ eventId }) => eventId);
  return fc.array(fc.array(fc.constantFrom(...usable), { maxLength: 12, size: 'max' }), { minLength: 2, maxLength: 4 }).map((sets) => sets.map((ids) => stateOf(dag, [...ids.filter((eventId) => dag.pdu(eventId)?.type !== 'm.room.create'), dag.createId])));
}

function stateOf(dag: RoomDag, eventIds: readonly string[]): StateSet {
  return new Map(eventIds.map((eventId) => [eventId, dag.pdu(eventId)!] as const).filter(([, pdu]) => pdu.state_key !== undefined).map(([eventId, pdu]) => [slotOfEvent(pdu), eventId]));
}

function questionOf({ dag, strange, meetings }: Asked): Question {
  const own = [...dag.events.values()];
  const rejectedRoom = roomOfRejectedCreate(dag);
  const strays = [...strayCreates(dag), ...strayTopics(dag), ...rejectedRoom.topics];
  const events: AskedEvent[] = [
    ...own.map(({ eventId, pdu, verdict }) => ({ id: eventId, pdu, rejected: !verdict.allowed })),
    ...strays.map(({ eventId, pdu }) => ({ id: eventId, pdu, rejected: false })),
    ...[...dag.foreign].map(([id, pdu]) => ({ id, pdu, rejected: false })),
    ...rejectedRoom.creates.map(({ eventId, pdu }) => ({ id: eventId, pdu, rejected: true })),
  ];
  const places = new Map(events.map(({ id }, place) => [id, place]));
  const placesOf = (state: StateSet): number[] => [...state.values()].map((eventId) => places.get(eventId)!);
  const merges = own.map(({ meeting }) => [...new Set(meeting)]).filter((sets) => sets.length > 1);
  // No server judges create events, or events of another room, by a state of this one.
  const states = [...own.map(({ eventId, before }) => ({ eventId, state: before })), ...strange].filter(({ eventId }) => {
    const { type, room_id: roomId } = dag.pdu(eventId)!;
    return type !== 'm.room.create' && roomId === dag.roomId;
  });
  return {
    version: dag.version.id,
    roomId: dag.roomId,
    events,
    byAuthEvents: events.map((_, place) => place).slice(0, own.length + strays.length),
    byState: states.map(({ eventId, state }) => ({ event: places.get(eventId)!, state: placesOf(state) })),
    meetings: [...merges, ...meetings].map((sets) => sets.map(placesOf)),
  };
}

/** Create events of all sorts, which are of no graph: rule 1 is about nothing else. */
function strayCreates(dag: RoomDag): Stray[] {
  const { content } = dag.pdu(dag.createId)!;
  const { creator: _creator, ...nameless } = content;
  const draft = (changed: Record<string, unknown>): EventDraft => ({ type: 'm.room.create', sender: CREATOR, state_key: '', content: changed });
  const contents = [
    nameless, { ...content, room_version: 'org.example.unknown' }, { ...content, room_version: 5 }, { ...nameless, creator: 5 }, { ...content, additional_creators: [] }, { ...content, additional_creators: 5 },
    { ...content, additional_creators: ['@x:one.test', 'x'] }, { ...content, additional_creators: ['@x:one.test', '@y:two.test'] }, { ...content, additional_creators: [5] },
    { ...content, additional_creators: ['@x:not a server'] },
  ];
  const hashed = dag.version.roomIdFormat === 'create-hash';
  return [
    ...contents.map((changed) => dag.build(draft(changed), { prev: [], roomId: hashed ? '' : dag.roomId }, new Map())),
    dag.build(draft(content), { prev: [], roomId: hashed ? dag.roomId : '!room:two.test' }, new Map()),
    dag.build(draft(content), { prev: [dag.createId], roomId: hashed ? '' : dag.roomId }, new Map()),
  ];
}

/** Topics with auth events of all sorts: rule 2 is about nothing else. */
function strayTopics(dag: RoomDag): Stray[] {
  const draft: EventDraft = { type: 'm.room.topic', sender: CREATOR, state_key: '', content: { topic: '' } };
  return wrongCitations(dag, draft, dag.newest).map((cite) => dag.build(draft, { prev: [dag.newest], authEvents: cite() }, new Map()));
}

/** In versions whose room ID is the create event's: a topic in the room of one that was rejected, and one in a room that nobody knows. */
function roomOfRejectedCreate(dag: RoomDag): { creates: Stray[]; topics: Stray[] } {
  if (dag.version.roomIdFormat !== 'create-hash') return { creates: [], topics: [] };
  const { content } = dag.pdu(dag.createId)!;
  const [rejected, unknown] = ['rejected', 'unknown'].map((topic) => dag.build({ type: 'm.room.create', sender: CREATOR, state_key: '', content: { ...content, topic } }, { prev: [dag.createId], roomId: '' }, new Map()));
  const topics = [rejected, unknown].map((create) => {
    const draft: EventDraft = { type: 'm.room.topic', sender: CREATOR, state_key: '', content: {} };
    return dag.build(draft, { prev: [create!.eventId], authEvents: [], roomId: roomIdOfCreateEvent(create!.eventId) }, new Map());
  });
  return { creates: [rejected!], topics };
}
