/** Stages that touch no disk: JSON, signatures, rules, resolution, tokens. */
import { createHash } from 'node:crypto';
import sodium from 'sodium-native';
import { decodeSyncToken, encodeSyncToken, type SyncPosition } from '../../components/syncapi/token/sync-token.ts';
import { parseJsonText } from '../../pkg/http/json.ts';
import { authTypesFor } from '../../pkg/matrix/auth/auth-types.ts';
import { authorize } from '../../pkg/matrix/auth/authorize.ts';
import { checkIntegrity } from '../../pkg/matrix/events/check-received.ts';
import { eventText } from '../../pkg/matrix/events/event-text.ts';
import { essentialText } from '../../pkg/matrix/events/hashes.ts';
import type { Pdu } from '../../pkg/matrix/events/pdu.ts';
import { signatureOf } from '../../pkg/matrix/signing/sign-json.ts';
import { conflictedEvents, conflictedSlots } from '../../pkg/matrix/state-res/conflicts.ts';
import { resolveState } from '../../pkg/matrix/state-res/resolve-state.ts';
import { slotOf } from '../../pkg/matrix/state-res/slot.ts';
import { isSignatureRight } from '../../pkg/runtime/real/ed25519.ts';
import { RoomDag } from '../../test/kit/room-dag.ts';
import { CREATOR, RoomState, TEST_KEY } from '../../test/kit/room-state.ts';
import type { Stage } from './stage.ts';

const VERSION = '12';
const PARTITIONS = 32;
const MEMBERS = 300;
/** Of each side: as many members change their name on both. */
const CHANGES = 50;
const DIFFERENT_EVENTS = 200;

const room = new RoomState(VERSION);
room.member(CREATOR, 'join');
room.set('m.room.power_levels', '', { users: { '@admin:one.test': 50 } });
room.set('m.room.join_rules', '', { join_rule: 'public' });
const messages = Array.from({ length: DIFFERENT_EVENTS }, (_, index) => room.build({ type: 'm.room.message', sender: CREATOR, content: { msgtype: 'm.text', body: `message ${index} ${'x'.repeat(600)}` } }));
const pdus: readonly Pdu[] = messages.map(({ json }) => JSON.parse(json) as Pdu);
const texts = messages.map(({ json }) => json);
/** So that nothing that is computed can be left out. */
let sink = 0;

/** Does it for one event after the other. */
function each<T>(values: readonly T[], work: (value: T) => number): (events: number) => void {
  return (events) => {
    for (let index = 0; index < events; index += 1) sink += work(values[index % values.length]!);
    if (sink === Infinity) throw new Error('nothing was computed');
  };
}

export function inMemoryStages(): Stage[] {
  return [parseStage(), canonicalStage(), integrityStage(), authStage(), resolutionStage(), tokenStage()];
}

function parseStage(): Stage {
  return {
    name: 'parse', events: 20_000,
    ours: { what: 'the text of an event of 1 kB, with what is refused in it', run: each(texts, (text) => Object.keys(parseJsonText(text) as object).length) },
    floor: { what: '`JSON.parse`', run: each(texts, (text) => Object.keys(JSON.parse(text) as object).length) },
  };
}

function canonicalStage(): Stage {
  return {
    name: 'canonical JSON', events: 20_000,
    ours: { what: 'the whole event', run: each(pdus, (pdu) => eventText(pdu, room.version).length) },
    floor: { what: '`JSON.stringify`', run: each(pdus, (pdu) => JSON.stringify(pdu).length) },
  };
}

function integrityStage(): Stage {
  const signer = { serverName: 'one.test', keyId: TEST_KEY.keyId, publicKey: TEST_KEY.publicKey };
  const raw = pdus.map((pdu) => ({ text: eventText(pdu, room.version), essentials: Buffer.from(essentialText(pdu, room.version)), signature: Buffer.from(signatureOf(pdu, signer.serverName, signer.keyId)!) }));
  const publicKey = Buffer.from(TEST_KEY.publicKey);
  return {
    name: 'verify', events: 2000,
    ours: {
      what: 'form, size, ID, signature and content hash of a received event (steps 1 to 3)',
      run: each(pdus, (value) => {
        const event = checkIntegrity({ value, version: room.version, signedBy: (serverName, pdu, essentials) => isSignatureRight({ publicKey: signer.publicKey, bytes: essentials, signature: signatureOf(pdu, serverName, signer.keyId)! }) });
        if ('outcome' in event) throw new Error(event.reason);
        return event.bytes.length;
      }),
    },
    floor: {
      what: 'Ed25519 by libsodium and two SHA-256 of bytes that are there already',
      run: each(raw, ({ text, essentials, signature }) => Number(sodium.crypto_sign_verify_detached(signature, essentials, publicKey)) + createHash('sha256').update(text).digest().length + createHash('sha256').update(essentials).digest().length),
    },
  };
}

function authStage(): Stage {
  const asked = pdus.map((pdu) => authTypesFor(pdu, room.version));
  return {
    name: 'authorise', events: 20_000,
    ours: { what: 'a message by the state of its room', run: each(pdus, (event) => Number(authorize({ event, version: room.version, state: room.lookup, roomId: room.roomId }).allowed)) },
    floor: { what: 'looking up the state that the rules ask for', run: each(asked, (keys) => keys.reduce((sum, [type, stateKey]) => sum + (room.lookup(type, stateKey) === undefined ? 0 : 1), 0)) },
  };
}

function resolutionStage(): Stage {
  const dag = new RoomDag(VERSION);
  const member = (userId: string, content: object): { type: string; sender: string; state_key: string; content: Record<string, unknown> } => ({ type: 'm.room.member', sender: userId, state_key: userId, content: { membership: 'join', ...content } });
  dag.send(member(CREATOR, {}));
  dag.send({ type: 'm.room.power_levels', sender: CREATOR, state_key: '', content: { users: {} } });
  dag.send({ type: 'm.room.join_rules', sender: CREATOR, state_key: '', content: { join_rule: 'public' } });
  const users = Array.from({ length: MEMBERS }, (_, index) => `@user${index}:server${index % 20}.test`);
  for (const userId of users) dag.send(member(userId, {}));
  const meeting = dag.newest;
  const sides = ['left', 'right'].map((side) => users.slice(0, CHANGES).reduce((tip, userId) => dag.send(member(userId, { displayname: side }), { prev: [tip] }), meeting));
  const stateSets = sides.map((tip) => dag.stateAfter(tip));
  const conflicted = [...conflictedEvents(conflictedSlots(stateSets).conflicted)].map((eventId) => dag.pdu(eventId)!);
  const before = dag.stateAfter(meeting);
  const state = (type: string, stateKey: string): Pdu | undefined => dag.pdu(before.get(slotOf(type, stateKey)) ?? '');
  const resolve = each([stateSets], (sets) => resolveState({ version: dag.version, roomId: dag.roomId, events: dag.pdu, stateSets: sets }).size);
  return {
    name: 'resolve', events: conflicted.length * 20,
    ours: { what: `two states of ${MEMBERS} members that differ in ${CHANGES}, without an index of auth chains; for each conflicted event`, run: (events) => resolve(Math.round(events / conflicted.length)) },
    floor: { what: 'authorising each conflicted event once', run: each(conflicted, (event) => Number(authorize({ event, version: dag.version, state, roomId: dag.roomId }).allowed)) },
  };
}

function tokenStage(): Stage {
  const positions = Array.from({ length: DIFFERENT_EVENTS }, (_, index): SyncPosition => {
    const numbers = Array.from({ length: PARTITIONS }, (_ignored, partition) => 1_000_000 + index * 31 + partition);
    return { mapVersion: 1, room: numbers, user: numbers, typing: [], typingAtMs: 0, toDevice: { device: index, sequence: 5000 + index, isUnacknowledged: false } };
  });
  const bytes = positions.map((position) => Buffer.from(encodeSyncToken(position).slice(2), 'base64url'));
  return {
    name: 'token', events: 20_000,
    ours: { what: `a /sync token of ${PARTITIONS} partitions, written and read`, run: each(positions, (position) => decodeSyncToken(encodeSyncToken(position)).room.length) },
    floor: { what: 'base64url of its bytes, there and back', run: each(bytes, (one) => Buffer.from(one.toString('base64url'), 'base64url').length) },
  };
}
