/** What servers do to a room that they should not, or that few do: one function for each kind, its variant chosen by a number. */
import type { EventDraft } from '../../pkg/matrix/events/pdu.ts';
import { encodeBase64 } from '../../pkg/matrix/canonical-json/base64.ts';
import { signJson } from '../../pkg/matrix/signing/sign-json.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { POWER_LEVELS_SLOT, slotOf } from '../../pkg/matrix/state-res/slot.ts';
import { RoomDag } from './room-dag.ts';
import type { Placement } from './room-dag.ts';
import { CREATOR, TEST_KEY } from './room-state.ts';

interface Who {
  readonly sender: string;
  readonly target: string;
  /** 0 to 63. */
  readonly choice: number;
}

interface Odd {
  readonly draft: EventDraft;
  readonly placement?: Placement;
}

const OTHER_KEY = signingKeyFromSeed('other', new Uint8Array(32).fill(9));
const FOREIGN_ROOM = '!other:one.test';

const pick = <T>(values: readonly T[], choice: number): T => values[choice % values.length] as T;
const state = (type: string, sender: string, content: Record<string, unknown>, stateKey = ''): EventDraft => ({ type, sender, state_key: stateKey, content });
const membership = ({ sender, target }: Who, content: Record<string, unknown>): EventDraft => state('m.room.member', sender, content, target);

export const ODD_ACTIONS = {
  joinAnother: (who: Who): Odd => ({ draft: membership(who, { membership: 'join' }) }),
  knockForAnother: (who: Who): Odd => ({ draft: membership(who, { membership: 'knock' }) }),
  unknownMembership: (who: Who): Odd => ({ draft: membership(who, pick<Record<string, unknown>>([{ membership: 'dance' }, {}, { membership: 5 }, { membership: null }], who.choice)) }),
  memberOfNobody: ({ sender, choice }: Who): Odd => ({ draft: { type: 'm.room.member', sender, content: { membership: pick(['join', 'leave', 'invite'], choice) } } }),
  joinUnsigned: (who: Who): Odd => {
    const authoriser = pick<unknown>([CREATOR, who.target, who.target, 5, null, 'nobody'], who.choice);
    return { draft: membership({ ...who, target: who.sender }, { membership: 'join', join_authorised_via_users_server: authoriser }), placement: { leaveUnsigned: true } };
  },
  joinByCreator: (who: Who): Odd => ({ draft: membership({ ...who, target: who.sender }, { membership: 'join', join_authorised_via_users_server: CREATOR }) }),
  offerInvite: ({ sender, choice }: Who): Odd => ({ draft: state('m.room.third_party_invite', sender, thirdPartyContent(choice >> 1), `token${choice % 2}`) }),
  redeemOddly: (who: Who, dag: RoomDag, base: string): Odd => {
    const { token, sender } = offeredInvite(who, dag, base);
    return { draft: membership({ ...who, sender }, { membership: 'invite', third_party_invite: redemption(who, token) }) };
  },
  levels: ({ sender, choice }: Who, dag: RoomDag, base: string): Odd => {
    const current = dag.pdu(dag.stateAfter(base).get(POWER_LEVELS_SLOT) ?? '')?.content ?? {};
    return { draft: state('m.room.power_levels', sender, { ...current, ...oddLevels(choice, dag) }) };
  },
  levelsElsewhere: ({ sender, choice }: Who): Odd => ({ draft: state('m.room.power_levels', sender, { users: { [sender]: choice } }, 'x') }),
  oddJoinRule: ({ sender, choice }: Who): Odd => ({ draft: state('m.room.join_rules', sender, pick<Record<string, unknown>>([{}, { join_rule: null }, { join_rule: 5 }, { join_rule: 'dance' }], choice)) }),
  secondCreate: ({ sender }: Who, dag: RoomDag): Odd => ({ draft: state('m.room.create', sender, dag.pdu(dag.createId)!.content) }),
  aliasesOfNobody: ({ sender, choice }: Who): Odd => {
    const draft = { type: 'm.room.aliases', sender, content: {} };
    return { draft: choice % 2 === 0 ? draft : { ...draft, state_key: '' } };
  },
  redactOddly: ({ sender, choice }: Who, dag: RoomDag): Odd => {
    const target = pick(dag.accepted, choice);
    return { draft: { type: 'm.room.redaction', sender, content: choice % 3 === 0 ? { redacts: target } : {}, ...(choice % 2 === 0 ? { redacts: target } : {}) } };
  },
  ownState: ({ sender, choice }: Who): Odd => ({ draft: state('org.example.own', sender, {}, pick(['@', `${sender}_x`, '@nobody:one.test', '#x'], choice)) }),
  ofAnotherRoom: ({ sender, choice }: Who, dag: RoomDag): Odd => ({ draft: state('m.room.topic', sender, { topic: String(choice) }), placement: { roomId: foreignRoom(dag).roomId } }),
  wrongAuthEvents,
};

function thirdPartyContent(choice: number): Record<string, unknown> {
  const [test, other] = [encodeBase64(TEST_KEY.publicKey), encodeBase64(OTHER_KEY.publicKey)];
  const urlSafe = Buffer.from(TEST_KEY.publicKey).toString('base64url');
  return pick<Record<string, unknown>>([
    { public_key: test }, { public_key: other }, { public_key: other, public_keys: [{ public_key: test }] }, { public_keys: [{ public_key: other }, { public_key: test }] }, {}, { public_key: urlSafe },
  ], choice);
}

/** The token and the sender of a third-party invite that the room has, so that it can be redeemed; now and then some other. */
function offeredInvite({ sender, choice }: Who, dag: RoomDag, base: string): { token: string; sender: string } {
  const tokens = [`token${choice % 2}`, `token${(choice + 1) % 2}`];
  const offered = tokens.map((token) => dag.pdu(dag.stateAfter(base).get(slotOf('m.room.third_party_invite', token)) ?? '')).find((event) => event !== undefined);
  return offered === undefined || choice % 5 === 0 ? { token: tokens[0] as string, sender } : { token: offered.state_key as string, sender: offered.sender };
}

/** All sorts of content under `third_party_invite`. */
function redemption({ target, sender, choice }: Who, token: string): unknown {
  const content = { mxid: target, token };
  const signed = signJson(content, 'id.test', TEST_KEY);
  const twice = signJson(signJson(content, 'id.test', OTHER_KEY), 'other.test', TEST_KEY);
  return pick<unknown>([
    { signed }, { signed: twice }, { signed: signJson(content, 'id.test', OTHER_KEY) }, { signed: twice }, { signed: signJson({ ...content, mxid: sender }, 'id.test', TEST_KEY) },
    { signed: signJson({ ...content, token: 'none' }, 'id.test', TEST_KEY) }, { signed: content }, { signed: signJson({ mxid: target }, 'id.test', TEST_KEY) },
    { signed: signJson({ token }, 'id.test', TEST_KEY) }, { signed: { ...content, signatures: {} } }, { signed: { ...content, signatures: 5 } },
    { signed: { ...content, signatures: { 'id.test': { 'ed25519:test': '!' } } } }, {}, null, { signed: 'x' },
  ], choice >> 1);
}

/** Changes of the room's levels. Up to version 9 only users have a form; what else is malformed means nothing there and is left out. */
function oddLevels(choice: number, dag: RoomDag): Record<string, unknown> {
  const level = pick([0, 25, 50, 75, 100, 101], choice >> 3);
  const always = [
    { notifications: { room: level } }, { events: { 'm.room.message': level, 'm.room.redaction': 0 } }, { users: { 'x:one.test': 5 } }, { users: { '@noserver': 5 } },
    { users: { '@x:not a server': 5 } }, { users: { [CREATOR]: level } }, { users: { '@bob:two.test': level } }, { users: [] }, { users: {} }, { users: { '@x:one.test': 'high' } },
  ];
  const loose = [{ users: { '@x:one.test': '1_0' } }, { users: { '@x:one.test': ' -5 ' } }, { notifications: { room: ' +0100' } }, { events: { 'm.room.topic': '0075' } }];
  const strict = [
    { ban: '50' }, { ban: null }, { kick: {} }, { events: [] }, { events: null }, { events: { x: '5' } }, { notifications: 5 }, { notifications: { room: '50' } }, { users: null }, { users: { '@x:one.test': '5' } },
  ];
  return pick<Record<string, unknown>>([...always, ...always, ...(dag.version.integerPowerLevels ? strict : loose)], choice);
}

/** A topic that names auth events it should not. */
function wrongAuthEvents({ sender, choice }: Who, dag: RoomDag, base: string): Odd {
  const draft = state('m.room.topic', sender, { topic: String(choice) });
  return { draft, placement: { authEvents: pick(wrongCitations(dag, draft, base), choice)() } };
}

/** What such an event after `base` could name instead of what it should: one function for each way, not all of them wrong in every room. */
export function wrongCitations(dag: RoomDag, draft: EventDraft, base: string): (() => string[])[] {
  const right = dag.authEventsIn(draft, dag.stateAfter(base));
  const events = [...dag.events.values()];
  const find = (wanted: (event: (typeof events)[number]) => boolean): string[] => events.filter(wanted).slice(-1).map(({ eventId }) => eventId);
  const accepted = (type: string): string[] => find(({ pdu, verdict }) => verdict.allowed && pdu.type === type);
  const foreign = foreignRoom(dag);
  const foreignAt = (type: string): string[] => [foreign.stateAfter().get(slotOf(type, '')) as string];
  const without = (type: string): string[] => right.filter((authId) => dag.pdu(authId)?.type !== type);
  return [
    () => [...right, ...right.slice(0, 1)], () => [...right, ...accepted('m.room.power_levels')], () => without('m.room.create'), () => without('m.room.member'), () => without('m.room.power_levels'),
    () => [...right, ...accepted('m.room.join_rules')], () => [...right, ...accepted('m.room.message')], () => [...right].reverse(), () => [...without('m.room.create'), ...foreignAt('m.room.create')],
    () => [...without('m.room.power_levels'), ...foreignAt('m.room.power_levels')], () => [...right, dag.createId],
    () => [...without('m.room.power_levels'), ...find(({ pdu, verdict }) => !verdict.allowed && pdu.type === 'm.room.power_levels' && pdu.state_key === '')],
    () => [...without('m.room.member'), ...find(({ pdu, verdict }) => !verdict.allowed && pdu.type === 'm.room.member' && pdu.state_key === draft.sender)],
  ];
}

const foreignRooms = new WeakMap<RoomDag, RoomDag>();

/** Another room of the version, whose events that one knows. */
function foreignRoom(dag: RoomDag): RoomDag {
  const known = foreignRooms.get(dag);
  if (known !== undefined) return known;
  const room = new RoomDag(dag.version.id, { 'org.example.other': true }, FOREIGN_ROOM);
  room.send(state('m.room.member', CREATOR, { membership: 'join' }, CREATOR));
  room.send(state('m.room.power_levels', CREATOR, {}));
  for (const [eventId, { pdu }] of room.events) dag.foreign.set(eventId, pdu);
  foreignRooms.set(dag, room);
  return room;
}
