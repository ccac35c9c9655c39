/** Rooms with a policy server: what is made here waits for its signature, and what comes without it is asked for or softly failed. Over the real log, with a real database. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { encodeBase64, encodeBase64Url } from '../../../pkg/matrix/canonical-json/base64.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { addSignature } from '../../../pkg/matrix/signing/sign-event.ts';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import type { Need } from '../../../schemas/log/room-output.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { bytesOf, received } from '../../../test/kit/received-room.ts';
import { createRemoteWorld, DAVE, ERIN, fulfilJoin, HERE, type RemoteWorld, type Result } from '../../../test/kit/remote-world.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import { roomQuery } from '../query/room-query.ts';

const NOTHING = { parked: 0, needs: 0 };
const POLICY = 'two.test';
const POLICY_KEY = signingKeyFromSeed('policy_server', new Uint8Array(32).fill(9));
const OTHER_KEY = signingKeyFromSeed('policy_server', new Uint8Array(32).fill(8));
const CONTENT = { via: POLICY, public_keys: { ed25519: encodeBase64(POLICY_KEY.publicKey) } };

interface World {
  readonly world: RemoteWorld;
  readonly dag: RoomDag;
  readonly policyId: string;
}

/** A room that Dave has joined, with what `content` says of its policy server. */
async function policed(context: TestContext, { content = CONTENT, version = '11' }: { content?: object; version?: string } = {}): Promise<World> {
  const world = await createRemoteWorld(context);
  const dag = startRoom(version);
  const policyId = dag.send({ type: 'm.room.policy', sender: CREATOR, state_key: '', content: content as Record<string, unknown> });
  const joined = world.member(dag.roomId, 'join', { via: ['one.test'] });
  await fulfilJoin(world, dag, await world.need());
  assert.equal(typeof (await joined), 'object');
  return { world, dag, policyId };
}

/** What the policy server answers, out of what it is asked. */
function signs({ askPolicy }: Need, { key = POLICY_KEY, version = '11' } = {}): Partial<Answer> {
  const pdu = JSON.parse(Buffer.from(askPolicy!.pdu).toString()) as Pdu;
  const dag = startRoom(version);
  return { eventId: askPolicy!.eventId, origin: POLICY, pdu: bytesOf(addSignature(pdu, dag.version, POLICY, key)) };
}

function idIn(result: Result): string {
  assert.ok(typeof result === 'object', `refused: ${String(result)}`);
  return result['event_id'] as string;
}

function say(world: RemoteWorld, roomId: string, body: string, { sender = DAVE, type = 'm.room.message', inputId }: { sender?: string; type?: string; inputId?: string } = {}): Promise<Result> {
  return world.submit(roomId, { sendEvent: { sender, deviceId: 'D', txnId: '', event: { type, content: Buffer.from(JSON.stringify({ body })) } } }, inputId);
}

function setState(world: RemoteWorld, roomId: string, type: string, [sender, content, stateKey = '']: [sender: string, content: object, stateKey?: string]): Promise<Result> {
  return world.submit(roomId, { sendEvent: { sender, deviceId: 'D', txnId: '', event: { type, stateKey, content: Buffer.from(JSON.stringify(content)) } } });
}

async function pduOf(world: RemoteWorld, eventId: string): Promise<Pdu> {
  const [stored] = await roomQuery(world.database).eventsById([eventId]);
  return JSON.parse(Buffer.from(stored!.pdu).toString()) as Pdu;
}

async function verdictOf(world: RemoteWorld, eventId: string): Promise<unknown> {
  const [row] = await world.database.query('SELECT rejected, soft_failed, order_key FROM events WHERE event_id = ?', [eventId]);
  return row === undefined ? undefined : row['rejected'] === 1 ? 'rejected' : row['soft_failed'] === 1 ? 'softFailed' : 'accepted';
}

test('a message waits for the policy server, and goes out with its signature; what the room did meanwhile it follows as a fork', async (context) => {
  const { world, dag } = await policed(context);
  const sent = say(world, dag.roomId, 'hello', { inputId: 'same' });
  const need = await world.need();
  const { policy, eventId, isOurs, pdu } = need.askPolicy!;
  assert.deepEqual([{ ...policy }, isOurs], [{ serverName: POLICY, publicKey: CONTENT.public_keys.ed25519 }, true]);
  assert.equal(eventIdOf(JSON.parse(Buffer.from(pdu).toString()) as Pdu, dag.version), eventId);
  assert.ok((await world.outputs()).every(({ event }) => event?.eventId !== eventId), 'nobody is told of it before');
  const again = say(world, dag.roomId, 'hello', { inputId: 'same' });
  // Another user of another server, whose server has asked.
  const other = dag.send({ type: 'm.room.message', sender: '@bob:two.test', content: { body: 'meanwhile' } });
  const signedOther = bytesOf(addSignature(dag.pdu(other)!, dag.version, POLICY, POLICY_KEY));
  assert.equal((await world.submit(dag.roomId, { receivePdu: received(dag, other, { pdu: signedOther }) }) as { verdict: string }).verdict, 'accepted');
  await world.restart();
  await world.answer(dag.roomId, need, signs(need));
  assert.deepEqual([idIn(await sent), idIn(await again)], [eventId, eventId]);
  const stored = await pduOf(world, eventId);
  assert.deepEqual([Object.keys(stored.signatures).sort(), Object.keys(stored.signatures[POLICY]!)], [[HERE, POLICY], ['ed25519:policy_server']]);
  const told = (await world.outputs()).at(-1)!.event!;
  assert.deepEqual([told.eventId, told.deviceId, Buffer.from(told.pdu).toString()], [eventId, 'D', Buffer.from(bytesOf(stored)).toString()]);
  const next = say(world, dag.roomId, 'next');
  const joining = await world.need();
  assert.deepEqual([...(JSON.parse(Buffer.from(joining.askPolicy!.pdu).toString()) as Pdu).prev_events].sort(), [eventId, other].sort());
  await world.answer(dag.roomId, joining, signs(joining));
  idIn(await next);
  assert.deepEqual([await world.waiting(), await world.needsLeft()], [NOTHING, 0]);
});

test('what one user sends keeps its order, whatever the order of the answers; other users and other rooms wait for none of it', async (context) => {
  const { world, dag } = await policed(context);
  const erinJoins = world.member(dag.roomId, 'join', { sender: ERIN });
  const joinNeed = await world.need();
  assert.equal(joinNeed.askPolicy!.isOurs, true);
  await world.answer(dag.roomId, joinNeed, signs(joinNeed));
  idIn(await erinJoins);
  const order: string[] = [];
  const note = (name: string) => (result: Result) => { order.push(`${name} ${typeof result === 'object' ? 'sent' : result}`); };
  const all = [say(world, dag.roomId, '1').then(note('first')), say(world, dag.roomId, '2').then(note('second')), say(world, dag.roomId, '3').then(note('third'))];
  const needs = [await world.need(), await world.need(), await world.need()];
  const erin = say(world, dag.roomId, 'other', { sender: ERIN }).then(note('erin'));
  const erinNeed = await world.need();
  await world.answer(dag.roomId, needs[2]!, signs(needs[2]!));
  await world.answer(dag.roomId, needs[1]!, { status: 400, errcode: 'M_FORBIDDEN', error: 'Spam.' });
  await world.answer(dag.roomId, erinNeed, signs(erinNeed));
  await erin;
  assert.deepEqual(order, ['erin sent']);
  await world.answer(dag.roomId, needs[0]!, signs(needs[0]!));
  await Promise.all(all);
  assert.deepEqual(order, ['erin sent', 'first sent', 'second 403 M_FORBIDDEN', 'third sent']);
  assert.deepEqual(await world.waiting(), NOTHING);
});

test('a refusal is told in the words of the policy server, a wrong signature is none, and who is silent is not waited for longer than 5 s', async (context) => {
  const { world, dag } = await policed(context);
  const cases: [expected: string, answer: (need: Need) => Partial<Answer>][] = [
    ['403 M_FORBIDDEN', () => ({ status: 400, errcode: 'M_FORBIDDEN', error: 'The message appears to contain possible spam' })],
    ['429 M_LIMIT_EXCEEDED', () => ({ status: 429, errcode: 'M_LIMIT_EXCEEDED', error: 'Slowly', errorFields: Buffer.from('{"retry_after_ms":1500}') })],
    ['404 M_NOT_FOUND', () => ({ status: 404, errcode: 'M_NOT_FOUND', error: 'Unknown room' })],
    ['502 M_UNKNOWN', (need) => signs(need, { key: OTHER_KEY })],
    ['502 M_UNKNOWN', (need) => ({ ...signs(need), pdu: need.askPolicy!.pdu })],
    ['504 M_UNKNOWN', () => ({ status: 504, errcode: 'M_UNKNOWN', error: 'late' })],
  ];
  for (const [expected, answer] of cases) {
    const sent = say(world, dag.roomId, 'spam');
    const need = await world.need();
    await world.answer(dag.roomId, need, answer(need));
    assert.equal(await sent, expected);
    assert.equal(await verdictOf(world, need.askPolicy!.eventId), undefined);
  }
  const silent = say(world, dag.roomId, 'anybody?');
  await world.need();
  await world.later(5000);
  assert.equal(await silent, '504 M_UNKNOWN');
  assert.deepEqual(await world.waiting(), NOTHING);
});

test('m.room.policy with an empty state key is not looked at: it can be changed while the policy server is gone; other keys of it are', async (context) => {
  const { world, dag } = await policed(context);
  const powerful = dag.send({ type: 'm.room.power_levels', sender: CREATOR, state_key: '', content: { users: { [CREATOR]: 100, [DAVE]: 100 } } });
  const pdu = bytesOf(addSignature(dag.pdu(powerful)!, dag.version, POLICY, POLICY_KEY));
  await world.submit(dag.roomId, { receivePdu: received(dag, powerful, { pdu }) });
  const waits = say(world, dag.roomId, 'waits');
  const need = await world.need();
  const other = setState(world, dag.roomId, 'm.room.policy', [DAVE, {}, 'other']);
  const otherNeed = await world.need();
  idIn(await setState(world, dag.roomId, 'm.room.policy', [DAVE, {}]));
  assert.equal(await world.needsLeft(), 0);
  idIn(await say(world, dag.roomId, 'nobody looks any more', { type: 'm.room.policy' }));
  await world.answer(dag.roomId, need, signs(need));
  await world.answer(dag.roomId, otherNeed, signs(otherNeed));
  idIn(await waits);
  idIn(await other);
  // And back again, with another key: what the old one signed counts no more.
  idIn(await setState(world, dag.roomId, 'm.room.policy', [DAVE, CONTENT]));
  const late = say(world, dag.roomId, 'late');
  const lateNeed = await world.need();
  idIn(await setState(world, dag.roomId, 'm.room.policy', [DAVE, { via: POLICY, public_keys: { ed25519: encodeBase64Url(OTHER_KEY.publicKey) } }]));
  await world.answer(dag.roomId, lateNeed, signs(lateNeed));
  assert.equal(await late, '502 M_UNKNOWN');
  const last = say(world, dag.roomId, 'last');
  const lastNeed = await world.need();
  await world.answer(dag.roomId, lastNeed, signs(lastNeed, { key: OTHER_KEY }));
  idIn(await last);
  assert.deepEqual(await world.waiting(), NOTHING);
});

test('a policy server counts while it has a joined user, and is named as the spec says', async (context) => {
  for (const content of [{}, { via: POLICY }, { via: POLICY, public_keys: {} }, { via: 1, public_keys: CONTENT.public_keys }, { via: POLICY, public_keys: { ed25519: 5 } }, { ...CONTENT, via: 'nobody.test' }]) {
    const { world, dag } = await policed(context, { content });
    idIn(await say(world, dag.roomId, 'free'));
  }
  const { world, dag } = await policed(context);
  const leave = async (userId: string) => {
    const left = dag.send({ type: 'm.room.member', sender: userId, state_key: userId, content: { membership: 'leave' } });
    await world.submit(dag.roomId, { receivePdu: received(dag, left, { pdu: bytesOf(addSignature(dag.pdu(left)!, dag.version, POLICY, POLICY_KEY)) }) });
    assert.equal(await verdictOf(world, left), 'accepted');
  };
  await leave('@bob:two.test');
  await world.restart();
  const asked = say(world, dag.roomId, 'Carol is there');
  const need = await world.need();
  await world.answer(dag.roomId, need, signs(need));
  idIn(await asked);
  await leave('@carol:two.test');
  idIn(await say(world, dag.roomId, 'free'));
  await world.restart();
  idIn(await say(world, dag.roomId, 'still'));
  assert.equal(await world.needsLeft(), 0);
});

test('an event of another server without a right signature is asked for, and taken with the new one, or softly failed; the state takes no part', async (context) => {
  const { world, dag } = await policed(context);
  const send = (eventId: string, more = {}) => world.submit(dag.roomId, { receivePdu: received(dag, eventId, { origin: 'one.test', ...more }) }, `pdu:${eventId}`) as Promise<{ verdict: string; reason?: string; signatures?: Pdu['signatures'] }>;
  const message = (body: string) => dag.send({ type: 'm.room.message', sender: CREATOR, content: { body } });
  // Signed by its sender's server: at once.
  const signedId = message('signed');
  assert.deepEqual([(await send(signedId, { pdu: bytesOf(addSignature(dag.pdu(signedId)!, dag.version, POLICY, POLICY_KEY)) })).verdict, await world.needsLeft()], ['accepted', 0]);
  // Without, and with that of another key.
  for (const pduOfOrigin of [(pdu: Pdu) => pdu, (pdu: Pdu) => addSignature(pdu, dag.version, POLICY, OTHER_KEY)]) {
    const eventId = message('unsigned');
    const outcome = send(eventId, { pdu: bytesOf(pduOfOrigin(dag.pdu(eventId)!)) });
    const need = await world.need();
    assert.deepEqual([need.askPolicy!.isOurs, need.askPolicy!.eventId], [false, eventId]);
    await world.answer(dag.roomId, need, signs(need));
    const { verdict, signatures } = await outcome;
    assert.deepEqual([verdict, Object.keys(signatures![POLICY]!)], ['accepted', ['ed25519:policy_server']]);
    assert.deepEqual((await pduOf(world, eventId)).signatures, signatures);
  }
  // In vain.
  const answers: ((need: Need) => Partial<Answer>)[] = [() => ({ status: 400, errcode: 'M_FORBIDDEN', error: 'Spam.' }), (need) => signs(need, { key: OTHER_KEY })];
  for (const answer of answers) {
    const eventId = message('spam');
    const outcome = send(eventId);
    const need = await world.need();
    await world.answer(dag.roomId, need, answer(need));
    const { verdict, reason } = await outcome;
    assert.deepEqual([verdict, reason?.startsWith(`The room's policy server ${POLICY} does not recommend it`)], ['softFailed', true]);
  }
  const silentId = message('silent');
  const silent = send(silentId);
  await world.need();
  await world.later(10_100);
  assert.equal((await silent).verdict, 'softFailed');
  // m.room.policy itself, and what the rules do not allow, nobody asks for.
  const policyId = dag.send({ type: 'm.room.policy', sender: CREATOR, state_key: '', content: { via: 'nobody.test', public_keys: CONTENT.public_keys } });
  assert.equal((await send(policyId)).verdict, 'accepted');
  const freeId = message('free');
  assert.deepEqual([(await send(freeId)).verdict, await world.needsLeft(), await world.waiting()], ['accepted', 0, NOTHING]);
});

test('an invite of a user elsewhere is shown to the policy server before their server, and needs both', async (context) => {
  const { world, dag } = await policed(context);
  const zoe = '@zoe:four.test';
  const sign = (need: Need, servers: readonly [string, typeof POLICY_KEY][]) => {
    const pdu = JSON.parse(Buffer.from(need.signInvite!.pdu).toString()) as Pdu;
    return bytesOf(servers.reduce<Pdu>((signed, [server, key]) => addSignature(signed, dag.version, server, key), pdu));
  };
  const invited = world.member(dag.roomId, 'invite', { target: zoe });
  const need = await world.need();
  assert.deepEqual({ ...need.signInvite!.policy }, { serverName: POLICY, publicKey: CONTENT.public_keys.ed25519 });
  const { eventId } = need.signInvite!;
  await world.answer(dag.roomId, need, { eventId, pdu: sign(need, [['four.test', OTHER_KEY], [POLICY, POLICY_KEY]]) });
  assert.equal(idIn(await invited), eventId);
  assert.deepEqual(Object.keys((await pduOf(world, eventId)).signatures).sort(), ['four.test', HERE, POLICY].sort());
  const unsigned = world.member(dag.roomId, 'invite', { target: '@yan:four.test' });
  const next = await world.need();
  await world.answer(dag.roomId, next, { eventId: next.signInvite!.eventId, pdu: sign(next, [['four.test', OTHER_KEY]]) });
  assert.equal(await unsigned, '502 M_UNKNOWN');
});

test('the event that joins many branches is shown to the policy server, too', async (context) => {
  const { world, dag } = await policed(context);
  const prev = [dag.newest];
  for (let count = 0; count < 12; count += 1) {
    const { eventId, pdu } = dag.add({ type: 'm.room.message', sender: CREATOR, content: { body: `${count}` } }, { prev });
    await world.submit(dag.roomId, { receivePdu: received(dag, eventId, { pdu: bytesOf(addSignature(pdu, dag.version, POLICY, POLICY_KEY)) }) });
  }
  const joins = world.submit(dag.roomId, { joinBranches: { extremitiesMax: 10 } });
  const need = await world.need();
  const { type, prev_events: joined } = JSON.parse(Buffer.from(need.askPolicy!.pdu).toString()) as Pdu;
  assert.deepEqual([type, joined.length], ['org.matrix.dummy_event', 12]);
  await world.answer(dag.roomId, need, signs(need));
  assert.equal(idIn(await joins), need.askPolicy!.eventId);
  assert.deepEqual([await verdictOf(world, need.askPolicy!.eventId), await world.waiting()], ['accepted', NOTHING]);
});

test('a new name is told to rooms with a policy server like all else', async (context) => {
  const { world, dag } = await policed(context);
  const told = world.submit(dag.roomId, { refreshMember: { userId: DAVE, profile: Buffer.from('{"displayname":"D"}') } });
  const need = await world.need();
  await world.answer(dag.roomId, need, signs(need));
  assert.equal(idIn(await told), need.askPolicy!.eventId);
  assert.equal((await pduOf(world, need.askPolicy!.eventId)).content['displayname'], 'D');
  const refused = world.submit(dag.roomId, { refreshMember: { userId: DAVE, profile: Buffer.from('{"displayname":"E"}') } });
  const second = await world.need();
  await world.answer(dag.roomId, second, { status: 400, errcode: 'M_FORBIDDEN', error: 'No.' });
  assert.equal(await refused, '403 M_FORBIDDEN');
  assert.deepEqual(await world.waiting(), NOTHING);
});
