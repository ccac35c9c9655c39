/** What the lying peer does unasked. Some of it is allowed, so that it stays in the room and its events are in everybody's graph. */
import { domainOf } from '../../../../pkg/matrix/ids/domain-of.ts';
import type { EventDraft, Pdu } from '../../../../pkg/matrix/events/pdu.ts';
import { garbageEvent } from './garbage.ts';
import type { LiarRoom, Made } from './liar-room.ts';
import type { LyingPeer } from './liar.ts';
import { QUESTIONS } from './questions.ts';

export type Attack = (liar: LyingPeer, room: LiarRoom) => Promise<void>;

type How = Omit<Parameters<LiarRoom['make']>[1], 'nowMs'>;

function make(liar: LyingPeer, room: LiarRoom, draft: Partial<EventDraft>, how: How = {}): Made {
  const body = `lie ${liar.world.random.token(6)}`;
  return room.make({ type: 'm.room.message', sender: liar.userId, content: { msgtype: 'm.text', body }, ...draft }, { nowMs: liar.world.scheduler.now, ...how });
}

function someone(liar: LyingPeer): string[] {
  const { random } = liar.world;
  return random.chance(0.5) ? [random.pick(liar.honest)] : liar.honest;
}

/** An event as it should be, told to some. */
function say(draft: (liar: LyingPeer, room: LiarRoom) => Partial<EventDraft>, how: (liar: LyingPeer, room: LiarRoom) => How = () => ({})): Attack {
  return async (liar, room) => {
    const made = make(liar, room, draft(liar, room), how(liar, room));
    room.learn(made.pdu, true);
    await liar.send(someone(liar), [made.pdu]);
  };
}

/** An event that must not count: its maker does not build on it either. */
function spoil(spoiled: (liar: LyingPeer, room: LiarRoom) => unknown[]): Attack {
  return (liar, room) => liar.send(someone(liar), spoiled(liar, room));
}

function oldEvents(liar: LyingPeer, room: LiarRoom, most: number): string[] {
  const known = [...room.events.keys()];
  return Array.from({ length: liar.world.random.whole(1, most) }, () => liar.world.random.pick(known));
}

function tampered(pdu: Pdu): Pdu {
  return { ...pdu, content: { ...pdu.content, body: 'changed on the way' } };
}

async function withhold(liar: LyingPeer, room: LiarRoom): Promise<void> {
  const hidden = make(liar, room, {});
  room.withheld.push(hidden);
  const shown = make(liar, room, {}, { prev: [hidden.eventId], depth: Math.min(hidden.pdu.depth + 1, Number.MAX_SAFE_INTEGER) });
  await liar.send(someone(liar), [shown.pdu]);
}

async function chain(liar: LyingPeer, room: LiarRoom): Promise<void> {
  const pdus: Pdu[] = [];
  for (let number = liar.world.random.pick([3, 10, 55]); number > 0; number -= 1) {
    const { pdu } = make(liar, room, {});
    room.learn(pdu, true);
    pdus.push(pdu);
  }
  await liar.send(someone(liar), liar.world.random.chance(0.5) ? pdus.reverse() : pdus);
}

/** One event as it was signed for one server, with other content for the other. */
async function twoFaces(liar: LyingPeer, room: LiarRoom): Promise<void> {
  const { pdu } = make(liar, room, {});
  room.learn(pdu, true);
  await Promise.all(liar.honest.map((name, index) => liar.send([name], [index === 0 ? pdu : tampered(pdu)])));
}

async function twoTransactions(liar: LyingPeer, room: LiarRoom): Promise<void> {
  const txnId = `same ${room.events.size}`;
  for (let count = 0; count < 2; count += 1) {
    const { pdu } = make(liar, room, {});
    room.learn(pdu, true);
    await liar.send(liar.honest, [pdu, pdu], { txnId: encodeURIComponent(txnId) });
  }
}

async function leaveAndReturn(liar: LyingPeer, room: LiarRoom): Promise<void> {
  const leave = make(liar, room, { type: 'm.room.member', state_key: liar.userId, content: { membership: 'leave' } });
  room.learn(leave.pdu, true);
  await liar.send(someone(liar), [leave.pdu]);
  await liar.join(room.roomId, liar.world.random.pick(liar.honest));
}

function powerOf(liar: LyingPeer, room: LiarRoom): Partial<EventDraft> {
  const content = room.stateEvent('m.room.power_levels', '')?.content ?? {};
  return { type: 'm.room.power_levels', state_key: '', content: { ...content, users: { ...(content['users'] as object), [liar.userId]: 100 } } };
}

function banOfSomebody(liar: LyingPeer, room: LiarRoom): Partial<EventDraft> {
  const members = [...room.events.values()].filter((pdu) => pdu.type === 'm.room.member' && domainOf(pdu.state_key ?? '') !== liar.name);
  return { type: 'm.room.member', state_key: liar.world.random.pick(members)?.state_key ?? liar.userId, content: { membership: liar.world.random.pick(['ban', 'leave', 'join', 'invite']) } };
}

/** By name, for the trace. */
export const ATTACKS: readonly (readonly [name: string, attack: Attack])[] = [
  ['a message', say(() => ({}))],
  ['another message', say(() => ({}))],
  ['a new name of its own', say((liar) => ({ type: 'm.room.member', state_key: liar.userId, content: { membership: 'join', displayname: liar.world.random.token(4) } }))],
  ['a fork from old events', say(() => ({}), (liar, room) => ({ prev: [...new Set(oldEvents(liar, room, 3))] }))],
  ['membership on a fork', say((liar) => ({ type: 'm.room.member', state_key: liar.userId, content: { membership: 'join', displayname: liar.world.random.token(4) } }), (liar, room) => ({ prev: oldEvents(liar, room, 1) }))],
  ['a depth beyond all', say(() => ({}), (liar) => ({ depth: liar.world.random.pick([0, 1, 1_000_000, Number.MAX_SAFE_INTEGER]) }))],
  ['an event before an unknown one', withhold],
  ['what was withheld', spoil((_liar, room) => room.withheld.splice(0).map(({ pdu }) => pdu))],
  ['prev_events that nobody has', spoil((liar, room) => [make(liar, room, {}, { prev: [`$${liar.world.random.token(43)}`] }).pdu])],
  ['auth_events that nobody has', spoil((liar, room) => [make(liar, room, {}, { auth: [`$${liar.world.random.token(43)}`] }).pdu])],
  ['other auth_events', spoil((liar, room) => [make(liar, room, {}, { auth: oldEvents(liar, room, 6) }).pdu])],
  ['more references than allowed', spoil((liar, room) => [make(liar, room, {}, { prev: [...room.events.keys()].slice(0, 40), auth: [...room.events.keys()].slice(0, 40) }).pdu])],
  ['power for itself', spoil((liar, room) => [make(liar, room, powerOf(liar, room)).pdu])],
  ['memberships of others', spoil((liar, room) => [make(liar, room, banOfSomebody(liar, room)).pdu])],
  ['a topic without the right', spoil((liar, room) => [make(liar, room, { type: 'm.room.topic', state_key: '', content: { topic: 'lies' } }).pdu])],
  ['a user who is not there', spoil((liar, room) => [make(liar, room, { sender: `@ghost:${liar.name}` }).pdu])],
  ['words of others', spoil((liar, room) => [make(liar, room, { sender: [...room.events.values()][0]!.sender }).pdu])],
  ['a second create event', spoil((liar, room) => [make(liar, room, { type: 'm.room.create', state_key: '', content: { room_version: room.version.id } }).pdu])],
  ['a wrong signature', spoil((liar, room) => [{ ...make(liar, room, {}).pdu, signatures: { [liar.name]: { [liar.signingKey.keyId]: Buffer.alloc(64, 1).toString('base64') } } }])],
  ['events of another room', spoil((liar, room) => [make(liar, room, {}, { roomId: liar.world.random.pick([...liar.otherRooms, '!nowhere:liar.test']) }).pdu])],
  ['a redaction', spoil((liar, room) => [make(liar, room, { type: 'm.room.redaction', redacts: oldEvents(liar, room, 1)[0]!, content: {} }).pdu])],
  ['old events again', spoil((liar, room) => oldEvents(liar, room, 20).map((eventId) => room.events.get(eventId)))],
  ['garbage', (liar, room) => liar.send(someone(liar), [garbageEvent(liar.world.random, room.roomId), make(liar, room, {}).pdu, garbageEvent(liar.world.random, room.roomId)], { edus: [null, { edu_type: 5 }] })],
  ['many messages', chain],
  ['one event with two contents', twoFaces],
  ['one transaction ID twice', twoTransactions],
  ['a leave and a return', leaveAndReturn],
  ...QUESTIONS,
];
