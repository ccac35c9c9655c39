/** Random room graphs for fast-check: what users might do to each other on many forks at once. */
import fc from 'fast-check';
import type { EventDraft } from '../../pkg/matrix/events/pdu.ts';
import { domainOf } from '../../pkg/matrix/ids/domain-of.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { signJson } from '../../pkg/matrix/signing/sign-json.ts';
import { encodeBase64 } from '../../pkg/matrix/canonical-json/base64.ts';
import { POWER_LEVELS_SLOT, slotOfEvent } from '../../pkg/matrix/state-res/slot.ts';
import type { StateSet } from '../../pkg/matrix/state-res/conflicts.ts';
import { ODD_ACTIONS } from './odd-actions.ts';
import { RoomDag } from './room-dag.ts';
import type { Placement } from './room-dag.ts';
import { CREATOR, TEST_KEY } from './room-state.ts';

const USERS = [CREATOR, '@alice:one.test', '@bob:two.test', '@carol:two.test', '@dave:three.test'];
const JOIN_RULES = ['public', 'invite', 'knock', 'restricted', 'knock_restricted', 'private'];
const LEVELS = [0, 25, 50, 75, 100];
const LEVEL_KEYS = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'];
const TS = 1_700_000_000_000;

interface Step {
  readonly action: Action | OddAction;
  readonly sender: number;
  readonly target: number;
  readonly choice: number;
  /** How far back its previous events stand among the accepted ones. */
  readonly back: readonly number[];
  readonly ts: number;
  /** In odd rooms: how far back the event stands in whose state it has its auth events. */
  readonly stale?: number | undefined;
  /** In odd rooms: whether its previous events may be rejected ones. */
  readonly onRejected?: boolean;
}

type Draft = (step: { sender: string; target: string; choice: number }, dag: RoomDag, base: string) => EventDraft;

const member = (sender: string, target: string, content: Record<string, unknown>): EventDraft => ({ type: 'm.room.member', sender, state_key: target, content });
const pick = <T>(values: readonly T[], choice: number): T => values[choice % values.length] as T;

const ACTIONS = {
  join: ({ sender }) => member(sender, sender, { membership: 'join' }),
  joinByAuthoriser: ({ sender, target }) => member(sender, sender, { membership: 'join', join_authorised_via_users_server: target }),
  leave: ({ sender }) => member(sender, sender, { membership: 'leave' }),
  knock: ({ sender }) => member(sender, sender, { membership: 'knock' }),
  invite: ({ sender, target }) => member(sender, target, { membership: 'invite' }),
  kick: ({ sender, target }) => member(sender, target, { membership: 'leave' }),
  ban: ({ sender, target }) => member(sender, target, { membership: 'ban' }),
  thirdPartyInvite: ({ sender, choice }) => ({ type: 'm.room.third_party_invite', sender, state_key: `token${choice % 2}`, content: { public_key: encodeBase64(TEST_KEY.publicKey) } }),
  redeemInvite: ({ sender, target, choice }) => {
    const signed = signJson({ mxid: target, token: `token${choice % 2}` }, 'id.test', TEST_KEY);
    return member(sender, target, { membership: 'invite', third_party_invite: { display_name: 'x', signed } });
  },
  setLevel: ({ sender, target, choice }, dag, base) => {
    const { users, ...levels } = currentLevels(dag, base);
    return { type: 'm.room.power_levels', sender, state_key: '', content: { ...levels, users: { ...(users as object), [target]: pick(LEVELS, choice) } } };
  },
  setDefault: ({ sender, choice }, dag, base) => {
    const level = pick(LEVELS, choice >> 3);
    // Strings are levels up to version 9 and malformed later.
    return { type: 'm.room.power_levels', sender, state_key: '', content: { ...currentLevels(dag, base), [pick(LEVEL_KEYS, choice)]: choice >= 56 ? ` +0${level} ` : level } };
  },
  setTypeLevel: ({ sender, choice }, dag, base) => {
    return { type: 'm.room.power_levels', sender, state_key: '', content: { ...currentLevels(dag, base), events: { 'm.room.topic': pick(LEVELS, choice) } } };
  },
  // One with a state key is not the room's.
  joinRule: ({ sender, choice }) => ({ type: 'm.room.join_rules', sender, state_key: choice >= 52 ? 'x' : '', content: { join_rule: pick(JOIN_RULES, choice) } }),
  aliases: ({ sender, target, choice }) => ({ type: 'm.room.aliases', sender, state_key: domainOf(target), content: { aliases: [`#${choice}:${domainOf(target)}`] } }),
  redaction: ({ sender, choice }, dag) => {
    const redacts = pick(dag.accepted, choice);
    return { type: 'm.room.redaction', sender, ...(dag.version.redactsInContent ? { content: { redacts } } : { redacts, content: {} }) };
  },
  topic: ({ sender, choice }) => ({ type: 'm.room.topic', sender, state_key: '', content: { topic: String(choice) } }),
  own: ({ sender, target }) => ({ type: 'org.example.own', sender, state_key: target, content: {} }),
  message: ({ sender, choice }) => ({ type: 'm.room.message', sender, content: { body: String(choice) } }),
} satisfies Record<string, Draft>;

type Action = keyof typeof ACTIONS;
type OddAction = keyof typeof ODD_ACTIONS;

function currentLevels(dag: RoomDag, base: string): Record<string, unknown> {
  const eventId = dag.stateAfter(base).get(POWER_LEVELS_SLOT);
  return eventId === undefined ? {} : (dag.pdu(eventId)?.content ?? {});
}

const common = {
  // Who has power acts more often than others.
  sender: fc.oneof(fc.nat(1), fc.nat(USERS.length - 1)),
  target: fc.nat(USERS.length - 1),
  choice: fc.nat(63),
  ts: fc.nat(30),
};

const usualAction = fc.constantFrom(...(Object.keys(ACTIONS) as Action[]), 'topic' as const, 'topic' as const, 'setLevel' as const, 'setLevel' as const, 'setTypeLevel' as const);
/** In odd rooms more turns about who may come in. */
const doorAction = fc.constantFrom<Action[]>('joinRule', 'joinRule', 'knock', 'joinByAuthoriser', 'join', 'invite', 'leave', 'ban', 'thirdPartyInvite', 'redeemInvite', 'setDefault');
const oddAction = fc.constantFrom(...(Object.keys(ODD_ACTIONS) as OddAction[]));

const step: fc.Arbitrary<Step> = fc.record({
  ...common,
  action: usualAction,
  back: fc.oneof({ weight: 3, arbitrary: fc.tuple(fc.nat(12)) }, { weight: 1, arbitrary: fc.array(fc.nat(6), { minLength: 2, maxLength: 4 }) }),
});

const oddStep: fc.Arbitrary<Step> = fc.record({
  ...common,
  action: fc.integer({ min: 0, max: 6 }).chain((kind): fc.Arbitrary<Action | OddAction> => (kind < 3 ? usualAction : kind < 5 ? doorAction : oddAction)),
  back: fc.oneof({ weight: 4, arbitrary: fc.tuple(fc.nat(10)) }, { weight: 1, arbitrary: fc.array(fc.nat(10), { minLength: 2, maxLength: 8 }) }),
  stale: fc.option(fc.nat(12), { freq: 12, nil: undefined }),
  onRejected: fc.nat(9).map((nat) => nat === 0),
});

/** What only some create events have; it means nothing to most versions. */
const CREATE_CONTENTS = [{}, {}, {}, { 'm.federate': false }, { additional_creators: ['@bob:two.test'] }];
const ODD_CREATE_CONTENTS = [{}, {}, {}, {}, {}, {}, {}, {}, {}, { 'm.federate': false }, { 'm.federate': 'no' }, { creator: '@alice:one.test' }];
const PRIVILEGED_CREATE_CONTENTS = [...ODD_CREATE_CONTENTS, { additional_creators: ['@bob:two.test'] }, { additional_creators: ['@bob:two.test'] }, { additional_creators: ['@alice:one.test', '@bob:two.test'] }, { additional_creators: [] }];

/** A room of that version after up to `stepsMax` random steps, most of them allowed. */
export function randomRoom(versionId: string, stepsMax = 40): fc.Arbitrary<RoomDag> {
  const steps = fc.array(step, { minLength: 4, maxLength: stepsMax, size: 'max' });
  return fc.tuple(fc.constantFrom(...CREATE_CONTENTS), steps).map(([createContent, taken]) => grow(startRoom(versionId, createContent), taken));
}

/** The same, of servers that do what they should not too: malformed content, wrong or stale auth events, events after rejected ones; with forks of up to eight sides. */
export function oddRoom(versionId: string, stepsMax: number): fc.Arbitrary<RoomDag> {
  const createContents = roomVersion(versionId)?.privilegedCreators === true ? PRIVILEGED_CREATE_CONTENTS : ODD_CREATE_CONTENTS;
  const start = fc.record({ createContent: fc.constantFrom(...createContents), isBare: fc.nat(7).map((nat) => nat === 0), joined: fc.integer({ min: 1, max: 4 }) });
  const steps = fc.array(oddStep, { minLength: 12, maxLength: stepsMax, size: 'max' });
  return fc.tuple(start, steps).map(([{ createContent, ...how }, taken]) => grow(startRoom(versionId, createContent, how), taken));
}

/** The creator, Alice (50), Bob and Carol, or the first `joined` of them, are joined to a public room, unless its create event keeps other servers out. A bare room has no power levels. */
export function startRoom(versionId: string, createContent: Record<string, unknown> = {}, { isBare = false, joined = 4 } = {}): RoomDag {
  const dag = new RoomDag(versionId, createContent);
  const named = dag.pdu(dag.createId)!.content.creator;
  const founder = dag.version.creatorInContent && typeof named === 'string' ? named : CREATOR;
  dag.send(member(founder, founder, { membership: 'join' }));
  const second = founder === CREATOR ? '@alice:one.test' : CREATOR;
  const isCreator = dag.version.privilegedCreators && (createContent['additional_creators'] as string[] | undefined)?.includes(second) === true;
  const users = { ...(dag.version.privilegedCreators ? {} : { [founder]: 100 }), ...(isCreator ? {} : { [second]: 50 }) };
  if (!isBare) dag.send({ type: 'm.room.power_levels', sender: founder, state_key: '', content: { users } });
  dag.send({ type: 'm.room.join_rules', sender: founder, state_key: '', content: { join_rule: 'public' } });
  for (const userId of USERS.slice(0, joined)) if (userId !== founder) dag.add(member(userId, userId, { membership: 'join' }));
  return dag;
}

function grow(dag: RoomDag, steps: readonly Step[]): RoomDag {
  for (const { action, sender, target, choice, back, ts, stale, onRejected } of steps) {
    const at = (distance: number, ids: readonly string[]): string => ids[Math.max(0, ids.length - 1 - distance)] as string;
    const ids = onRejected === true ? [...dag.events.keys()] : dag.accepted;
    const prev = [...new Set(back.map((distance) => at(distance, ids)))];
    const who = { sender: pick(USERS, sender), target: pick(USERS, target), choice };
    const base = prev[0] as string;
    const usual = action in ACTIONS ? (ACTIONS[action as Action] as Draft)(who, dag, base) : undefined;
    const { draft, placement = {} }: { draft: EventDraft; placement?: Placement } = usual === undefined ? ODD_ACTIONS[action as OddAction](who, dag, base) : { draft: usual };
    const authEvents = stale === undefined ? undefined : dag.authEventsIn(draft, dag.stateAfter(at(stale, dag.accepted)));
    dag.add(draft, { prev, ts: TS + ts, ...(authEvents === undefined ? {} : { authEvents }), ...placement });
  }
  return dag;
}

/** State sets of a room to resolve: those after some events, or put together at random of its accepted events, as no honest server would have them. */
export function stateSetsOf(dag: RoomDag): fc.Arbitrary<StateSet[]> {
  const honest = fc.shuffledSubarray(dag.accepted, { minLength: 1, maxLength: Math.min(8, dag.accepted.length) }).map((ids) => ids.map((id) => dag.stateAfter(id)));
  const some = fc.array(fc.constantFrom(...dag.accepted), { maxLength: 12 });
  const mixed = fc.tuple(some, fc.array(some, { minLength: 2, maxLength: 4 })).map(([common, sets]) => sets.map((ids) => mixedState(dag, [...ids, ...common])));
  return fc.oneof({ weight: 2, arbitrary: honest }, { weight: 2, arbitrary: mixed }, { weight: 1, arbitrary: fc.constant(dag.extremities().map((id) => dag.stateAfter(id))) });
}

function mixedState(dag: RoomDag, eventIds: readonly string[]): StateSet {
  const state = new Map([[slotOfEvent(dag.events.get(dag.createId)!.pdu), dag.createId]]);
  for (const eventId of eventIds) {
    const { pdu } = dag.events.get(eventId)!;
    if (pdu.state_key !== undefined) state.set(slotOfEvent(pdu), eventId);
  }
  return state;
}
